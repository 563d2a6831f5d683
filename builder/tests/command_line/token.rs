//! The db key in a token (SoftHSM, by PKCS#11): the signer command that the documentation shows.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Desk, orlop, run};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "1234";

/// A token of the desk's own that holds its db key.
fn token(desk: &Desk) {
    fs::create_dir(desk.path("tokens")).unwrap();
    let settings = format!("directories.tokendir = {}\nobjectstore.backend = file\n", desk.path("tokens").display());
    desk.file("softhsm2.conf", settings);
    let softhsm = |arguments: &[&str]| {
        let mut command = Command::new("softhsm2-util");
        command.env("SOFTHSM2_CONF", desk.path("softhsm2.conf")).args(arguments).args(["--pin", PIN]);
        let output = command.output().expect("softhsm2-util: `make witnesses` installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    softhsm(&["--init-token", "--free", "--label", "orlop", "--so-pin", PIN]);
    let key = desk.path("keys/db.key").display().to_string();
    softhsm(&["--import", &key, "--token", "orlop", "--label", "db", "--id", "01"]);
}

fn sign_policy(desk: &Desk, out: &Path) -> Command {
    let mut command = orlop();
    command.env("SOFTHSM2_CONF", desk.path("softhsm2.conf"));
    command.arg("sign-policy").arg("--keys").arg(desk.keys()).arg("--out").arg(out);
    command
}

#[test]
fn a_token_signs_like_the_key_file_and_a_wrong_key_in_it_is_found() {
    let desk = Desk::new();
    token(&desk);
    let (by_file, by_token) = (desk.path("file.p7b"), desk.path("token.p7b"));
    run(&mut sign_policy(&desk, &by_file)).done();
    let keys = desk.path("keys/keys.toml");
    let text = fs::read_to_string(&keys).unwrap();
    let command = |pin: &str| {
        let words = [
            "pkcs11-tool",
            "--module",
            MODULE,
            "--token-label",
            "orlop",
            "--id",
            "01",
            "--pin",
            pin,
            "--sign",
            "--mechanism",
            "SHA256-RSA-PKCS",
            "--input-file",
            "/dev/stdin",
            "--output-file",
            "/dev/stdout",
        ];
        format!("command = {words:?}")
    };
    fs::write(&keys, text.replace("key = \"db.key\"", &command(PIN))).unwrap();
    // The secret is in the token only.
    fs::remove_file(desk.path("keys/db.key")).unwrap();
    run(&mut sign_policy(&desk, &by_token)).done();
    assert_eq!(fs::read(&by_file).unwrap(), fs::read(&by_token).unwrap());
    // The certificate of another key.
    let other = Desk::new();
    let own = fs::read(desk.certificate()).unwrap();
    fs::copy(other.certificate(), desk.certificate()).unwrap();
    run(&mut sign_policy(&desk, &desk.path("none.p7b"))).fails(1, &["is not a signature by `Orlop development db`"]);
    fs::write(desk.certificate(), own).unwrap();
    fs::write(&keys, text.replace("key = \"db.key\"", &command("0000"))).unwrap();
    // The command's own words stand before ours; its arguments, the PIN among them, do not.
    let refused = run(&mut sign_policy(&desk, &desk.path("none.p7b")));
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""), "{}", refused.stderr);
    let last = refused.stderr.lines().last().unwrap();
    assert!(last.contains("signer command `pkcs11-tool`") && !last.contains("0000"), "{}", refused.stderr);
    assert!(!desk.path("none.p7b").exists());
}
