//! `orlop run` where there is nothing to run it: an image that is to keep what is written stays as it was. And ports that
//! cannot be forwarded.

use std::net::TcpListener;

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

#[test]
fn a_port_that_cannot_be_forwarded_is_named_before_anything_starts() {
    let desk = Desk::new();
    let disk = blank_disk(&desk);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let forward = |words: &[&str]| {
        let words = words.iter().flat_map(|word| ["--forward", word]);
        run(orlop().arg("run").arg(&disk).args(words))
    };
    forward(&[&format!("{port}:80")]).fails(1, &[&format!("127.0.0.1:{port}"), "another program listens there"]);
    drop(taken);
    forward(&[&format!("{port}:80"), &format!("{port}:81")])
        .fails(2, &[&format!("127.0.0.1:{port} stands there twice")]);
    for wrong in ["80", "0:80", "80:http", "example.org:80:80"] {
        forward(&[wrong]).fails(2, &["PORT:GUEST", wrong]);
    }
}
