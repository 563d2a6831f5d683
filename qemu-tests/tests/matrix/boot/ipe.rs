//! The IPE policy in the root: the kernel checks its signature, against the firmware's keys. No root can be altered, so
//! the row takes a whole image of the next keys and has the first keys sign everything but the root anew.

use std::fs;

use anyhow::{Context, Result};
use orlop::formats::x509::Certificate;
use orlop::image::open::Image;
use orlop_chain::Stage;

use crate::bench::Built;
use crate::forge::{self, By};
use crate::row::{Ends, Offline, On, rows};
use crate::subject::Subject;

rows! {
    fast a_policy_by_a_key_that_the_firmware_lacks {
        changed: "an image whose IPE policy is signed by a key that the firmware does not have, everything else by one that it has",
        on: On::SecureBoot,
        image: Built::Rotated,
        alter: everything_but_the_policy,
        ends: Ends::Refused(Stage::Ipe),
        says: "no key of the kernel's signed it",
        offline: Offline::Refused(Stage::Ipe),
    }
}

/// Signs UKI, manifest and root hash with the keys that the machine has. The manifest names their certificate first,
/// as that of the image.
fn everything_but_the_policy(subject: &mut Subject) -> Result<()> {
    let manifest = String::from_utf8(Image::open(&subject.disk)?.uki()?.boot_manifest()?)?;
    let (_, list) = manifest.split_once("\"certificates\": [\n").context("certificates")?;
    let (list, _) = list.split_once("\n    ]").context("their end")?;
    let (next, ours) = list.rsplit_once(",\n      {").context("two certificates")?;
    subject.manifest((list, &format!("      {{{ours},\n{next}")), By::Us)?;
    let certificate = Certificate::parse(&fs::read(forge::keys().join("db.crt"))?)?;
    subject.signature(|document| {
        document.certificate_fingerprint = Some(certificate.sha256());
        document.signature = Some(forge::root_signature(&document.root_hash, By::Us)?);
        Ok(())
    })
}
