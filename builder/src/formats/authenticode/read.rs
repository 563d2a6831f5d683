//! By whom a file is signed.

use super::spc::{INDIRECT_DATA, IndirectData, digested};
use crate::formats::pe::{self, PeError};
use crate::formats::pkcs7::{Pkcs7Error, Signed};
use crate::formats::x509::Certificate;

/// Why a file is not signed by whom it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticodeError {
    /// No image.
    #[error(transparent)]
    Image(#[from] PeError),
    /// No certificate table.
    #[error("it is not signed")]
    Unsigned,
    /// A table of something else than one PKCS#7 signature.
    #[error("its certificate table is not one PKCS#7 signature ({0})")]
    Table(&'static str),
    /// The signature does not hold.
    #[error(transparent)]
    Pkcs7(#[from] Pkcs7Error),
    /// A signature over another file.
    #[error("it was changed after it was signed: its digest is {found}, the signature's {signed}")]
    Digest {
        /// The file's.
        found: String,
        /// The signature's.
        signed: String,
    },
}

/// Which of these certificates signed a file.
pub fn signed_by<'c>(file: &[u8], trusted: &'c [Certificate]) -> Result<&'c Certificate, AuthenticodeError> {
    digest_signed_by(file, trusted).map(|(_, certificate)| certificate)
}

/// The same with the file's digest, for who needs that too.
pub fn digest_signed_by<'c>(
    file: &[u8],
    trusted: &'c [Certificate],
) -> Result<([u8; 32], &'c Certificate), AuthenticodeError> {
    let found = pe::authenticode_digest(file)?;
    let table = pe::certificates(file)?.ok_or(AuthenticodeError::Unsigned)?;
    let signed = Signed::parse(pkcs7(table)?)?;
    let wrong = || Pkcs7Error::Format("content is not Authenticode's".into());
    let (kind, content) = signed.content().ok_or_else(wrong)?;
    let data: IndirectData = content.decode_as().map_err(|_| wrong())?;
    let digest = data.digest().filter(|_| kind == INDIRECT_DATA).ok_or_else(wrong)?;
    let certificate = signed.signed_by(digested(content), trusted)?;
    // Firmware finds the signer's key in the certificate that comes along.
    if !signed.certificates().contains(certificate) {
        return Err(Pkcs7Error::Format("the signer's certificate does not come along".into()).into());
    }
    if digest != found {
        return Err(AuthenticodeError::Digest { found: hex::encode(found), signed: hex::encode(digest) });
    }
    Ok((found, certificate))
}

/// The certificates that came along with a file's signature: whose they say they are, not whom to trust.
pub fn certificates(file: &[u8]) -> Result<Vec<Certificate>, AuthenticodeError> {
    let table = pe::certificates(file)?.ok_or(AuthenticodeError::Unsigned)?;
    Ok(Signed::parse(pkcs7(table)?)?.certificates())
}

/// The file as it was before it was signed.
pub fn strip(file: &[u8]) -> Result<Vec<u8>, PeError> {
    pe::remove_certificates(file)
}

/// The one signature of a certificate table (`WIN_CERTIFICATE`).
fn pkcs7(table: &[u8]) -> Result<&[u8], AuthenticodeError> {
    let short = AuthenticodeError::Table("it is cut short");
    let Some((head, rest)) = table.split_first_chunk::<8>() else { return Err(short) };
    if head[4..] != [0, 2, 2, 0] {
        return Err(AuthenticodeError::Table("another revision or kind"));
    }
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let inner = length.checked_sub(8).and_then(|length| rest.get(..length)).ok_or(short)?;
    let padding = &rest[inner.len()..];
    if padding.len() >= 8 || padding.iter().any(|byte| *byte != 0) {
        return Err(AuthenticodeError::Table("more than one"));
    }
    // Signers pad inside of the length too.
    let end = der_length(inner).filter(|end| inner[*end..].iter().all(|byte| *byte == 0));
    end.map(|end| &inner[..end]).ok_or(AuthenticodeError::Table("no DER"))
}

/// Bytes of the DER value that `bytes` begin with.
fn der_length(bytes: &[u8]) -> Option<usize> {
    let first = usize::from(*bytes.get(1)?);
    let (head, length) = match first {
        0..=0x7f => (2, first),
        0x81..=0x84 => {
            let count = first - 0x80;
            let length = bytes.get(2..2 + count)?.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
            (2 + count, length)
        }
        _ => return None,
    };
    head.checked_add(length).filter(|end| *end <= bytes.len())
}
