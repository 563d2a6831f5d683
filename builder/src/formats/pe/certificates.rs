//! The certificate table: the last thing in a signed file, which its own digest leaves out.

use super::format::{CHECKSUM, SIZE_OF_HEADERS, put};
use super::{Image, PeError};

/// The certificate table's bytes, where there is one.
pub fn certificates(bytes: &[u8]) -> Result<Option<&[u8]>, PeError> {
    let image = Image::parse(bytes)?;
    let Some((_, offset, size)) = image.certificates().filter(|(_, _, size)| *size > 0) else { return Ok(None) };
    let (start, end) = (offset as usize, offset as usize + size as usize);
    let headers = image.optional_u32(SIZE_OF_HEADERS) as usize;
    let table = bytes.get(start..end).filter(|_| end == bytes.len() && start >= headers);
    table.map(Some).ok_or(PeError::Format { what: "the certificate table is not at the end", offset: start })
}

/// The file with this certificate table behind it, both padded to 8 bytes, and its checksum.
pub fn add_certificates(bytes: &[u8], mut table: Vec<u8>) -> Result<Vec<u8>, PeError> {
    if certificates(bytes)?.is_some() {
        return Err(PeError::Format { what: "it is signed already", offset: 0 });
    }
    let image = Image::parse(bytes)?;
    let no_entry = PeError::Format { what: "no directory entry for a certificate table", offset: image.optional };
    let (entry, ..) = image.certificates().ok_or(no_entry)?;
    let checksum = image.optional + CHECKSUM;
    let mut out = bytes.to_vec();
    out.resize(bytes.len().next_multiple_of(8), 0);
    table.resize(table.len().next_multiple_of(8), 0);
    let number = |value: usize| u32::try_from(value).map(u32::to_le_bytes).map_err(|_| PeError::TooBig);
    let (offset, size) = (number(out.len())?, number(table.len())?);
    put(&mut out, entry, &offset);
    put(&mut out, entry + 4, &size);
    out.append(&mut table);
    let sum = sum(&out, checksum);
    put(&mut out, checksum, &sum.to_le_bytes());
    Ok(out)
}

/// The file without its certificate table, as [`super::add_sections`] left it: with a checksum of 0.
pub fn remove_certificates(bytes: &[u8]) -> Result<Vec<u8>, PeError> {
    let image = Image::parse(bytes)?;
    let table = certificates(bytes)?.map_or(0, <[u8]>::len);
    let (entry, checksum) = (image.certificates().map(|(entry, ..)| entry), image.optional + CHECKSUM);
    let mut out = bytes[..bytes.len() - table].to_vec();
    if let Some(entry) = entry {
        put(&mut out, entry, &[0; 8]);
    }
    put(&mut out, checksum, &[0; 4]);
    Ok(out)
}

/// The header's checksum: 16-bit words added with their carries, itself left out, and the length.
fn sum(bytes: &[u8], checksum: usize) -> u32 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) | u32::from(pair.get(1).copied().unwrap_or(0)) << 8);
    let kept = words.enumerate().filter(|(index, _)| !(checksum..checksum + 4).contains(&(index * 2)));
    let sum = kept.fold(0u32, |sum, (_, word)| {
        let sum = sum + word;
        (sum & 0xffff) + (sum >> 16)
    });
    sum.wrapping_add(bytes.len() as u32)
}
