//! Sets of keys that are incomplete, of the wrong kind, or readable by too many. Every build starts with its keys.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Desk, names, orlop, run, verify_by, workspace};

fn build_with(desk: &Desk, keys: &Path) -> Command {
    let mut command = orlop();
    command.arg("build").arg(workspace().join("images/standalone.toml")).arg("--keys").arg(keys);
    command.arg("--out").arg(desk.path("out")).env("ORLOP_CACHE", desk.path("cache"));
    command
}

/// A desk whose keys.toml was changed.
fn changed(from: &str, to: &str) -> Desk {
    let desk = Desk::new();
    let path = desk.path("keys/keys.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
    desk
}

#[test]
fn what_is_no_secret_key_is_refused_with_the_next_step() {
    let desk = Desk::new();
    for (name, content, says) in [
        ("release.key", "".into(), "not an ed25519 secret key"),
        ("release.key", fs::read(desk.path("keys/db.key")).unwrap(), "not an ed25519 secret key"),
        ("db.key", fs::read(desk.path("keys/release.key")).unwrap(), "not an RSA-2048 secret key"),
        ("db.key", vec![0xff; 40], "not text"),
        ("db.crt", fs::read(desk.public_key()).unwrap(), "not an X.509 certificate"),
    ] {
        let path = desk.keys().join(name);
        let own = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        run(&mut build_with(&desk, &desk.keys())).fails(1, &[name, says]);
        fs::write(&path, own).unwrap();
    }
    for name in ["release.key", "db.key", "db.crt"] {
        let (path, aside) = (desk.keys().join(name), desk.path("aside"));
        fs::rename(&path, &aside).unwrap();
        let missing = run(&mut build_with(&desk, &desk.keys()));
        missing.fails(1, &[name, "No such file", "orlop keygen"]);
        assert_eq!(missing.stderr.matches("No such file").count(), 1, "{}", missing.stderr);
        fs::rename(&aside, &path).unwrap();
    }
    run(&mut build_with(&desk, &desk.path("nowhere"))).fails(1, &["nowhere: no set of keys; `orlop keygen"]);
    desk.nothing_built();
}

#[test]
fn a_mistake_in_a_set_has_its_place_and_a_suggestion() {
    for (from, to, says) in [
        ("public =", "publik =", &["keys.toml:2:1", "`publik`", "did you mean `public`?"][..]),
        ("key = \"db.key\"", "command = []", &["keys.toml:11:11", "an empty command"]),
        ("key = \"db.key\"", "command = [\"false\"]\nkey = \"db.key\"", &["keys.toml:10:1"]),
    ] {
        let desk = changed(from, to);
        run(&mut build_with(&desk, &desk.keys())).fails(2, says);
    }
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let desk = Desk::new();
    for (name, mode) in [("release.key", 0o640), ("db.key", 0o604), ("db.key", 0o660), ("release.key", 0o601)] {
        let path = desk.keys().join(name);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        run(&mut build_with(&desk, &desk.keys())).fails(1, &[name, &format!("mode {mode:04o}"), "chmod 600"]);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    desk.nothing_built();
}

#[test]
fn keys_that_do_not_belong_together_sign_nothing() {
    let (desk, other) = (Desk::new(), Desk::new());
    for (name, says) in [("db.crt", "is not the certificate of"), ("release.pub", "is not the public part of")] {
        let path = desk.keys().join(name);
        let own = fs::read(&path).unwrap();
        fs::copy(other.keys().join(name), &path).unwrap();
        run(&mut build_with(&desk, &desk.keys())).fails(1, &[name, says]);
        fs::write(&path, own).unwrap();
    }
    desk.nothing_built();
}

#[test]
fn an_expired_certificate_signs_nothing() {
    let desk = Desk::new();
    run(orlop().arg("keygen").arg(desk.path("old")).args(["--end", "2021-01-31"])).done();
    run(&mut build_with(&desk, &desk.path("old"))).fails(1, &["db.crt: expired at 2021-01-31T23:59:59Z"]);
    desk.nothing_built();
}

#[test]
fn a_signer_command_that_fails_hangs_or_lies_signs_no_policy() {
    for (command, says) in [
        ("exit 3", &["signer command `sh`", "exit status: 3"][..]),
        ("printf garbage", &["the signer's answer (7 bytes) is not a signature by `Orlop development db`"]),
        ("echo another | openssl dgst -sha256 -sign db.key", &["(256 bytes) is not a signature by"]),
        ("yes", &["more than 4096 bytes"]),
    ] {
        let desk = changed("key = \"db.key\"", &format!("command = [\"sh\", \"-c\", \"{command}\"]"));
        let out = desk.path("policy.p7b");
        run(orlop().arg("sign-policy").arg("--keys").arg(desk.keys()).arg("--out").arg(&out))
            .fails(1, &[&["signing the IPE policy"], says].concat());
        assert!(!out.exists());
    }
    let own = changed("key = \"db.key\"", "command = [\"openssl\", \"dgst\", \"-sha256\", \"-sign\", \"db.key\"]");
    let (policy, direct) = (own.path("policy.p7b"), own.path("direct.p7b"));
    run(orlop().arg("sign-policy").arg("--keys").arg(own.keys()).arg("--out").arg(&policy)).done();
    // By the key file itself, the same bytes.
    let text = fs::read_to_string(own.path("keys/keys.toml")).unwrap();
    let at = text.rfind("command").unwrap();
    fs::write(own.path("keys/keys.toml"), format!("{}key = \"db.key\"\n", &text[..at])).unwrap();
    run(orlop().arg("sign-policy").arg("--keys").arg(own.keys()).arg("--out").arg(&direct)).done();
    assert_eq!(fs::read(policy).unwrap(), fs::read(direct).unwrap());
}

#[test]
fn verify_wants_public_parts() {
    let desk = Desk::new();
    // The keys are read first: no image is needed to see that they are none.
    let image = desk.file("image.raw", "");
    let verify = |key: &Path, certificate: &Path| run(verify_by(&image, key, certificate).arg("--image-only"));
    verify(&desk.key(), &desk.certificate()).fails(1, &["release.key", "private key; give the public one"]);
    verify(&desk.path("missing.pub"), &desk.certificate()).fails(1, &["missing.pub", "No such file"]);
    for content in [vec![], vec![0xfe; 99]] {
        let file = desk.file("wrong.pub", content);
        verify(&file, &desk.certificate()).fails(1, &["wrong.pub"]);
        verify(&desk.public_key(), &file).fails(1, &["wrong.pub", "not an X.509 certificate"]);
    }
    verify(&desk.public_key(), &desk.path("keys/db.key")).fails(1, &["db.key", "private key; give the certificate"]);
    run(orlop().arg("verify").arg(&image).arg("--key").arg(desk.public_key())).fails(2, &["--cert"]);
}

#[test]
fn keys_are_never_overwritten() {
    let desk = Desk::new();
    let before = fs::read(desk.key()).unwrap();
    let again = || {
        let mut command = orlop();
        command.arg("keygen").arg(desk.keys()).arg("--development");
        command
    };
    run(&mut again()).fails(1, &["release.key", "never overwritten", "choose another folder"]);
    // Half a set is not completed either.
    fs::remove_file(desk.key()).unwrap();
    fs::remove_file(desk.public_key()).unwrap();
    let left = names(&desk.keys());
    run(&mut again()).fails(1, &["PK.key", "never overwritten"]);
    assert_eq!(names(&desk.keys()), left);
    assert!(!before.is_empty());
    // Where a file is in the way, nothing can be made.
    let file = desk.file("file", "");
    run(orlop().arg("keygen").arg(file.join("keys"))).fails(1, &["the folder cannot be made"]);
    let days = ["2049-02-30", "2019-01-01", "tomorrow"];
    for day in days {
        run(orlop().arg("keygen").arg(desk.path("more")).args(["--end", day]))
            .fails(2, &["not a day after 2020-01-01"]);
    }
    assert!(!desk.path("more").exists());
}
