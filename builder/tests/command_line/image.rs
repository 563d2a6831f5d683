//! What is no image, for every verb that takes one, and a machine without QEMU or firmware.

use std::path::{Path, PathBuf};
use std::process::Command;

use orlop::formats::gpt::{Partition, Plan, write};
use orlop_chain::Guid;
use orlop_chain::gpt::types;

use crate::support::{Desk, orlop, run};

fn inspect(image: &Path) -> Command {
    let mut command = orlop();
    command.arg("inspect").arg(image);
    command
}

fn sbom(image: &Path) -> Command {
    let mut command = orlop();
    command.args(["sbom", "--format", "cyclonedx"]).arg(image);
    command
}

fn verify(desk: &Desk, image: &Path) -> Command {
    let mut command = desk.verify(image);
    command.arg("--image-only");
    command
}

fn boot(image: &Path) -> Command {
    let mut command = orlop();
    command.args(["run", "--timeout", "5"]).arg(image);
    command
}

#[test]
fn what_is_no_image_is_said_to_be_none() {
    let desk = Desk::new();
    let empty = desk.file("empty.raw", "");
    let text = desk.file("text.raw", "not an image\n".repeat(1000));
    let zeroes = desk.file("zeroes.raw", vec![0; 1 << 20]);
    let short = desk.file("short.raw", [1; 100]);
    for path in [&empty, &text, &zeroes, &short] {
        let name = path.file_name().unwrap().to_str().unwrap();
        run(&mut inspect(path)).fails(1, &[name, "not a disk image of Orlop"]);
        run(&mut sbom(path)).fails(1, &[name, "not a disk image of Orlop"]);
        run(&mut verify(&desk, path)).fails(3, &[name, "not a disk image of Orlop", "stage=gpt"]);
        run(&mut boot(path)).fails(1, &[name, "not a disk image"]);
    }
    let missing = desk.path("missing.raw");
    run(&mut inspect(&missing)).fails(1, &["missing.raw", "No such file"]);
    // A failure leaves no file, and what was there as it was.
    let output = desk.file("sbom.json", "before");
    run(sbom(&missing).arg("--output").arg(&output)).fails(1, &["missing.raw", "No such file"]);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "before");
    run(&mut verify(&desk, &missing)).fails(1, &["missing.raw", "No such file"]);
    run(&mut boot(&missing)).fails(1, &["missing.raw", "No such file"]);
    let folder = desk.path("keys");
    run(&mut sbom(&folder)).fails(1, &["keys: a folder", "NAME.raw"]);
    run(&mut inspect(&folder)).fails(1, &["keys: a folder", "NAME.raw"]);
    run(&mut verify(&desk, &folder)).fails(1, &["keys: a folder", "NAME.raw"]);
    run(&mut boot(&folder)).fails(1, &["keys: a folder", "NAME.raw"]);
}

/// A disk with a good table, and nothing on it.
pub fn blank_disk(desk: &Desk) -> PathBuf {
    let path = desk.file("blank.raw", "");
    let file = std::fs::File::options().write(true).read(true).open(&path).unwrap();
    let sectors = 8 * 2048;
    file.set_len(sectors * 512).unwrap();
    let [disk_guid, guid] = [1, 2].map(|number| Guid::from_random([number; 16]));
    let (type_guid, name) = (types::ESP, "esp".to_owned());
    let esp = Partition { type_guid, guid, first: 2048, last: 4095, attributes: 0, name };
    write(&Plan { disk_guid, total_sectors: sectors, partitions: vec![esp] }, &file).unwrap();
    path
}

#[test]
fn a_disk_of_somebody_elses_is_refused_where_it_differs() {
    let desk = Desk::new();
    let disk = blank_disk(&desk);
    run(&mut inspect(&disk)).fails(1, &["the ESP is no FAT"]);
    run(&mut verify(&desk, &disk)).fails(3, &["stage=uki", "the ESP is no FAT"]);
    run(boot(&disk).arg("--direct")).fails(1, &["blank.raw", "no UKI"]);
    std::fs::File::options().write(true).open(&disk).unwrap().set_len(4 << 20).unwrap();
    run(&mut inspect(&disk)).fails(1, &["cut short"]);
    run(&mut verify(&desk, &disk)).fails(3, &["stage=gpt", "cut short"]);
    run(&mut boot(&disk)).fails(1, &["blank.raw"]);
}

#[test]
fn without_qemu_or_firmware_the_next_step_is_named() {
    let desk = Desk::new();
    let disk = blank_disk(&desk);
    let nothing = desk.path("keys");
    run(boot(&disk).env("PATH", &nothing)).fails(1, &["is not installed", "make setup", "apt install qemu"]);
    run(boot(&disk).env("ORLOP_OVMF", &nothing)).fails(1, &["no UEFI firmware found", "make setup", "--direct"]);
}

#[test]
fn arguments_of_run_that_do_not_fit_are_wrong_usage() {
    let desk = Desk::new();
    let disk = blank_disk(&desk);
    run(boot(&disk).args(["--until", "sunrise"]))
        .fails(2, &["`--until sunrise`", "`healthy`, `pod NAME` or `poweroff`"]);
    run(boot(&disk).args(["--until", "pod"])).fails(2, &["pod's name"]);
    run(boot(&disk).args(["--memory", "much"])).fails(2, &["want a size such as 512M"]);
    run(boot(&disk).args(["--direct", "--firmware"])).fails(2, &["cannot be used with"]);
    run(boot(&disk).args(["--cpus", "0"])).fails(2, &["--cpus"]);
}
