//! What a hypervisor appends to the command line.

use std::ffi::OsStr;
use std::fs;

use anyhow::{Context, Result};
use orlop::formats::cpio;
use orlop_chain::Stage;
use orlop_machine::{Bus, Disk};

use crate::boot::firmware::required;
use crate::row::{Ends, On, rows};
use crate::subject::Subject;

rows! {
    fast a_harmless_word {
        changed: "a harmless word appended to the command line by SMBIOS (reported)",
        on: On::SecureBoot,
        alter: |subject| {
            subject.appended = Some("quiet");
            Ok(())
        },
        says: "appended=quiet",
    }
    fast another_root_and_init {
        changed: "`rdinit=/nope root=/dev/nvme0n1 rootwait init=/evil` appended by SMBIOS, with such a disk (reported)",
        on: On::SecureBoot,
        alter: evil_disk,
        says: "appended=rdinit=/nope root=/dev/nvme0n1 rootwait init=/evil",
    }
    fast a_word_where_secure_boot_is_required {
        changed: "a harmless word appended by SMBIOS, to an image that requires Secure Boot",
        on: On::SecureBoot,
        alter: |subject| {
            subject.appended = Some("quiet");
            required(subject)
        },
        ends: Ends::Refused(Stage::Cmdline),
        says: "quiet",
    }
}

/// A disk whose root has a program `/evil`.
fn evil_disk(subject: &mut Subject) -> Result<()> {
    subject.appended = Some("rdinit=/nope root=/dev/nvme0n1 rootwait init=/evil");
    let initramfs = fs::read(&subject.bench.boot.initramfs)?;
    let members = cpio::read(&initramfs)?;
    // Any program that the kernel can run: that it is started is enough.
    let program = members.iter().find(|member| member.path == "init").context("init")?;
    let (folder, disk) = (subject.bench.file("evil"), subject.bench.file("evil.ext4"));
    fs::create_dir(&folder)?;
    fs::write(folder.join("evil"), program.bytes)?;
    let words = ["-q", "-t", "ext4", "-d"].map(OsStr::new);
    let words = [&words[..], &[folder.as_ref(), disk.as_ref(), "32M".as_ref()]].concat();
    let mke2fs = "/usr/sbin/mke2fs";
    let made = std::process::Command::new(mke2fs).args(words).status().context(mke2fs)?;
    anyhow::ensure!(made.success(), "{mke2fs}: {made}");
    subject.more.push(Disk::image(&disk).bus(Bus::Nvme));
    Ok(())
}
