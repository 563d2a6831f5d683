use std::fs;
use std::process::{Command, Output};

use proptest::prelude::*;

use super::*;
use crate::formats::x509::Certificate;
use crate::keys::sample;

const TEXT: &[u8] = b"954172dfee9aaab2d90a0ab162ee6bc5a6a77ede951fad19f0f94df0d7266a93";

fn made(content: Content, with_certificate: bool) -> Vec<u8> {
    let form = Form { content, attributes: None, with_certificate };
    write(form, &sample::certificate(), &sample::rsa_signature(TEXT)).unwrap()
}

fn openssl(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().expect("openssl: `make witnesses` installs it")
}

#[test]
fn a_signature_is_by_its_certificate_and_no_other() {
    let trusted = [sample::foreign_certificate(), sample::certificate()];
    for content in [Content::Detached, Content::Data(TEXT.to_vec())] {
        let signed = Signed::parse(&made(content, false)).unwrap();
        assert_eq!(signed.signed_by(TEXT, &trusted), Ok(&trusted[1]));
        assert_eq!(signed.signed_by(b"other", &trusted), Err(Pkcs7Error::Signature));
        assert!(matches!(signed.signed_by(TEXT, &trusted[..1]), Err(Pkcs7Error::Stranger { .. })));
    }
    assert_eq!(Signed::parse(&made(Content::Data(TEXT.to_vec()), true)).unwrap().data().as_deref(), Some(TEXT));
}

#[test]
fn openssl_makes_the_same_bytes_and_verifies_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("text"), TEXT).unwrap();
    fs::write(path("db.crt"), sample::certificate().to_pem()).unwrap();
    fs::write(path("db.key"), sample::rsa_pem()).unwrap();
    for (form, extra) in
        [(Content::Detached, &["-binary"][..]), (Content::Data(TEXT.to_vec()), &["-nodetach", "-binary"])]
    {
        let ours = made(form, false);
        let (text, certificate, key, out) = (path("text"), path("db.crt"), path("db.key"), path("theirs"));
        let mut arguments = vec!["smime", "-sign", "-in", &text, "-signer", &certificate, "-inkey", &key];
        arguments.extend(["-noattr", "-nosmimecap", "-nocerts", "-outform", "der", "-out", &out]);
        arguments.extend(extra);
        let output = openssl(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read(&out).unwrap(), ours);
    }
}

#[test]
fn no_cut_and_no_changed_byte_passes() {
    let bytes = made(Content::Data(TEXT.to_vec()), true);
    let trusted = [sample::certificate()];
    let holds = |bytes: &[u8]| {
        let signed = Signed::parse(bytes).ok()?;
        let content = signed.data()?;
        signed.signed_by(&content, &trusted).ok()?;
        (content == TEXT).then_some(())
    };
    assert!(holds(&bytes).is_some());
    for end in 0..bytes.len() {
        assert!(holds(&bytes[..end]).is_none(), "cut at {end}");
    }
    let at = bytes.windows(TEXT.len()).position(|window| window == TEXT).unwrap();
    for changed in [at, at + 63, bytes.len() - 1, bytes.len() - 256] {
        let mut bytes = bytes.clone();
        bytes[changed] ^= 1;
        let signed = Signed::parse(&bytes).unwrap();
        assert!(signed.signed_by(&signed.data().unwrap(), &trusted).is_err(), "byte {changed}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_signed_data_or_an_error(bytes: Vec<u8>, at in 0usize..1500, byte: u8) {
        let _ = Signed::parse(&bytes);
        let _ = Certificate::parse(&bytes);
        let mut bytes = made(Content::Data(TEXT.to_vec()), true);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(signed) = Signed::parse(&bytes) {
            let _ = signed.signed_by(TEXT, &[sample::certificate()]);
        }
    }
}
