//! `EFI_SIGNATURE_LIST` of X.509 certificates.

use sha2::{Digest, Sha256};

use crate::formats::x509::Certificate;

/// `EFI_CERT_X509_GUID`, as it lies in memory.
const X509: [u8; 16] = uuid::uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072").to_bytes_le();

/// Whose entries these are: a GUID derived from the platform key's certificate, so that a set has one.
pub fn owner(platform_key: &Certificate) -> uuid::Uuid {
    let digest = Sha256::new().chain_update(b"orlop-owner-v1\0").chain_update(&platform_key.der).finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(half).into_uuid()
}

/// A list for each certificate: all entries of one list have the same size.
pub fn signature_list(certificates: &[Certificate], owner: &uuid::Uuid) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Certificate { der, .. } in certificates {
        // A certificate has at most 64 KiB.
        let signature = der.len() as u32 + 16;
        bytes.extend_from_slice(&X509);
        for field in [28 + signature, 0, signature] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&owner.to_bytes_le());
        bytes.extend_from_slice(der);
    }
    bytes
}
