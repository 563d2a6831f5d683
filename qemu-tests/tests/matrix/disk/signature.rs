//! The signature partition.

use anyhow::{Context, Result};
use orlop::image::open::Image;
use orlop_chain::{RootHash, Stage};

use crate::bench::Built;
use crate::forge::{By, manifest_signature, root_signature};
use crate::row::{Ends, Offline, On, rows};
use crate::subject::{SIGNATURE, Subject, replace};

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
    fast a_bit_in_the_root_hashs_signature {
        changed: "one character of the root hash's PKCS#7 signature",
        on: On::SecureBoot,
        alter: |subject| subject.signature(|document| {
            let signature = document.signature.as_mut().context("the root hash's signature")?;
            let place = signature.len() - 100;
            let other = if signature[place..].starts_with('A') { "B" } else { "A" };
            signature.replace_range(place..=place, other);
            Ok(())
        }),
        ends: Ends::Refused(Stage::RootSignature),
        says: "dm-verity",
        offline: Offline::Refused(Stage::RootSignature),
    }
    fast a_strangers_root_signature {
        changed: "the root hash signed by a stranger's db key",
        on: On::SecureBoot,
        alter: |subject| subject.signature(|document| {
            document.signature = Some(root_signature(&document.root_hash, By::Stranger)?);
            Ok(())
        }),
        ends: Ends::Refused(Stage::RootSignature),
        says: "dm-verity",
        offline: Offline::Refused(Stage::RootSignature),
    }
    fast no_root_signature {
        changed: "no signature of the root hash",
        on: On::SecureBoot,
        alter: |subject| subject.signature(|document| {
            document.signature = None;
            Ok(())
        }),
        ends: Ends::Refused(Stage::RootSignature),
        says: "signature",
        offline: Offline::Refused(Stage::RootSignature),
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
