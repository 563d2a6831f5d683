use std::fs;
use std::process::Command;

use super::*;
use crate::formats::pe::{self, tests::stub};
use crate::formats::pkcs7::Pkcs7Error;
use crate::keys::sample;

/// 2026-01-01.
const TIME: u64 = 1_767_225_600;

fn unsigned() -> Vec<u8> {
    let sections = [pe::NewSection::data(".osrel", b"ID=orlop\n".to_vec())];
    pe::add_sections(&stub(), &sections).unwrap()
}

fn signed() -> Vec<u8> {
    let (file, certificate) = (unsigned(), sample::certificate());
    let message = to_sign(&pe::authenticode_digest(&file).unwrap(), TIME, &certificate).unwrap();
    attach(&file, TIME, &certificate, &sample::rsa_signature(&message)).unwrap()
}

#[test]
fn a_signed_file_is_by_its_certificate_and_comes_off_again() {
    let (file, trusted) = (signed(), [sample::foreign_certificate(), sample::certificate()]);
    assert_eq!(signed_by(&file, &trusted), Ok(&trusted[1]));
    assert_eq!(pe::authenticode_digest(&file), pe::authenticode_digest(&unsigned()));
    assert_eq!(strip(&file).unwrap(), unsigned());
    assert_eq!(signed(), file);
    let stranger = signed_by(&file, &trusted[..1]);
    assert!(matches!(stranger, Err(AuthenticodeError::Pkcs7(Pkcs7Error::Stranger { .. }))), "{stranger:?}");
    assert_eq!(signed_by(&unsigned(), &trusted), Err(AuthenticodeError::Unsigned));
}

#[test]
fn a_signing_time_is_never_before_the_certificate() {
    let certificate = sample::certificate();
    let start = certificate.validity().0;
    let at = |time| to_sign(&[7; 32], time, &certificate).unwrap();
    assert_eq!(at(0), at(start));
    assert_ne!(at(start), at(start + 1));
}

#[test]
fn no_changed_byte_and_no_cut_passes() {
    let (file, trusted) = (signed(), [sample::certificate()]);
    let table = pe::certificates(&file).unwrap().unwrap().len();
    let headers = 0x400;
    // All of the headers but the checksum, which nobody trusts; then samples; then the whole signature but its padding.
    let places = (0..headers).chain((headers..file.len() - table).step_by(61)).chain(file.len() - table..file.len());
    let mut passed = Vec::new();
    for at in places {
        let mut bytes = file.clone();
        bytes[at] ^= 1;
        if signed_by(&bytes, &trusted).is_ok() {
            passed.push(at);
        }
    }
    let checksum = 0x84 + 20 + 64;
    let image_checksum = checksum..checksum + 4;
    // What a signature does not cover: the checksum, and what PKCS#7 says twice (its version, its list of digest
    // algorithms, the certificate that goes along, which is not the one that is trusted).
    let inside = |at: &usize| image_checksum.contains(at) || *at >= file.len() - table;
    assert!(passed.iter().all(inside), "{passed:?}");
    for end in (0..file.len()).step_by(97).chain([file.len() - 1]) {
        assert!(signed_by(&file[..end], &trusted).is_err(), "cut at {end}");
    }
}

#[test]
fn sbverify_takes_it_and_ours_takes_sbsigns() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("signed.efi"), signed()).unwrap();
    fs::write(path("unsigned.efi"), unsigned()).unwrap();
    fs::write(path("db.crt"), sample::certificate().to_pem()).unwrap();
    fs::write(path("db.key"), sample::rsa_pem()).unwrap();
    let verified = Command::new("sbverify").arg("--cert").arg(path("db.crt")).arg(path("signed.efi")).output();
    let verified = verified.expect("sbverify is the second witness: `make witnesses` installs it");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let mut sbsign = Command::new("sbsign");
    sbsign.arg("--key").arg(path("db.key")).arg("--cert").arg(path("db.crt")).arg(path("unsigned.efi"));
    let made = sbsign.arg("--output").arg(path("theirs.efi")).output().expect("sbsign");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let theirs = fs::read(path("theirs.efi")).unwrap();
    assert_eq!(signed_by(&theirs, &[sample::certificate()]), Ok(&sample::certificate()));
}
