//! `orlop run` where there is nothing to run it: an image that is to keep what is written stays as it was.

use crate::image::blank_disk;
use crate::support::{Desk, orlop, run};

#[test]
fn a_disk_that_cannot_be_booted_is_not_grown() {
    let desk = Desk::new();
    let disk = blank_disk(&desk);
    let before = std::fs::read(&disk).unwrap();
    let nothing = desk.path("keys");
    for (variable, says) in [("PATH", "is not installed"), ("ORLOP_OVMF", "no UEFI firmware found")] {
        let mut command = orlop();
        command.args(["run", "--persist", "--disk-size", "1G", "--timeout", "5"]).arg(&disk);
        run(command.env(variable, &nothing)).fails(1, &[says, "make setup"]);
        assert!(std::fs::read(&disk).unwrap() == before, "{variable}: the disk changed");
    }
}
