use rsa::pkcs1v15::SigningKey;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer};
use x509_cert::der::DecodePem;

use super::*;
use crate::keys::sample;

#[test]
fn a_certificate_is_what_was_asked_for_and_the_same_each_time() {
    let subject = Subject { name: "Orlop, db = \"1\"".into(), end: (2049, 12, 31) };
    let key = SigningKey::<Sha256>::new(sample::rsa_key());
    let certificate = make(&subject, &key).unwrap();
    assert_eq!(make(&subject, &key).unwrap().der, certificate.der);
    assert_eq!(certificate.subject(), subject.name);
    assert_eq!(certificate.validity_text(), ("2020-01-01T00:00:00Z".into(), "2049-12-31T23:59:59Z".into()));
    assert!(certificate.belongs_to(&sample::rsa_key()));
    assert_eq!(Certificate::parse(certificate.to_pem().as_bytes()), Ok(certificate.clone()));
    let named = certificate.named();
    assert_eq!((named.sha256.len(), named.key_id.len()), (64, 40));
    let other = make(&Subject { name: "other".into(), end: (2049, 12, 31) }, &key).unwrap();
    assert_ne!(other.parsed.tbs_certificate().serial_number(), certificate.parsed.tbs_certificate().serial_number());
}

#[test]
fn a_signature_holds_for_its_message_and_key_only() {
    let key = SigningKey::<Sha256>::new(sample::rsa_key());
    let certificate = sample::certificate();
    let signature = key.sign(b"message").to_vec();
    assert_eq!(signature.len(), RSA_BITS / 8);
    assert!(certificate.verifies(b"message", &signature));
    assert!(!certificate.verifies(b"massage", &signature));
    assert!(!certificate.verifies(b"message", &signature[1..]));
    assert!(!sample::foreign_certificate().verifies(b"message", &signature));
}

#[test]
fn what_is_no_certificate_of_ours_is_named() {
    let pem = sample::certificate().to_pem();
    for end in 0..pem.trim_end().len() {
        assert!(Certificate::parse(&pem.as_bytes()[..end]).is_err(), "cut at {end}");
    }
    assert!(matches!(Certificate::parse(b"\x30\x03"), Err(CertificateError::Format(_))));
    assert_eq!(Certificate::parse(b"-----BEGIN PRIVATE KEY-----\n"), Err(CertificateError::Private));
    for (arguments, want) in [
        (vec!["-newkey", "rsa:3072"], CertificateError::Size(3072)),
        (vec!["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], CertificateError::NotRsa),
    ] {
        let made = std::process::Command::new("openssl")
            .args(["req", "-new", "-x509", "-nodes", "-subj", "/CN=x", "-keyout", "/dev/null"])
            .args(arguments)
            .output()
            .expect("openssl: `make witnesses` installs it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        assert_eq!(Certificate::parse(&made.stdout), Err(want));
    }
}

#[test]
fn openssl_reads_the_certificate_as_self_signed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.crt");
    std::fs::write(&path, sample::certificate().to_pem()).unwrap();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new("openssl").args(arguments).arg(&path).output().expect("openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = run(&["x509", "-noout", "-text", "-in"]);
    for part in ["CA:FALSE", "Digital Signature", "sha256WithRSAEncryption", "Subject Key Identifier"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(run(&["verify", "-partial_chain", "-trusted", path.to_str().unwrap()]).contains("OK"));
    assert!(x509_cert::Certificate::from_pem(sample::certificate().to_pem()).is_ok());
}
