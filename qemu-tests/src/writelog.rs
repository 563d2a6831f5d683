//! QEMU's record of every write and flush (`blklogwrites`, the format of Linux' `dm-log-writes`): what a
//! disk holds when the power fails after any prefix of it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::{Error, Result};

const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// One recorded request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where on the disk, in bytes.
    pub offset: u64,
    /// How much, in bytes.
    pub length: u64,
    /// Where its data lies in the log.
    data: u64,
    /// Everything acknowledged before this is on the medium.
    pub flush: bool,
    /// This write itself is on the medium when it is acknowledged.
    pub fua: bool,
    /// The content of the range is no longer wanted.
    pub discard: bool,
}

/// A whole record.
#[derive(Debug)]
pub struct WriteLog {
    file: File,
    /// The requests in the order of their completion.
    pub entries: Vec<Entry>,
}

impl WriteLog {
    /// Reads the record that QEMU left.
    pub fn open(path: &Path) -> Result<WriteLog> {
        let file = File::open(path).map_err(Error::file("opening the write log", path))?;
        let entries = parse(&file).map_err(Error::file("reading the write log", path))?;
        Ok(WriteLog { file, entries })
    }

    /// Applies one request to a disk.
    pub fn apply(&self, entry: &Entry, disk: &mut (impl Write + Seek)) -> io::Result<()> {
        if entry.discard || entry.length == 0 {
            return Ok(()); // what a discarded range reads as is up to the disk: here, as before
        }
        let mut log = &self.file;
        log.seek(SeekFrom::Start(entry.data))?;
        disk.seek(SeekFrom::Start(entry.offset))?;
        let copied = io::copy(&mut log.take(entry.length), disk)?;
        if copied != entry.length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the log ends within a request's data"));
        }
        Ok(())
    }
}

fn parse(file: impl Read + Seek) -> io::Result<Vec<Entry>> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut reader = BufReader::new(file);
    if reader.seek(SeekFrom::End(0))? == 0 {
        return Ok(Vec::new()); // QEMU writes the head at the first flush
    }
    reader.seek(SeekFrom::Start(0))?;
    let [magic, version, count] = words(&mut reader)?;
    let mut sector = [0; 4];
    reader.read_exact(&mut sector)?;
    let sector = u64::from(u32::from_le_bytes(sector));
    if magic != MAGIC || version != 1 || !(512..=65536).contains(&sector) {
        return Err(invalid(format!("no write log: magic {magic:#x}, version {version}, sector {sector}")));
    }
    let mut entries = Vec::new();
    let mut at = sector;
    for number in 0..count {
        reader.seek(SeekFrom::Start(at))?;
        let [start, sectors, flags, _data_length] = words(&mut reader)?;
        let overflow = || invalid(format!("entry {number} has impossible numbers: {start}+{sectors}"));
        let length = sectors.checked_mul(sector).ok_or_else(overflow)?;
        let offset = start.checked_mul(sector).ok_or_else(overflow)?;
        let data = at + sector;
        let has_data = flags & DISCARD == 0;
        at = data.checked_add(if has_data { length } else { 0 }).ok_or_else(overflow)?;
        let (flush, fua, discard) = (flags & FLUSH != 0, flags & FUA != 0, !has_data);
        entries.push(Entry { offset, length, data, flush, fua, discard });
    }
    Ok(entries)
}

fn words<const N: usize>(reader: &mut impl Read) -> io::Result<[u64; N]> {
    let mut words = [0; N];
    for word in &mut words {
        let mut bytes = [0; 8];
        reader.read_exact(&mut bytes)?;
        *word = u64::from_le_bytes(bytes);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn record(requests: &[(u64, u64, u64)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [MAGIC, 1, requests.len() as u64] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(512u32.to_le_bytes());
        bytes.resize(512, 0);
        for (number, (start, sectors, flags)) in requests.iter().enumerate() {
            let at = bytes.len();
            for word in [*start, *sectors, *flags, 0] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.resize(at + 512, 0);
            if flags & DISCARD == 0 {
                bytes.resize(bytes.len() + *sectors as usize * 512, number as u8 + 1);
            }
        }
        bytes
    }

    #[test]
    fn requests_are_read_and_applied_in_order() {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), record(&[(0, 2, 0), (0, 0, FLUSH), (9, 100, DISCARD), (1, 1, FUA)])).unwrap();
        let log = WriteLog::open(path.path()).unwrap();
        assert_eq!(
            log.entries.iter().map(|e| (e.offset, e.length)).collect::<Vec<_>>(),
            [(0, 1024), (0, 0), (9 * 512, 51200), (512, 512)]
        );
        assert!(log.entries[1].flush && log.entries[2].discard && log.entries[3].fua);
        let mut disk = Cursor::new(vec![0; 2048]);
        log.entries.iter().for_each(|entry| log.apply(entry, &mut disk).unwrap());
        let disk = disk.into_inner();
        assert_eq!((disk[0], disk[511], disk[512], disk[1023], disk[1024]), (1, 1, 4, 4, 0));
    }

    #[test]
    fn every_cut_is_an_error_or_a_record_and_never_a_panic() {
        let whole = record(&[(0, 2, 0), (7, 1, 0)]);
        (0..whole.len()).for_each(|length| drop(parse(Cursor::new(&whole[..length]))));
        assert!(parse(Cursor::new(&whole[..600])).is_err() || whole.len() < 600);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2048)) {
            let mut with_head = record(&[(0, 1, 0)])[..512].to_vec();
            with_head.extend(bytes);
            let _ = parse(Cursor::new(with_head));
        }
    }
}
