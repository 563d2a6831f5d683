//! The signature partition.

use orlop_chain::{RootHash, Stage};

use crate::bench::Built;
use crate::forge::{By, manifest_signature};
use crate::row::{Ends, Offline, rows};
use crate::subject::{SIGNATURE, Subject, replace};
use anyhow::Result;
use orlop::image::open::Image;

rows! {
    fast a_bit_in_the_signature {
        changed: "one character of the boot manifest's signature",
        alter: |subject| subject.signature(|document| {
            let other = if document.orlop_boot_signature.starts_with('A') { "B" } else { "A" };
            document.orlop_boot_signature.replace_range(..1, other);
            Ok(())
        }),
        ends: Ends::Refused(Stage::ManifestSignature),
        says: "not by a trusted release key",
        offline: Offline::Refused(Stage::ManifestSignature),
    }
    fast a_strangers_signature {
        changed: "the boot manifest signed by a stranger's release key",
        alter: |subject| {
            let signature = manifest_signature(&Image::open(&subject.disk)?.uki()?.boot_manifest()?, By::Stranger)?;
            subject.signature(|document| {
                document.orlop_boot_signature = signature;
                Ok(())
            })
        },
        ends: Ends::Refused(Stage::ManifestSignature),
        says: "not by a trusted release key",
        offline: Offline::Refused(Stage::ManifestSignature),
    }
    fast a_signature_of_another_root {
        changed: "another root's hash in the signature partition",
        alter: |subject| {
            let other = RootHash([7; 32]).to_string();
            subject.signature(|document| {
                document.root_hash = other;
                Ok(())
            })
        },
        ends: Ends::Refused(Stage::SignaturePartition),
        says: "it is for root hash",
        offline: Offline::Refused(Stage::SignaturePartition),
    }
    fast another_releases_signature_partition {
        changed: "another release's signature partition, under this one's UUID",
        alter: |subject| subject.take(SIGNATURE, &Built::Wipe.path()?),
        ends: Ends::Refused(Stage::SignaturePartition),
        says: "it is for root hash",
        offline: Offline::Refused(Stage::SignaturePartition),
    }
    fast a_cut_signature_document {
        changed: "the signature partition's JSON cut in its middle",
        alter: |subject| {
            let text = subject.signature_text()?;
            subject.set_signature_text(&text[..text.len() / 2])
        },
        ends: Ends::Refused(Stage::SignaturePartition),
        says: "not a signature document",
        offline: Offline::Refused(Stage::SignaturePartition),
    }
    fast a_signature_document_with_more {
        changed: "a field more in the signature partition's JSON",
        alter: |subject| {
            let text = replace(&subject.signature_text()?, "{", "{\"more\":1,")?;
            subject.set_signature_text(&text)
        },
        ends: Ends::Refused(Stage::SignaturePartition),
        says: "unknown field",
        offline: Offline::Refused(Stage::SignaturePartition),
    }
    fast an_empty_signature_partition {
        changed: "an empty signature partition",
        alter: |subject| subject.set_signature_text(""),
        ends: Ends::Refused(Stage::SignaturePartition),
        says: "is blank",
        offline: Offline::Refused(Stage::SignaturePartition),
    }
    fast no_signature_partition {
        changed: "no signature partition",
        alter: without_signature_partition,
        ends: Ends::Refused(Stage::SignaturePartition),
        says: "0 signature partitions",
        offline: Offline::Refused(Stage::SignaturePartition),
    }
}

fn without_signature_partition(subject: &mut Subject) -> Result<()> {
    subject.table(|table| {
        table.entries.retain(|entry| entry.name != SIGNATURE);
        Ok(())
    })
}
