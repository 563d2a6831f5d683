//! The boot manifest, in the initramfs of the UKI.

use anyhow::Result;
use orlop::image::open::Image;
use orlop_chain::{RootHash, Stage, manifest};

use crate::forge::By;
use crate::row::{Ends, Offline, rows};
use crate::subject::Subject;

rows! {
    fast a_bit_in_the_manifest {
        changed: "one bit in the boot manifest's text; the UKI is signed again",
        alter: |subject| {
            let signature = subject.signature_text()?;
            subject.manifest((r#""class": "public""#, r#""class": "qublic""#), By::Us)?;
            subject.set_signature_text(&signature)
        },
        ends: Ends::Refused(Stage::ManifestSignature),
        says: "not by a trusted release key",
        // Its own word on what a refusal does is not trusted yet.
        stops: "guest-reset",
        offline: Offline::Refused(Stage::ManifestSignature),
    }
    fast another_architecture {
        changed: "another architecture in the boot manifest; everything is signed again, by us",
        alter: |subject| subject.manifest((r#""x86_64""#, r#""riscv""#), By::Us),
        ends: Ends::Refused(Stage::Manifest),
        says: "architecture",
        offline: Offline::Refused(Stage::Manifest),
    }
    fast a_manifest_without_development_mark {
        changed: "a boot manifest that hides its development keys; everything is signed again, by us",
        alter: |subject| subject.manifest((r#""development": true"#, r#""development":false"#), By::Us),
        ends: Ends::Refused(Stage::ManifestSignature),
        says: "development",
        offline: Offline::Refused(Stage::ManifestSignature),
    }
    fast another_class_on_this_state {
        changed: "an image of another class, signed by us, on a state that a `public` one made",
        alter: |subject| {
            subject.first_boot()?;
            subject.manifest((r#""class": "public""#, r#""class": "secret""#), By::Us)
        },
        ends: Ends::Refused(Stage::State),
        says: "class",
    }
    fast another_image_on_this_state {
        changed: "a state that another image made",
        ends: Ends::Elsewhere("init, at stage `state`", "state", "a_state_of_another_image_is_refused_by_name"),
    }
    fast another_root_hash {
        changed: "a boot manifest that names another root hash; everything is signed again, by us",
        alter: other_root_hash,
        ends: Ends::Refused(Stage::Disk),
        says: "no disk carries root hash",
        offline: Offline::Refused(Stage::Disk),
    }
}

fn other_root_hash(subject: &mut Subject) -> Result<()> {
    let manifest = Image::open(&subject.disk)?.uki()?.boot_manifest()?;
    let root_hash = manifest::parse_boot(&manifest)?.verity.root_hash;
    let other = RootHash([7; 32]).to_string();
    subject.manifest((&root_hash, &other), By::Us)?;
    subject.signature(|document| {
        document.root_hash = other;
        Ok(())
    })
}
