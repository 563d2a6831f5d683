use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use orlop_chain::key::parse_public;
use orlop_chain::manifest::signed_message;

use super::*;
use crate::formats::efi_signature::{Variable, read_auth};
use crate::formats::x509::Certificate;

fn names(development: bool) -> Names {
    Names { name: "Test".into(), end: (2049, 12, 31), development, time: 1_767_225_600 }
}

fn made(folder: &Path) -> Generated {
    generate(folder, &names(true)).unwrap()
}

#[test]
fn a_generated_set_opens_signs_and_is_marked() {
    let folder = tempfile::tempdir().unwrap();
    let made = made(folder.path());
    assert!(made.secret.len() == 4 && made.public.len() == 10, "{made:?}");
    for path in &made.secret {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    let set = KeySet::open(folder.path()).unwrap();
    assert!(set.development());
    assert_eq!(set.db.certificate.subject(), "Test development db");
    assert_eq!(set.release.public, parse_public(&fs::read(folder.path().join("release.pub")).unwrap()).unwrap());
    set.release.sign(b"domain\0", b"document").unwrap();
    assert_eq!(set.db.sign(b"message").unwrap().len(), 256);
    let other = tempfile::tempdir().unwrap();
    generate(other.path(), &names(false)).unwrap();
    let other = KeySet::open(&other.path().join("keys.toml")).unwrap();
    assert!(!other.development());
    assert_eq!(other.db.certificate.subject(), "Test db");
}

#[test]
fn each_update_is_signed_by_the_key_above_it() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let certificate = |name: &str| Certificate::parse(&read(name)).unwrap();
    for (variable, by) in [(Variable::Pk, "PK.crt"), (Variable::Kek, "PK.crt"), (Variable::Db, "KEK.crt")] {
        let update = read(&format!("{}.auth", variable.name()));
        let list = read_auth(variable, &update, &certificate(by)).unwrap();
        assert_eq!(list, read(&format!("{}.esl", variable.name())));
    }
    let foreign = tempfile::tempdir().unwrap();
    made(foreign.path());
    let theirs = Certificate::parse(&fs::read(foreign.path().join("KEK.crt")).unwrap()).unwrap();
    let refused = read_auth(Variable::Db, &read("db.auth"), &theirs).unwrap_err().to_string();
    assert!(refused.contains("not for this owner's machines"), "{refused}");
}

#[test]
fn nothing_is_overwritten_and_no_half_set_is_left() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("db.auth"), "mine").unwrap();
    let error = generate(folder.path(), &names(false)).unwrap_err().to_string();
    assert!(error.contains("db.auth: exists already") && error.contains("never overwritten"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read(folder.path().join("db.auth")).unwrap(), b"mine");
}

#[test]
fn a_set_whose_parts_do_not_belong_together_is_refused_by_name() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    made(folder.path());
    made(other.path());
    for (name, want) in [("db.key", "is not the certificate of"), ("release.key", "is not the public part of")] {
        let path = folder.path().join(name);
        let own = fs::read(&path).unwrap();
        fs::write(&path, fs::read(other.path().join(name)).unwrap()).unwrap();
        let error = format!("{:#}", KeySet::open(folder.path()).err().unwrap());
        assert!(error.contains(want) && error.contains(name), "{error}");
        fs::write(&path, own).unwrap();
    }
    assert!(KeySet::open(folder.path()).is_ok());
}

#[test]
fn a_set_of_which_one_key_is_for_development_signs_nothing() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    made(folder.path());
    generate(other.path(), &names(false)).unwrap();
    for name in ["db.key", "db.crt"] {
        fs::copy(other.path().join(name), folder.path().join(name)).unwrap();
    }
    let error = format!("{:#}", KeySet::open(folder.path()).err().unwrap());
    assert!(error.contains("one key is for development and the other is not"), "{error}");
}

#[test]
fn what_is_no_key_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    made(folder.path());
    let refused = |name: &str, change: &dyn Fn(&Path), want: &str| {
        let before = (fs::read(path(name)).unwrap(), fs::metadata(path(name)).unwrap().permissions());
        change(&path(name));
        let error = format!("{:#}", KeySet::open(folder.path()).err().expect(want));
        assert!(error.contains(want) && error.contains(name), "{want}: {error}");
        let _ = fs::remove_dir(path(name));
        fs::write(path(name), before.0).unwrap();
        fs::set_permissions(path(name), before.1).unwrap();
    };
    let put = |text: &'static str| move |path: &Path| fs::write(path, text).unwrap();
    let mode = |mode: u32| move |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let copy = |from: &'static str| move |to: &Path| drop(fs::write(to, fs::read(path(from)).unwrap()));
    refused("release.key", &mode(0o640), "chmod 600");
    refused("db.key", &mode(0o604), "chmod 600");
    refused("release.key", &put(""), "no PEM header");
    refused("release.key", &copy("db.key"), "not an ed25519 secret key");
    refused("db.key", &copy("release.key"), "not an RSA-2048 secret key");
    refused("db.crt", &copy("db.key"), "this is a private key");
    refused("release.pub", &copy("db.crt"), "unexpected line 1 in the public key file");
    refused("release.key", &|path| drop((fs::remove_file(path), fs::create_dir(path))), "a folder; name the key file");
    let larger = |to: &Path| {
        let arguments = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out"];
        assert!(Command::new("openssl").args(arguments).arg(to).output().expect("openssl").status.success());
    };
    refused("db.key", &larger, "it has 3072 bits");
    fs::remove_file(path("db.key")).unwrap();
    let missing = format!("{:#}", KeySet::open(folder.path()).err().unwrap());
    assert!(missing.contains("db.key") && missing.contains("orlop keygen"), "{missing}");
    let nothing = format!("{:#}", KeySet::open(&path("nowhere")).err().unwrap());
    assert!(nothing.contains("no set of keys; `orlop keygen"), "{nothing}");
}

#[test]
fn an_expired_certificate_signs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), &Names { end: (2020, 6, 30), ..names(false) }).unwrap();
    let error = format!("{:#}", KeySet::open(folder.path()).err().unwrap());
    assert!(error.contains("db.crt: expired at 2020-06-30T23:59:59Z"), "{error}");
}

#[test]
fn an_answer_that_is_not_this_keys_signature_is_not_used() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    made(folder.path());
    made(other.path());
    let set = |release: &str, db: &str| {
        let text = format!(
            "[release]\npublic = \"release.pub\"\nsigner.command = [\"sh\", \"-c\", '''{release}''']\n[db]\ncertificate = \"db.crt\"\nsigner.command = [\"sh\", \"-c\", '''{db}''']\n"
        );
        fs::write(folder.path().join("keys.toml"), text).unwrap();
        KeySet::open(folder.path()).unwrap()
    };
    let ed25519 = "f=$(mktemp) && cat >$f && openssl pkeyutl -sign -rawin -inkey KEY -in $f && rm $f";
    let rsa = "openssl dgst -sha256 -sign KEY";
    let own = set(&ed25519.replace("KEY", "release.key"), &rsa.replace("KEY", "db.key"));
    assert_eq!(own.release.sign(b"d\0", b"x").unwrap().len(), 64);
    own.db.sign(b"x").unwrap();
    let theirs = other.path().display().to_string();
    let foreign = |name: &str| format!("{theirs}/{name}");
    for (release, db) in [
        (ed25519.replace("KEY", &foreign("release.key")), rsa.replace("KEY", &foreign("db.key"))),
        ("printf garbage".into(), "printf garbage".into()),
        // Another message than the one that was given.
        (
            "printf x >m; openssl pkeyutl -sign -rawin -inkey release.key -in m".into(),
            "printf y | openssl dgst -sha256 -sign db.key".into(),
        ),
        ("true".into(), "true".into()),
    ] {
        let set = set(&release, &db);
        let release = format!("{:#}", set.release.sign(b"d\0", b"x").unwrap_err());
        assert!(release.contains("the signer's answer is not used"), "{release}");
        let db = format!("{:#}", set.db.sign(b"x").unwrap_err());
        assert!(db.contains("is not a signature by `Test development db`"), "{db}");
    }
    fs::write(folder.path().join("keys.toml"), "[release]\npublic = \"release.pub\"\n[db]\ncertificate = \"db.crt\"\n")
        .unwrap();
    let nobody = format!("{:#}", KeySet::open(folder.path()).unwrap().db.sign(b"x").unwrap_err());
    assert!(nobody.contains("--unsigned"), "{nobody}");
}

#[test]
fn openssl_reads_the_keys_and_signs_alike() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let input = folder.path().join("message");
    fs::write(&input, signed_message(b"domain\0", b"document")).unwrap();
    let set = KeySet::open(folder.path()).unwrap();
    let sign = |arguments: &[&str], key: &str, flag: &str| {
        let mut command = Command::new("openssl");
        command.args(arguments).arg(folder.path().join(key));
        if !flag.is_empty() {
            command.arg(flag);
        }
        let output = command.arg(&input).output().expect("openssl is the second witness of key files");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let theirs = sign(&["pkeyutl", "-sign", "-rawin", "-inkey"], "release.key", "-in");
    assert_eq!(theirs, set.release.sign(b"domain\0", b"document").unwrap());
    let theirs = sign(&["dgst", "-sha256", "-sign"], "db.key", "");
    assert_eq!(theirs, set.db.sign(&fs::read(&input).unwrap()).unwrap());
}
