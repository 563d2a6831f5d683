//! The keys in a firmware with Secure Boot, as the owner of a real machine would put them there by its setup.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::variables::{self, BOOT_SERVICE, Guid, NON_VOLATILE, RUNTIME, TIME_BASED_AUTHENTICATED, Variable};
use crate::{Error, Result};

/// `8be4df61-93ca-11d2-aa0d-00e098032b8c`, the specification's own variables.
const GLOBAL: Guid = [0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c];
/// `d719b2cb-3d3a-4596-a3bc-dad00e67656f`, db and dbx.
const IMAGES: Guid = [0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f];
/// `f0a30bc7-af08-4556-99c4-001009c93a44`, edk2's switch.
const SWITCH: Guid = [0xc7, 0x0b, 0xa3, 0xf0, 0x08, 0xaf, 0x56, 0x45, 0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44];
/// `c076ec0c-7028-4399-a072-71ee5c448b9f`, edk2's mode in which keys change without signatures.
const CUSTOM: Guid = [0x0c, 0xec, 0x76, 0xc0, 0x28, 0x70, 0x99, 0x43, 0xa0, 0x72, 0x71, 0xee, 0x5c, 0x44, 0x8b, 0x9f];
/// `a5c059a1-94e4-4aa7-87b5-ab155c2bf072`, a list of X.509 certificates.
const X509: Guid = [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72];
/// Who put the keys there: nobody asks.
const OWNER: Guid = *b"orlop's machine.";

/// The keys of one machine: X.509 certificates, in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The platform key: the machine's owner.
    pub pk: Vec<u8>,
    /// Who may change db.
    pub kek: Vec<u8>,
    /// Who signs what may start.
    pub db: Vec<Vec<u8>>,
    /// Who may not, whatever db says.
    pub dbx: Vec<Vec<u8>>,
    /// Whether Secure Boot is on: a machine may have keys and not ask for them.
    pub enforcing: bool,
}

impl Enrolled {
    /// The keys in a folder that `orlop keygen` made: `PK.crt`, `KEK.crt`, `db.crt`. Secure Boot is on.
    pub fn of_folder(folder: impl AsRef<Path>) -> Result<Enrolled> {
        let read = |name: &str| certificate(&folder.as_ref().join(name));
        let (pk, kek, db) = (read("PK.crt")?, read("KEK.crt")?, vec![read("db.crt")?]);
        Ok(Enrolled { pk, kek, db, dbx: Vec::new(), enforcing: true })
    }

    /// Puts them into a file of OVMF's variables.
    pub(super) fn enroll(&self, file: &mut [u8]) -> Result<(), String> {
        let [db, dbx]: [Vec<u8>; 2] =
            [&self.db, &self.dbx].map(|certificates| certificates.iter().flat_map(|one| list(one)).collect());
        let (pk, kek, enable) = (list(&self.pk), list(&self.kek), [u8::from(self.enforcing)]);
        let keys = NON_VOLATILE | BOOT_SERVICE | RUNTIME | TIME_BASED_AUTHENTICATED;
        let own = NON_VOLATILE | BOOT_SERVICE;
        let variable = |name, vendor, attributes, data| Variable { name, vendor, attributes, data };
        let all = [
            variable("CustomMode", CUSTOM, own, &[0]),
            variable("KEK", GLOBAL, keys, &kek),
            variable("PK", GLOBAL, keys, &pk),
            variable("SecureBootEnable", SWITCH, own, &enable),
            variable("db", IMAGES, keys, &db),
            variable("dbx", IMAGES, keys, &dbx),
        ];
        // An empty variable is none.
        variables::append(file, if dbx.is_empty() { &all[..5] } else { &all })
    }
}

/// An `EFI_SIGNATURE_LIST` of one certificate: in one list all have the same length.
fn list(certificate: &[u8]) -> Vec<u8> {
    let one = (OWNER.len() + certificate.len()) as u32;
    let head = [28 + one, 0, one].map(u32::to_le_bytes);
    [&X509, head.as_flattened(), &OWNER, certificate].concat()
}

/// A certificate's DER; the file may be PEM.
pub fn certificate(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).map_err(Error::file("reading the certificate", path))?;
    if bytes.first() == Some(&0x30) {
        return Ok(bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    let body = text.split_once("-----BEGIN CERTIFICATE-----").and_then(|(_, rest)| rest.split_once("-----END"));
    let body: String = body.map_or("", |(body, _)| body).split_whitespace().collect();
    let der = STANDARD.decode(body).ok().filter(|der| der.first() == Some(&0x30));
    let wrong = || Error::Image { path: path.to_owned(), reason: "no certificate, in PEM or DER".into() };
    der.ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_one_certificate_is_what_the_specification_says() {
        let list = list(b"0certificate");
        assert_eq!(list.len(), 28 + 16 + 12);
        assert_eq!(list[..16], X509);
        assert_eq!(list[16..28], [56, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0]);
        assert!(list.ends_with(b"0certificate"));
    }

    #[test]
    fn a_folder_of_keys_is_read_in_pem_and_der_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        write("PK.crt", b"0der");
        write("KEK.crt", b"-----BEGIN CERTIFICATE-----\nMGRl\ncg==\n-----END CERTIFICATE-----\n");
        let error = Enrolled::of_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("db.crt") && error.contains("certificate"), "{error}");
        write("db.crt", b"-----BEGIN PRIVATE KEY-----\nMGRl\n-----END PRIVATE KEY-----\n");
        let error = Enrolled::of_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no certificate, in PEM or DER"), "{error}");
        write("db.crt", b"0db");
        let read = Enrolled::of_folder(folder.path()).unwrap();
        assert_eq!((read.pk, read.kek, read.db), (b"0der".to_vec(), b"0der".to_vec(), vec![b"0db".to_vec()]));
    }
}
