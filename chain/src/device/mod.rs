//! Positional reads and writes, and writes as data.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

#[cfg(test)]
pub(crate) mod cuts;

/// Something that is read at positions, from several threads: a file, a block device, bytes.
pub trait ReadAt: Sync {
    /// Fills `buffer` from `offset`, or fails.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Bytes in all.
    fn size(&self) -> io::Result<u64>;

    /// `length` bytes from `offset`. The length must be bounded by the caller: it is allocated.
    fn bytes_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; length];
        self.read_exact_at(&mut buffer, offset)?;
        Ok(buffer)
    }
}

impl ReadAt for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }

    /// By seeking, because a block device's metadata says 0.
    fn size(&self) -> io::Result<u64> {
        let mut file = self;
        file.seek(SeekFrom::End(0))
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = self.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }
}

/// A part of something, such as one partition of a disk; reads past its end fail.
#[derive(Debug, Clone, Copy)]
pub struct Region<R> {
    inner: R,
    offset: u64,
    length: u64,
}

impl<R: ReadAt> Region<R> {
    /// `length` bytes of `inner` from `offset`.
    pub fn new(inner: R, offset: u64, length: u64) -> Self {
        Region { inner, offset, length }
    }
}

impl<R: ReadAt> ReadAt for Region<R> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        let start = self.offset.checked_add(offset);
        match (start, end) {
            (Some(start), Some(end)) if end <= self.length => self.inner.read_exact_at(buffer, start),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.length)
    }
}

/// One thing that is done to a device. Between two flushes the device may do the writes in any order, or lose any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Bytes at an offset.
    Write {
        /// Where.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Zeros at an offset.
    Zero {
        /// Where.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// What was written before is durable before what comes after.
    Flush,
}

impl Step {
    /// A write.
    pub fn write(offset: u64, bytes: impl Into<Vec<u8>>) -> Self {
        Step::Write { offset, bytes: bytes.into() }
    }
}

/// Something that steps are applied to.
pub trait Device {
    /// Writes all bytes at `offset`.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes all written bytes durable.
    fn flush(&self) -> io::Result<()>;

    /// Writes zeros; a block device has a faster way (`BLKZEROOUT`).
    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        const ZEROS: &[u8] = &[0; 64 << 10];
        let end = offset + length;
        let mut at = offset;
        while at < end {
            let count = (end - at).min(ZEROS.len() as u64) as usize;
            self.write_all_at(&ZEROS[..count], at)?;
            at += count as u64;
        }
        Ok(())
    }
}

impl Device for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Does the steps, one after the other.
pub fn apply(device: &impl Device, steps: &[Step]) -> io::Result<()> {
    for step in steps {
        match step {
            Step::Write { offset, bytes } => device.write_all_at(bytes, *offset)?,
            Step::Zero { offset, length } => device.zero(*offset, *length)?,
            Step::Flush => device.flush()?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_ends_where_it_ends() {
        let region = Region::new(vec![1, 2, 3, 4, 5], 1, 3);
        assert_eq!(region.bytes_at(0, 3).unwrap(), [2, 3, 4]);
        assert!(region.bytes_at(1, 3).is_err());
        assert!(region.bytes_at(u64::MAX, 1).is_err());
    }

    #[test]
    fn bytes_past_the_end_are_an_error() {
        assert!([0_u8; 4].as_slice().bytes_at(2, 3).is_err());
        assert!([0_u8; 4].as_slice().bytes_at(u64::MAX, 1).is_err());
    }
}
