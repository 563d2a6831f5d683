//! Where the pieces of a compressed file lie: the index behind its inode, in its full and in its compact form.
//!
//! A file is cut into clusters of one block each. The index has an entry for each cluster: either a piece begins in it (and
//! the entry says where in the cluster), or it belongs to a piece that began before it. The first of those may say how many
//! blocks the piece takes on disk; a piece of which nothing is said takes one.

use super::format::{u16_at, u32_at};

/// Bytes of the header before the index.
pub const HEADER: usize = 8;
/// A piece takes at most so much (`Z_EROFS_PCLUSTER_MAX_SIZE`).
const MOST_BYTES: u64 = 1 << 20;

/// Bits of `h_advise` that change how the index is read.
const COMPACT_2B: u16 = 0x01;
const BIG_1: u16 = 0x02;
const BIG_2: u16 = 0x04;
const INTERLACED: u16 = 0x10;
const KNOWN: u16 = COMPACT_2B | BIG_1 | BIG_2 | INTERLACED;
/// In `h_clusterbits`: the whole file lies in another one.
const IN_FRAGMENT: u8 = 0x80;
/// In an entry that belongs to an earlier piece: its number is that piece's blocks.
const IS_BLOCKS: u16 = 1 << 11;
/// log2 of the largest blocks that an entry of the compact form has room for.
const COMPACT_BITS: u8 = 12;
/// Entries of the full form.
const FULL: usize = 8;

/// The header, as far as it says how to read what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    advise: u16,
    algorithms: u8,
}

/// What an index is read with.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Bytes of the file.
    pub size: u64,
    /// log2 of the block size, which is the clusters' too.
    pub block_bits: u8,
    /// Whether the index has the compact form.
    pub compact: bool,
    /// Where the index begins in the image.
    pub index: u64,
}

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins in the image.
    pub offset: u64,
    /// Bytes that it takes there.
    pub bytes: u64,
    /// Bytes of the file in it.
    pub length: u64,
    /// How they are packed.
    pub packed: Packed,
}

/// How a piece is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packed {
    /// Not at all; the first byte stands here, and what is behind the end goes on at the beginning.
    Plain(u64),
    /// LZ4, with NUL before it.
    Lz4,
    /// Zstandard, with NUL before it.
    Zstd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// A piece begins: how it is packed (0 plain, 1 and 2 the header's algorithms), where in the cluster, at which block.
    Begins { packed: u8, within: u64, block: u64 },
    /// The piece before goes on; how many blocks it takes, where that is said.
    GoesOn { blocks: Option<u64> },
}

impl Header {
    /// Reads a header; the error says what of it this reader does not know.
    pub fn parse(bytes: &[u8; HEADER]) -> Result<Header, String> {
        let (advise, algorithms, clusters) = (u16::from_le_bytes([bytes[4], bytes[5]]), bytes[6], bytes[7]);
        if clusters & IN_FRAGMENT != 0 || advise & !KNOWN != 0 || clusters & 7 != 0 {
            return Err(format!(
                "compressed in a way that is not known here (advice {advise:#06x}, clusters {clusters:#04x})"
            ));
        }
        Ok(Header { advise, algorithms })
    }

    fn packed(self, kind: u8, begins: u64) -> Result<Packed, String> {
        let algorithm = match kind {
            0 => return Ok(Packed::Plain(if self.advise & INTERLACED != 0 { begins } else { 0 })),
            1 => self.algorithms & 15,
            _ => self.algorithms >> 4,
        };
        match algorithm {
            0 => Ok(Packed::Lz4),
            3 => Ok(Packed::Zstd),
            other => Err(format!("compressed by algorithm {other}; known are 0 (LZ4) and 3 (Zstandard)")),
        }
    }

    /// Whether pieces of this kind may take more than one block.
    fn big(self, kind: u8) -> bool {
        self.advise & if kind == 1 { BIG_1 } else { BIG_2 } != 0
    }
}

impl File {
    fn clusters(&self) -> u64 {
        self.size.div_ceil(1 << self.block_bits)
    }

    /// Entries of the compact form that take four bytes before those that take two, which are aligned; and those that take two.
    fn parts(&self, header: Header) -> (u64, u64) {
        let before = (((32 - self.index % 32) / 4) & 7).min(self.clusters());
        let short = if header.advise & COMPACT_2B != 0 { (self.clusters() - before) / 16 * 16 } else { 0 };
        (before, short)
    }

    /// Bytes of the index.
    pub fn index_bytes(&self, header: Header) -> u64 {
        let clusters = self.clusters();
        if !self.compact {
            // The full form leaves eight bytes free.
            return clusters.saturating_mul(FULL as u64).saturating_add(FULL as u64);
        }
        let (before, short) = self.parts(header);
        before.next_multiple_of(2) * 4 + short * 2 + (clusters - before - short).next_multiple_of(2).saturating_mul(4)
    }

    /// The pieces, in the file's order; together they are the whole file. `index` has [`File::index_bytes`] bytes.
    pub fn pieces(&self, header: Header, index: &[u8]) -> Result<Vec<Piece>, String> {
        if self.compact && self.block_bits > COMPACT_BITS {
            return Err(format!("a compact index over blocks of 2^{} bytes", self.block_bits));
        }
        let entries = if self.compact { self.compact(header, index) } else { full(index) };
        let entries =
            entries.filter(|entries| entries.len() as u64 >= self.clusters()).ok_or("an index that is cut")?;
        let block = 1u64 << self.block_bits;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut begun = 0;
        for (entry, at) in entries.iter().zip(0..self.clusters()) {
            let Entry::Begins { packed: kind, within, block: first } = *entry else { continue };
            let begins = (at << self.block_bits) + within;
            if within >= block || begins > self.size {
                return Err(format!("a piece that begins at {begins} of {} bytes", self.size));
            }
            // mkfs marks the end of a file that ends within a cluster by a piece that would begin there.
            if begins == self.size {
                break;
            }
            close(&mut pieces, begins - begun)?;
            let blocks = match entries.get(at as usize + 1) {
                Some(Entry::GoesOn { blocks: Some(blocks) }) if header.big(kind) => *blocks,
                _ => 1,
            };
            let bytes = blocks.max(1) << self.block_bits;
            if bytes > MOST_BYTES {
                return Err(format!("a piece of {blocks} blocks"));
            }
            let offset = first.checked_mul(block).ok_or("a piece behind every end")?;
            let packed = header.packed(kind, begins % block)?;
            pieces.push(Piece { offset, bytes, length: 0, packed });
            if pieces.len() == 1 && begins != 0 {
                return Err(format!("no piece before byte {begins}"));
            }
            begun = begins;
        }
        if pieces.is_empty() && self.size > 0 {
            return Err("no piece begins".into());
        }
        close(&mut pieces, self.size - begun)?;
        Ok(pieces)
    }

    fn compact(&self, header: Header, index: &[u8]) -> Option<Vec<Entry>> {
        let (before, short) = self.parts(header);
        let (before, short) = (usize::try_from(before).ok()?, usize::try_from(short).ok()?);
        let (first, rest) = index.split_at_checked(before.next_multiple_of(2) * 4)?;
        let (middle, last) = rest.split_at_checked(short * 2)?;
        let pack = Pack { big: header.advise & BIG_1 != 0 };
        let mut entries = Vec::new();
        for part in first.chunks_exact(8) {
            pack.read(part, 2, &mut entries)?;
        }
        entries.truncate(before);
        for part in middle.chunks_exact(32) {
            pack.read(part, 16, &mut entries)?;
        }
        for part in last.chunks_exact(8) {
            pack.read(part, 2, &mut entries)?;
        }
        Some(entries)
    }
}

/// The last piece ends where the next one begins.
fn close(pieces: &mut [Piece], length: u64) -> Result<(), String> {
    match pieces.last_mut() {
        Some(piece) if length == 0 => Err(format!("a piece of nothing at offset {}", piece.offset)),
        Some(piece) => {
            piece.length = length;
            Ok(())
        }
        None => Ok(()),
    }
}

fn full(index: &[u8]) -> Option<Vec<Entry>> {
    let entry = |bytes: &[u8]| {
        let kind = u16_at(bytes, 0)? & 3;
        if kind == 2 {
            let number = u16_at(bytes, 4)?;
            return Some(Entry::GoesOn { blocks: (number & IS_BLOCKS != 0).then_some(u64::from(number & !IS_BLOCKS)) });
        }
        let (within, block) = (u64::from(u16_at(bytes, 2)?), u64::from(u32_at(bytes, 4)?));
        Some(Entry::Begins { packed: packed(kind), within, block })
    };
    index.get(FULL..)?.chunks_exact(FULL).map(entry).collect()
}

/// Types 0, 1 and 3 of entries as 0, 1 and 2.
fn packed(kind: u16) -> u8 {
    match kind {
        0 => 0,
        1 => 1,
        _ => 2,
    }
}

/// How a pack of entries of the compact form is read: numbers and types of a few bits each, then one address.
#[derive(Debug, Clone, Copy)]
struct Pack {
    big: bool,
}

impl Pack {
    fn read(self, pack: &[u8], count: usize, entries: &mut Vec<Entry>) -> Option<()> {
        let each = (pack.len() - 4) * 8 / count;
        let numbers: Vec<(u16, u16)> = (0..count)
            .map(|at| {
                let value = u32_at(pack, at * each / 8)? >> (at * each % 8);
                Some(((value & ((1 << COMPACT_BITS) - 1)) as u16, ((value >> COMPACT_BITS) & 3) as u16))
            })
            .collect::<Option<_>>()?;
        let address = u64::from(u32_at(pack, pack.len() - 4)?);
        // What the pieces before this one in the pack take. Where pieces have one block, the address is one less.
        let mut blocks = u64::from(!self.big);
        for (at, (number, kind)) in numbers.iter().enumerate() {
            if *kind == 2 {
                let said = (number & IS_BLOCKS != 0).then_some(u64::from(number & !IS_BLOCKS));
                blocks += said.filter(|_| self.big).unwrap_or(0);
                entries.push(Entry::GoesOn { blocks: said });
                continue;
            }
            entries.push(Entry::Begins { packed: packed(*kind), within: u64::from(*number), block: address + blocks });
            let said_next = numbers.get(at + 1).is_some_and(|(number, kind)| *kind == 2 && number & IS_BLOCKS != 0);
            blocks += u64::from(!(self.big && said_next));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ZSTD: u8 = 3;

    fn header(advise: u16) -> Header {
        Header::parse(&[0, 0, 0, 0, advise as u8, 0, ZSTD, 0]).unwrap()
    }

    /// An entry of the full form.
    fn entry(kind: u16, within: u16, last: u32) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..2].copy_from_slice(&kind.to_le_bytes());
        bytes[2..4].copy_from_slice(&within.to_le_bytes());
        bytes[4..].copy_from_slice(&last.to_le_bytes());
        bytes
    }

    /// A pack of the compact form.
    fn pack(entries: &[(u16, u32)], address: u32) -> Vec<u8> {
        let bytes = if entries.len() == 2 { 8 } else { 32 };
        let each = (bytes - 4) * 8 / entries.len();
        let mut pack = vec![0; bytes];
        for (at, (kind, number)) in entries.iter().enumerate() {
            let value = (number | u32::from(*kind) << 12) << (at * each % 8);
            for (byte, part) in value.to_le_bytes().into_iter().enumerate() {
                if let Some(place) = pack.get_mut(at * each / 8 + byte) {
                    *place |= part;
                }
            }
        }
        pack[bytes - 4..].copy_from_slice(&address.to_le_bytes());
        pack
    }

    fn blocks(count: u32) -> u32 {
        count | u32::from(IS_BLOCKS)
    }

    fn piece(block: u64, blocks: u64, length: u64, packed: Packed) -> Piece {
        Piece { offset: block * 4096, bytes: blocks * 4096, length, packed }
    }

    #[test]
    fn the_full_form_says_where_each_piece_lies() {
        let file = File { size: 5 * 4096 + 10, block_bits: 12, compact: false, index: 0 };
        let index = [
            [0; 8],
            entry(1, 0, 7),
            entry(2, 4096, blocks(2)),
            entry(2, 4096, 2),
            entry(1, 100, 9),
            entry(0, 5, 10),
            entry(2, 0, 1),
        ];
        let header = header(BIG_1 | BIG_2);
        assert_eq!(file.index_bytes(header), index.concat().len() as u64);
        let pieces = file.pieces(header, &index.concat()).unwrap();
        let expected = [
            piece(7, 2, 3 * 4096 + 100, Packed::Zstd),
            piece(9, 1, 4096 - 95, Packed::Zstd),
            piece(10, 1, 4096 + 5, Packed::Plain(0)),
        ];
        assert_eq!(pieces, expected);
    }

    #[test]
    fn the_compact_form_says_the_same() {
        // Six entries of four bytes, then sixteen of two, then one.
        let file = File { size: 22 * 4096 + 1, block_bits: 12, compact: true, index: 8 };
        let header = header(COMPACT_2B | BIG_1 | BIG_2);
        let mut index = pack(&[(1, 0), (2, blocks(3))], 7);
        index.extend(pack(&[(1, 50), (1, 60)], 10));
        index.extend(pack(&[(2, blocks(2)), (0, 70)], 11));
        let mut middle = vec![(1, 80), (2, blocks(4))];
        middle.extend((0..13).map(|at| (2, at + 2)));
        middle.push((1, 90));
        index.extend(pack(&middle, 14));
        index.extend(pack(&[(2, blocks(5)), (0, 0)], 18));
        assert_eq!(file.index_bytes(header), index.len() as u64);
        let expected = [
            piece(7, 3, 2 * 4096 + 50, Packed::Zstd),
            piece(10, 1, 4096 + 10, Packed::Zstd),
            piece(11, 2, 2 * 4096 + 10, Packed::Zstd),
            piece(13, 1, 4096 + 10, Packed::Plain(0)),
            piece(14, 4, 15 * 4096 + 10, Packed::Zstd),
            piece(18, 5, 4096 - 89, Packed::Zstd),
        ];
        assert_eq!(file.pieces(header, &index).unwrap(), expected);
        // As `mkfs.erofs` 1.8 ends 5000 bytes that take one block.
        let file = File { size: 5000, block_bits: 12, compact: true, index: 0 };
        let pieces = file.pieces(header, &pack(&[(1, 0), (0, 904)], 3)).unwrap();
        assert_eq!(pieces, [piece(3, 1, 5000, Packed::Zstd)]);
        // Where every piece has one block, the address stands one before the first.
        let file = File { size: 2 * 4096, block_bits: 12, compact: true, index: 0 };
        let pieces = file.pieces(super::Header { advise: 0, algorithms: 0 }, &pack(&[(1, 0), (1, 9)], 6)).unwrap();
        assert_eq!(pieces, [piece(7, 1, 4096 + 9, Packed::Lz4), piece(8, 1, 4096 - 9, Packed::Lz4)]);
    }

    #[test]
    fn what_is_not_known_is_named() {
        let parse = |at: usize, value: u8| {
            let mut bytes = [0, 0, 0, 0, 0, 0, ZSTD, 0];
            bytes[at] = value;
            Header::parse(&bytes)
        };
        for (at, value) in [(4, 0x20), (4, 0x08), (7, 0x80), (7, 1)] {
            assert!(parse(at, value).unwrap_err().contains("not known here"), "{at}: {value}");
        }
        let file = File { size: 4096, block_bits: 12, compact: false, index: 0 };
        let pieces = |entry: [u8; 8], algorithm| {
            file.pieces(parse(6, algorithm).unwrap(), &[[0; 8], entry].concat()).unwrap_err()
        };
        assert!(pieces(entry(1, 0, 1), 1).contains("algorithm 1"));
        assert!(pieces(entry(1, 4096, 1), 0).contains("begins at 4096 of 4096"));
        assert!(pieces(entry(1, 1, 1), 0).contains("no piece before byte 1"));
        assert!(file.pieces(header(0), &[0; 8]).unwrap_err().contains("cut"));
    }

    proptest! {
        #[test]
        fn no_index_panics_and_pieces_are_the_whole_file(
            index in prop::collection::vec(any::<u8>(), 0..400), size in 1_u64..200_000, at in 0_u64..8, bits: [bool; 2]
        ) {
            let file = File { size, block_bits: 12, compact: bits[0], index: at * 8 };
            let header = header(if bits[1] { BIG_1 | BIG_2 | COMPACT_2B } else { 0 });
            if let Ok(pieces) = file.pieces(header, &index) {
                let whole: u64 = pieces.iter().map(|piece| piece.length).sum();
                prop_assert_eq!(whole, size);
            }
        }
    }
}
