//! The content of a file, plain or compressed, as a stream: no file is held in memory whole.

use std::io::{self, Read, Seek, Write};

use ruzstd::decoding::StreamingDecoder;

use super::format::Inode;
use super::lz4;
use super::pieces::{File, HEADER, Header, Packed, Piece};
use super::read::{ErofsError, Reader, invalid};

/// Bytes that are read at a time of a file that is not compressed.
const CHUNK: u64 = 1 << 16;
/// LZ4 makes at most 255 bytes of one; what `mkfs.erofs` puts into a piece is far less.
const MOST_LZ4: u64 = 64 << 20;

/// No file of an image is larger; a sparse one may claim any size, and costs its sender nothing.
const MOST: u64 = 4 << 30;

/// Copies the content of the file at an absolute path (no link is followed), unpacked; how many bytes that were.
///
/// An error of `to` is one of reading: what is read is not what cannot be written, so writers that fail are to say so.
pub fn copy(image: &mut (impl Read + Seek), path: &str, to: &mut impl Write) -> Result<u64, ErofsError> {
    let mut reader = Reader::open(image)?;
    let (at, inode) = reader.find(path)?;
    if inode.size > MOST {
        return Err(invalid(at, format!("`{path}`: {} bytes, more than {MOST}", inode.size)));
    }
    match inode.layout {
        0 | 2 => reader.plain(at, &inode, to)?,
        1 | 3 => reader.compressed(at, &inode, to)?,
        other => return Err(invalid(at, format!("`{path}`: layout {other}, want 0 to 3"))),
    }
    Ok(inode.size)
}

/// The beginning of such a file: at most `most` bytes, and no more of it is unpacked than they take.
pub fn head(image: &mut (impl Read + Seek), path: &str, most: usize) -> Result<Vec<u8>, ErofsError> {
    let mut head = Head { bytes: Vec::new(), most };
    match copy(image, path, &mut head) {
        // It could not be written, because there is enough of it.
        Err(_) if head.bytes.len() == most => Ok(head.bytes),
        copied => copied.map(|_| head.bytes),
    }
}

/// Takes so many bytes, and fails at the next one.
struct Head {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.most - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..count]);
        // None of some is `WriteZero` to whoever writes all.
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<R: Read + Seek> Reader<'_, R> {
    /// Plain blocks, and the rest of them or a tail behind the inode.
    fn plain(&mut self, at: u64, inode: &Inode, to: &mut impl Write) -> Result<(), ErofsError> {
        let block = 1u64 << self.superblock.block_bits;
        let tail = if inode.layout == 2 { inode.size % block } else { 0 };
        self.stream(inode.block << self.superblock.block_bits, inode.size - tail, to)?;
        self.stream(at.saturating_add(inode.tail), tail, to)
    }

    fn stream(&mut self, mut offset: u64, mut left: u64, to: &mut impl Write) -> Result<(), ErofsError> {
        let mut chunk = vec![0; left.min(CHUNK) as usize];
        while left > 0 {
            let part = &mut chunk[..left.min(CHUNK) as usize];
            self.read(offset, part)?;
            to.write_all(part).map_err(|reason| ErofsError::Read { offset, reason })?;
            (offset, left) = (offset.saturating_add(CHUNK), left.saturating_sub(CHUNK));
        }
        Ok(())
    }

    fn compressed(&mut self, at: u64, inode: &Inode, to: &mut impl Write) -> Result<(), ErofsError> {
        let start = at.saturating_add(inode.tail).checked_next_multiple_of(8).unwrap_or(u64::MAX);
        let mut header = [0; HEADER];
        self.read(start, &mut header)?;
        let wrong = |what: String| invalid(start, what);
        let header = Header::parse(&header).map_err(wrong)?;
        let index = start + HEADER as u64;
        let file = File { size: inode.size, block_bits: self.superblock.block_bits, compact: inode.layout == 3, index };
        let bytes = file.index_bytes(header);
        if bytes > self.bytes.saturating_sub(index) {
            return Err(wrong(format!("an index of {bytes} bytes, more than the image has from there")));
        }
        let mut entries = vec![0; bytes as usize];
        self.read(index, &mut entries)?;
        for piece in file.pieces(header, &entries).map_err(wrong)? {
            self.unpack(&piece, to)?;
        }
        Ok(())
    }

    fn unpack(&mut self, piece: &Piece, to: &mut impl Write) -> Result<(), ErofsError> {
        let failed = |reason| ErofsError::Read { offset: piece.offset, reason };
        let damaged = |what: String| invalid(piece.offset, format!("a compressed piece is damaged: {what}"));
        // The image's last piece may end before its last block does.
        let bytes = piece.bytes.min(self.bytes.saturating_sub(piece.offset));
        let mut packed = vec![0; bytes as usize];
        self.read(piece.offset, &mut packed)?;
        let start = packed.iter().position(|byte| *byte != 0).unwrap_or(packed.len());
        match piece.packed {
            Packed::Plain(first) => {
                let (first, length) = (first as usize, piece.length as usize);
                let short = || damaged(format!("{length} bytes in {bytes}"));
                let right = packed.get(first..).filter(|_| piece.length <= bytes).ok_or_else(short)?;
                let right = &right[..right.len().min(length)];
                to.write_all(right).and_then(|()| to.write_all(&packed[..length - right.len()])).map_err(failed)
            }
            Packed::Lz4 => {
                let length = usize::try_from(piece.length).ok().filter(|_| piece.length <= MOST_LZ4);
                let unpacked = length.and_then(|length| lz4::decode(&packed[start..], length));
                to.write_all(&unpacked.ok_or_else(|| damaged("no LZ4 of that length".into()))?).map_err(failed)
            }
            Packed::Zstd => {
                let frame = StreamingDecoder::new(&packed[start..]).map_err(|error| damaged(error.to_string()))?;
                let mut source = Source { from: frame.take(piece.length), error: None };
                let copied = io::copy(&mut source, to);
                match (source.error, copied) {
                    (Some(error), _) => Err(damaged(error)),
                    (None, Err(reason)) => Err(failed(reason)),
                    (None, Ok(count)) if count == piece.length => Ok(()),
                    (None, Ok(count)) => Err(damaged(format!("{count} bytes, want {}", piece.length))),
                }
            }
        }
    }
}

/// Tells a source that cannot be read from a sink that cannot be written.
struct Source<R> {
    from: R,
    error: Option<String>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.from.read(buffer).inspect_err(|error| self.error = Some(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::{Kind, list, read};
    use super::*;
    use proptest::prelude::*;

    const IMAGE: &[u8] = include_bytes!("testdata/small.erofs");

    fn content(image: &[u8], path: &str) -> Result<Vec<u8>, ErofsError> {
        let mut content = Vec::new();
        let bytes = copy(&mut Cursor::new(image), path, &mut content)?;
        assert_eq!(bytes, content.len() as u64);
        Ok(content)
    }

    fn files() -> Vec<String> {
        let files = list(&mut Cursor::new(IMAGE)).unwrap();
        files.into_iter().filter(|file| file.kind == Kind::File).map(|file| file.path).collect()
    }

    #[test]
    fn what_mkfs_compressed_is_read() {
        let compressed = content(IMAGE, "/etc/compressed").unwrap();
        assert_eq!(compressed.len(), 5000);
        let first = compressed[0];
        assert!(compressed.iter().all(|byte| *byte == first), "{compressed:?}");
        for path in ["/plain", "/empty", "/usr/share/orlop/components.json"] {
            assert_eq!(content(IMAGE, path).unwrap(), read(&mut Cursor::new(IMAGE), path).unwrap(), "{path}");
        }
    }

    #[test]
    fn the_beginning_is_that_of_the_whole() {
        for path in files() {
            let whole = content(IMAGE, &path).unwrap();
            for most in [0, 1, 4096, 4999, 5000, 5001] {
                let head = head(&mut Cursor::new(IMAGE), &path, most).unwrap();
                assert_eq!(head, whole[..most.min(whole.len())], "{path}, {most}");
            }
        }
        // What is damaged before that is seen.
        assert!(head(&mut Cursor::new(&IMAGE[..8000]), "/plain", 100).is_err());
    }

    #[test]
    fn a_sink_that_is_full_is_no_damage() {
        let error = copy(&mut Cursor::new(IMAGE), "/etc/compressed", &mut &mut [0_u8; 9][..]).unwrap_err().to_string();
        assert!(!error.contains("damaged"), "{error}");
    }

    #[test]
    fn every_cut_is_an_error_or_has_it_all() {
        let whole: Vec<_> = files().iter().map(|path| content(IMAGE, path).unwrap()).collect();
        for end in (0..IMAGE.len()).step_by(61) {
            for (path, whole) in files().iter().zip(&whole).filter(|(path, _)| !path.starts_with("/many/")) {
                if let Ok(content) = content(&IMAGE[..end], path) {
                    assert_eq!(content, *whole, "{path}, cut at {end}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
        #[test]
        fn no_change_panics_or_goes_on_for_ever(changes in prop::collection::vec((0..IMAGE.len(), any::<u8>()), 1..8)) {
            let mut image = IMAGE.to_vec();
            for (at, byte) in changes {
                image[at] = byte;
            }
            for path in ["/plain", "/empty", "/etc/compressed"] {
                // A plain file may claim any size, and is read until the image ends.
                let _ = copy(&mut Cursor::new(&image), path, &mut io::sink());
            }
        }
    }
}
