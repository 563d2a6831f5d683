//! What Authenticode signs: everything but the checksum, the certificate table's directory entry and that table itself
//! (Microsoft, "Windows Authenticode Portable Executable Signature Format"; systemd, `pe_hash`).

use sha2::{Digest, Sha256};

use super::format::{CHECKSUM, SIZE_OF_HEADERS};
use super::{Image, PeError};

/// The SHA-256 digest of an image; the same before and after it is signed.
pub fn authenticode_digest(bytes: &[u8]) -> Result<[u8; 32], PeError> {
    let image = Image::parse(bytes)?;
    let checksum = image.optional + CHECKSUM;
    let headers = image.optional_u32(SIZE_OF_HEADERS) as usize;
    let mut hash = Sha256::new();
    hash.update(&bytes[..checksum]);
    let signed = match image.certificates() {
        Some((entry, offset, size)) => {
            hash.update(&bytes[checksum + 4..entry]);
            hash.update(&bytes[entry + 8..headers]);
            if size == 0 { bytes.len() } else { certificate_start(bytes.len(), offset, size)? }
        }
        None => {
            hash.update(&bytes[checksum + 4..headers]);
            bytes.len()
        }
    };
    let mut sections: Vec<_> = image.sections.iter().filter(|section| section.raw_size > 0).collect();
    sections.sort_by_key(|section| section.raw_offset);
    let mut end = headers;
    for section in sections {
        let range = section.raw_range();
        if range.start < end || range.end > signed {
            return Err(PeError::Format {
                what: "sections overlap headers, certificates or each other",
                offset: range.start,
            });
        }
        end = range.end;
        hash.update(&bytes[range]);
    }
    if signed < end {
        return Err(PeError::Format { what: "the certificate table lies within headers or sections", offset: signed });
    }
    hash.update(&bytes[end..signed]);
    hash.update(&[0; 8][..signed.next_multiple_of(8) - signed]);
    Ok(hash.finalize().into())
}

/// Certificates are the last thing in a signed file.
fn certificate_start(length: usize, offset: u32, size: u32) -> Result<usize, PeError> {
    let start = offset as usize;
    if start.checked_add(size as usize) == Some(length) {
        return Ok(start);
    }
    Err(PeError::Format { what: "the certificate table is not at the end", offset: start })
}
