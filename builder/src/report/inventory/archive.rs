//! The programs in a container image's archive (OCI layout in a tar).

use std::io::Read;
use std::ops::Range;

use crate::formats::elf;

const BLOBS: &str = "blobs/sha256/";
/// Where a tar has its mark.
const USTAR: Range<usize> = 257..262;
const GZIP: &[u8] = &[0x1f, 0x8b];
/// A layer that unpacks to more is not looked into.
const MOST: u64 = 512 << 20;

/// A program in an archive.
pub struct Program {
    /// Its path in the container.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// All programs of all layers, in the archive's order. The error says what is wrong with the archive.
pub fn programs(archive: &[u8]) -> Result<Vec<Program>, String> {
    let (mut found, mut left) = (Vec::new(), MOST);
    for (name, blob) in files(archive)? {
        let blob = &archive[blob];
        if !name.starts_with(BLOBS) {
            continue;
        }
        if blob.get(USTAR) == Some(b"ustar") {
            layer(blob, &mut found)?;
        } else if blob.starts_with(GZIP) {
            let mut layers = Vec::new();
            let mut unpacked = flate2::read::GzDecoder::new(blob).take(left + 1);
            unpacked.read_to_end(&mut layers).map_err(|error| format!("{name}: {error}"))?;
            let Some(rest) = left.checked_sub(layers.len() as u64) else {
                return Err(format!("{name}: with it the layers unpack to more than {MOST} bytes"));
            };
            left = rest;
            layer(&layers, &mut found)?;
        }
    }
    Ok(found)
}

fn layer(layer: &[u8], found: &mut Vec<Program>) -> Result<(), String> {
    for (path, file) in files(layer)? {
        let bytes = &layer[file];
        if elf::is_elf(bytes) {
            found.push(Program { path, bytes: bytes.to_vec() });
        }
    }
    Ok(())
}

/// Path and place of every regular file.
fn files(archive: &[u8]) -> Result<Vec<(String, Range<usize>)>, String> {
    let wrong = |error: std::io::Error| error.to_string();
    let mut found = Vec::new();
    for entry in tar::Archive::new(archive).entries().map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let start = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(entry.size()).unwrap_or(usize::MAX));
        if start > end || end > archive.len() {
            return Err(format!("{path}: cut short"));
        }
        found.push((path, start..end));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::oci::{self, LayerFile};
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let file = |path: &str, bytes: &[u8]| LayerFile { path: path.into(), mode: 0o755, bytes: bytes.to_vec() };
        let files = [file("/etc/motd", b"hello\n"), file("/pause", b"\x7fELF and so on")];
        let entrypoint = ["/pause".to_owned()];
        let image =
            oci::Image { reference: "localhost/pause:1", files: &files, entrypoint: &entrypoint, user: "", epoch: 1 };
        oci::archive(&image).unwrap()
    }

    #[test]
    fn programs_of_a_layer_are_found() {
        let found = programs(&sample()).unwrap();
        let found: Vec<_> = found.iter().map(|program| (&*program.path, &*program.bytes)).collect();
        assert_eq!(found, [("pause", &b"\x7fELF and so on"[..])]);
    }

    #[test]
    fn what_is_no_archive_is_an_error() {
        let archive = sample();
        assert!(programs(&archive[..700]).is_err());
        assert!(programs(b"this is no archive, however long it is").is_err());
    }

    proptest! {
        #[test]
        fn no_change_panics(at in 0_usize..1 << 14, byte: u8, end in 0_usize..1 << 14) {
            let mut archive = sample();
            let (at, end) = (at % archive.len(), end % archive.len());
            archive[at] = byte;
            let _ = programs(&archive);
            let _ = programs(&archive[..end]);
        }
    }
}
