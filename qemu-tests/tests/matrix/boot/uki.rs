//! The UKI: nothing but what a key in db has signed is started.

use anyhow::{Context, Result};
use orlop::formats::cpio::{self, Entry, Kind};
use orlop::formats::pe;
use orlop_chain::Stage;
use orlop_machine::Disk;
use orlop_machine::image::Image;

use crate::bench::{Built, copy};
use crate::forge::{self, By};
use crate::row::{Ends, Offline, On, rows};
use crate::subject::Subject;
use crate::uki::{Parts, find, with_signature_of};

const DENIED: &str = "Access Denied";

rows! {
    fast a_bit_in_what_runs {
        changed: "one bit in the UKI's command line, initramfs, or kernel: a disk for each",
        on: On::SecureBoot,
        alter: |subject| a_disk_for_each_section(subject, |name| [".cmdline", ".initrd", ".linux"].contains(&name)),
        ends: Ends::NotStarted,
        says: DENIED,
        offline: Offline::Refused(Stage::UkiSignature),
    }
    slow a_bit_in_each_section {
        changed: "one bit in a section of the UKI: a disk for each section",
        on: On::SecureBoot,
        alter: |subject| a_disk_for_each_section(subject, |_| true),
        ends: Ends::NotStarted,
        says: DENIED,
        offline: Offline::Refused(Stage::UkiSignature),

    }
    fast an_unsigned_uki {
        changed: "the UKI without its signature",
        on: On::SecureBoot,
        alter: |subject| subject.set_uki(&subject.uki()?, None),
        ends: Ends::NotStarted,
        says: DENIED,
        offline: Offline::Refused(Stage::UkiSignature),
    }
    fast a_strangers_uki {
        changed: "the UKI signed by a stranger",
        on: On::SecureBoot,
        alter: |subject| subject.set_uki(&subject.uki()?, Some(By::Stranger)),
        ends: Ends::NotStarted,
        says: DENIED,
        offline: Offline::Refused(Stage::UkiSignature),
    }
    fast a_section_appended {
        changed: "a section appended to the UKI, with the signature that was there",
        on: On::SecureBoot,
        alter: |subject| changed(subject, |parts| {
            parts.sections.push((".splash", b"a picture".to_vec()));
            Ok(())
        }),
        ends: Ends::NotStarted,
        says: DENIED,
        offline: Offline::Refused(Stage::UkiSignature),
    }
    fast a_file_appended_to_the_initramfs {
        changed: "a file appended to the initramfs in the UKI, with the signature that was there",
        on: On::SecureBoot,
        alter: |subject| changed(subject, |parts| {
            let kind = Kind::File { mode: 0o755, bytes: b"evil".to_vec() };
            let archive = cpio::write(&[Entry { path: "evil".into(), kind }], 0)?;
            parts.section(".initrd")?.extend(archive);
            Ok(())
        }),
        ends: Ends::NotStarted,
        says: DENIED,
        offline: Offline::Refused(Stage::UkiSignature),
    }
    fast another_manifest {
        changed: "another boot manifest in the UKI, with the signature that was there",
        on: On::SecureBoot,
        alter: |subject| changed(subject, |parts| {
            let initramfs = parts.section(".initrd")?;
            let at = find(initramfs, br#""class": "public""#).context("the class")?;
            initramfs[at + 10..][..6].copy_from_slice(b"secret");
            Ok(())
        }),
        ends: Ends::NotStarted,
        says: DENIED,
        offline: Offline::Refused(Stage::UkiSignature),
    }
    fast another_releases_uki {
        changed: "another release's UKI, which we signed, on this one's disk",
        on: On::SecureBoot,
        alter: |subject| subject.set_uki(&Image::open(Built::Wipe.path()?)?.uki()?, None),
        ends: Ends::Refused(Stage::Disk),
        says: "no disk carries root hash",
        offline: Offline::Refused(Stage::Disk),
    }
    slow a_strangers_uki_without_secure_boot {
        changed: "the UKI signed by a stranger, on a machine without Secure Boot",
        on: On::Uefi,
        alter: |subject| subject.set_uki(&subject.uki()?, Some(By::Stranger)),
        offline: Offline::Refused(Stage::UkiSignature),
    }
}

/// Changes the UKI's parts, and leaves the signature that was made before.
fn changed(subject: &mut Subject, change: impl FnOnce(&mut Parts) -> Result<()>) -> Result<()> {
    let signed = forge::signed(&subject.uki()?, By::Us)?;
    let mut parts = Parts::of(&subject.uki()?)?;
    change(&mut parts)?;
    subject.set_uki(&with_signature_of(&signed, parts.join()?)?, None)
}

/// The first disk has a bit of its UKI's first section flipped, the next one of the second, and so on.
fn a_disk_for_each_section(subject: &mut Subject, wanted: fn(&str) -> bool) -> Result<()> {
    let signed = forge::signed(&subject.uki()?, By::Us)?;
    let mut sections = pe::Image::parse(&signed)?.sections;
    sections.retain(|section| wanted(&section.name));
    let own = std::mem::replace(&mut subject.disk, "".into());
    for (number, section) in sections.iter().enumerate() {
        let mut altered = signed.clone();
        altered[section.raw_offset as usize] ^= 1;
        subject.disk = subject.bench.file(&format!("{number}.raw"));
        copy(&own, &subject.disk)?;
        subject.set_uki(&altered, None)?;
        subject.more.push(Disk::image(&subject.disk));
    }
    // `orlop verify` judges the one with the altered command line.
    let line = sections.iter().position(|section| section.name == ".cmdline").context(".cmdline")?;
    let Disk { file, .. } = subject.more.remove(line);
    subject.disk = file;
    Ok(())
}
