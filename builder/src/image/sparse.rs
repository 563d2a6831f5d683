//! Sparse files: a disk image is mostly holes.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use sha2::{Digest, Sha256};

/// SHA-256 of `bytes` bytes of a sparse file. Its holes are hashed as the zeros that they are, without being read:
/// the kernel would fill page after page for them.
pub fn sha256(file: &File, offset: u64, bytes: u64) -> io::Result<String> {
    let end = offset + bytes;
    // Behind the end of a file lies a hole too, by what the kernel says.
    if file.metadata()?.len() < end {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut hash = Sha256::new();
    let zeros = vec![0; 1 << 20];
    let mut buffer = zeros.clone();
    let mut at = offset;
    while at < end {
        let data = seek(file, at, Whence::SeekData)?.unwrap_or(end).clamp(at, end);
        for length in chunks(data - at, zeros.len()) {
            hash.update(&zeros[..length]);
        }
        at = data;
        let hole = seek(file, at, Whence::SeekHole)?.unwrap_or(end).clamp(at, end);
        for length in chunks(hole - at, buffer.len()) {
            file.read_exact_at(&mut buffer[..length], at)?;
            hash.update(&buffer[..length]);
            at += length as u64;
        }
    }
    Ok(hex::encode(hash.finalize()))
}

/// Copies a range of a sparse file to the same place of another, which is empty there: its holes stay holes.
pub fn copy(from: &File, to: &File, range: Range<u64>) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut at = range.start;
    while let Some(data) = seek(from, at, Whence::SeekData)?.filter(|data| *data < range.end) {
        let hole = seek(from, data, Whence::SeekHole)?.unwrap_or(range.end).min(range.end);
        at = data;
        for length in chunks(hole - data, buffer.len()) {
            from.read_exact_at(&mut buffer[..length], at)?;
            to.write_all_at(&buffer[..length], at)?;
            at += length as u64;
        }
    }
    Ok(())
}

/// The lengths of the pieces of `bytes` bytes, none longer than `most`.
fn chunks(bytes: u64, most: usize) -> impl Iterator<Item = usize> {
    let whole = usize::try_from(bytes / most as u64).unwrap_or(usize::MAX);
    std::iter::repeat_n(most, whole).chain(std::iter::once((bytes % most as u64) as usize))
}

/// Where data or a hole begins at or after an offset; none behind the last data.
fn seek(file: &File, offset: u64, what: Whence) -> io::Result<Option<u64>> {
    match lseek(file, i64::try_from(offset).map_err(io::Error::other)?, what) {
        Ok(found) => Ok(u64::try_from(found).ok()),
        Err(Errno::ENXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_zeros() {
        let file = tempfile::tempfile().unwrap();
        file.set_len((5 << 20) + 77).unwrap();
        file.write_all_at(&[7; 9000], 4096).unwrap();
        file.write_all_at(&[8; 3], (3 << 20) + 1).unwrap();
        let mut bytes = vec![0; (5 << 20) + 77];
        file.read_exact_at(&mut bytes, 0).unwrap();
        for (from, to) in [(0, bytes.len()), (4097, 5000), (3 << 20, 4 << 20), (1 << 20, 2 << 20), (9, 9)] {
            let want = hex::encode(Sha256::digest(&bytes[from..to]));
            assert_eq!(sha256(&file, from as u64, (to - from) as u64).unwrap(), want, "{from}..{to}");
        }
    }

    #[test]
    fn a_copied_range_has_the_same_bytes_and_nothing_else() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        for file in [&from, &to] {
            file.set_len(8 << 20).unwrap();
        }
        from.write_all_at(&[7; 9000], 4096).unwrap();
        from.write_all_at(&[8; 3], (3 << 20) + 1).unwrap();
        copy(&from, &to, 5000..8 << 20).unwrap();
        assert_eq!(sha256(&to, 0, 5000).unwrap(), hex::encode(Sha256::digest([0; 5000])));
        let (from, to) = (sha256(&from, 5000, 7 << 20).unwrap(), sha256(&to, 5000, 7 << 20).unwrap());
        assert_eq!(from, to);
    }

    #[test]
    fn a_file_that_is_too_short_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[1; 100], 0).unwrap();
        let found = sha256(&file, 0, 100).unwrap();
        assert_eq!(found, hex::encode(Sha256::digest([1; 100])));
        assert!(sha256(&file, 0, 101).is_err());
    }
}
