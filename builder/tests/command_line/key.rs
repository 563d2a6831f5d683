//! Keys of the wrong kind, unreadable, or readable by too many. Every build starts with its key.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Desk, orlop, run, workspace};

fn build_with(desk: &Desk, key: &Path) -> Command {
    let mut command = orlop();
    command.arg("build").arg(workspace().join("images/standalone.toml")).arg("--key").arg(key);
    command.arg("--out").arg(desk.path("out")).env("ORLOP_CACHE", desk.path("cache"));
    command
}

fn verify_with(image: &Path, key: &Path) -> Command {
    let mut command = orlop();
    command.arg("verify").arg(image).arg("--image-only").arg("--key").arg(key);
    command
}

#[test]
fn what_is_no_secret_key_is_refused_with_the_next_step() {
    let desk = Desk::new();
    let empty = desk.file("empty.key", "");
    let text = desk.file("text.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let bytes = desk.file("bytes.key", [0xff; 40]);
    let public = desk.path("public.key");
    fs::copy(desk.public_key(), &public).unwrap();
    for path in [&empty, &text, &bytes, &public] {
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        run(&mut build_with(&desk, path)).fails(1, &[name, "not an ed25519 secret key", "`orlop keygen` makes one"]);
    }
    let missing = run(&mut build_with(&desk, &desk.path("missing.key")));
    missing.fails(1, &["missing.key", "No such file", "orlop keygen"]);
    assert_eq!(missing.stderr.matches("No such file").count(), 1, "{}", missing.stderr);
    let folder = run(&mut build_with(&desk, &desk.path("keys")));
    folder.fails(1, &["keys: a folder; name the key file in it", "release.key"]);
    assert!(!folder.stderr.contains("chmod"), "{}", folder.stderr);
    desk.nothing_built();
}

#[test]
fn an_rsa_key_is_of_the_wrong_kind() {
    let desk = Desk::new();
    let path = desk.path("rsa.key");
    let mut openssl = Command::new("openssl");
    openssl.args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]).arg(&path);
    // OpenSSL 3.0 does not know -quiet, and shows dots on standard error.
    let made = openssl.output().expect("openssl is a second witness: `make setup` installs it");
    if !made.status.success() {
        let mut openssl = Command::new("openssl");
        openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]).arg(&path);
        assert!(openssl.output().unwrap().status.success());
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    run(&mut build_with(&desk, &path)).fails(1, &["rsa.key", "not an ed25519 secret key"]);
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let desk = Desk::new();
    for mode in [0o640, 0o604, 0o660, 0o620, 0o601] {
        fs::set_permissions(desk.key(), Permissions::from_mode(mode)).unwrap();
        let shown = format!("mode {mode:04o}");
        run(&mut build_with(&desk, &desk.key())).fails(1, &["development-release.key", &shown, "chmod 600"]);
    }
    desk.nothing_built();
}

#[test]
fn verify_wants_a_public_key() {
    let desk = Desk::new();
    // The key is read first: no image is needed to see that it is none.
    let image = desk.file("image.raw", "");
    run(&mut verify_with(&image, &desk.key())).fails(1, &["development-release.key", "public"]);
    run(&mut verify_with(&image, &desk.path("missing.pub"))).fails(1, &["missing.pub", "No such file"]);
    let empty = desk.file("empty.pub", "");
    run(&mut verify_with(&image, &empty)).fails(1, &["empty.pub"]);
    let bytes = desk.file("bytes.pub", [0xfe; 99]);
    run(&mut verify_with(&image, &bytes)).fails(1, &["bytes.pub"]);
}

#[test]
fn keys_are_never_overwritten() {
    let desk = Desk::new();
    let before = fs::read(desk.key()).unwrap();
    let again = || {
        let mut command = orlop();
        command.arg("keygen").arg(desk.path("keys")).arg("--development");
        command
    };
    run(&mut again()).fails(1, &["development-release.key", "never overwritten", "choose another folder"]);
    // Half a pair is not completed either.
    fs::remove_file(desk.public_key()).unwrap();
    run(&mut again()).fails(1, &["never overwritten"]);
    assert!(!desk.public_key().exists());
    assert_eq!(fs::read(desk.key()).unwrap(), before);
    // Where a file is in the way, nothing can be made.
    let file = desk.file("file", "");
    run(orlop().arg("keygen").arg(file.join("keys"))).fails(1, &["the folder cannot be made"]);
}
