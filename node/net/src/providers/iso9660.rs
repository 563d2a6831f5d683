//! ISO 9660 (ECMA-119) with Joliet or Rock Ridge names, read only: a file of the root directory.

use super::{Fetched, read};
use crate::bytes::Reader;
use std::io::{self, Read, Seek, SeekFrom};

const SECTOR: u64 = 2048;
/// The volume descriptors begin here; more than these are not looked at.
const FIRST: u64 = 16;
const DESCRIPTORS: u64 = 16;
/// A root directory that is larger is not read.
const LARGEST_FOLDER: u32 = 256 << 10;
const PRIMARY: u8 = 1;
const SUPPLEMENTARY: u8 = 2;
const TERMINATOR: u8 = 255;

/// Where a file or folder lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    sector: u32,
    length: u32,
}

/// The file of a name on a volume of a label; `None`: this is no such volume, or has no such file.
pub fn file(mut volume: impl Read + Seek, label: &str, name: &str) -> Option<Fetched> {
    let mut found = false;
    let mut roots = Vec::new();
    for number in FIRST..FIRST + DESCRIPTORS {
        let descriptor = bytes(&mut volume, Extent { sector: number as u32, length: SECTOR as u32 }).ok()?;
        if descriptor[1..6] != *b"CD001" {
            break;
        }
        match descriptor[0] {
            PRIMARY => {
                found |= String::from_utf8_lossy(&descriptor[40..72]).trim_end().eq_ignore_ascii_case(label);
                roots.push((root(&descriptor)?, false));
            }
            // UCS-2, in one of three levels.
            SUPPLEMENTARY if [b"%/@", b"%/C", b"%/E"].iter().any(|escape| descriptor[88..91] == **escape) => {
                roots.push((root(&descriptor)?, true));
            }
            TERMINATOR => break,
            _ => {}
        }
    }
    if !found {
        return None;
    }
    for (root, joliet) in roots {
        if root.length > LARGEST_FOLDER {
            continue;
        }
        let folder = bytes(&mut volume, root).ok()?;
        if let Some(extent) = find(&folder, joliet, name) {
            let start = u64::from(extent.sector) * SECTOR;
            let content = volume.seek(SeekFrom::Start(start)).map(|_| volume.take(extent.length.into()));
            return Some(content.map_err(|error| error.to_string()).and_then(read));
        }
    }
    None
}

/// The folder's record of a descriptor.
fn root(descriptor: &[u8]) -> Option<Extent> {
    Some(record(descriptor.get(156..190)?)?.0)
}

fn bytes(volume: &mut (impl Read + Seek), extent: Extent) -> io::Result<Vec<u8>> {
    volume.seek(SeekFrom::Start(u64::from(extent.sector) * SECTOR))?;
    let mut bytes = vec![0; extent.length as usize];
    volume.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A record's extent, whether it is a folder, its name, and what stands behind the name.
fn record(bytes: &[u8]) -> Option<(Extent, bool, &[u8], &[u8])> {
    let little = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let extent = Extent { sector: little(2)?, length: little(10)? };
    let folder = bytes.get(25)? & 2 != 0;
    let end = 33 + usize::from(*bytes.get(32)?);
    let name = bytes.get(33..end)?;
    // A name of even length is followed by a byte of nothing.
    Some((extent, folder, name, bytes.get(end + usize::from(name.len() % 2 == 0)..).unwrap_or_default()))
}

/// The file of a name in a folder's bytes.
fn find(folder: &[u8], joliet: bool, wanted: &str) -> Option<Extent> {
    for sector in folder.chunks(SECTOR as usize) {
        let mut reader = Reader(sector);
        // A length of 0: the next record begins in the next sector.
        while let Some(length) = reader.0.first().filter(|length| **length > 0) {
            let Some((extent, is_folder, name, system)) = reader.take((*length).into()).and_then(record) else { break };
            let name = if joliet { ucs2(name) } else { rock_ridge(system).unwrap_or_else(|| plain(name)) };
            if !is_folder && name.eq_ignore_ascii_case(wanted) {
                return Some(extent);
            }
        }
    }
    None
}

fn plain(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).into_owned();
    let name = name.split(';').next().unwrap_or_default();
    name.strip_suffix('.').unwrap_or(name).to_owned()
}

fn ucs2(name: &[u8]) -> String {
    let (pairs, _) = name.as_chunks::<2>();
    let text: String = char::decode_utf16(pairs.iter().map(|pair| u16::from_be_bytes(*pair)))
        .map(|one| one.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    plain(text.as_bytes())
}

/// The name of the `NM` entries of Rock Ridge.
fn rock_ridge(system: &[u8]) -> Option<String> {
    let mut reader = Reader(system);
    let mut name: Option<String> = None;
    while let Some([a, b, length, _]) = reader.array() {
        let value = reader.take(usize::from(length).checked_sub(4)?)?;
        if [a, b] == *b"NM" {
            name.get_or_insert_default().push_str(&String::from_utf8_lossy(value.get(1..)?));
        }
    }
    name
}
