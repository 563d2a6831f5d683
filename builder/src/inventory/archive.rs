//! The programs in a container image's archive (OCI layout in a tar), and the layers that are not looked into.

use std::io::Read;
use std::ops::Range;

use crate::formats::elf;

/// Below it, in a folder for each algorithm, lie blobs by their digests (OCI's image-spec, `image-layout.md`).
const BLOBS: &str = "blobs/";
/// Where a tar has its mark.
const USTAR: Range<usize> = 257..262;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// A layer that unpacks to more is not looked into.
const MOST: u64 = 512 << 20;

/// A program in an archive.
pub struct Program {
    /// Its path in the container.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What an archive holds.
#[derive(Default)]
pub struct Content {
    /// All programs of all layers, in the archive's order.
    pub programs: Vec<Program>,
    /// What is a layer, or may be one, and is not looked into: why, after its name.
    pub unread: Vec<String>,
}

/// Reads an archive. The error says what is wrong with it.
pub fn read(archive: &[u8]) -> Result<Content, String> {
    let (mut content, mut left) = (Content::default(), MOST);
    for (name, blob) in files(archive)? {
        let blob = &archive[blob];
        let is_tar = blob.get(USTAR) == Some(b"ustar");
        if !name.starts_with(BLOBS) {
            let is_packed = [GZIP, ZSTD].iter().any(|magic| blob.starts_with(magic));
            if is_tar || is_packed || name.ends_with(".tar") {
                content.unread.push(format!("{name}: a layer in docker's older layout, which is not looked into"));
            }
        } else if is_tar {
            layer(blob, &mut content.programs)?;
        } else if blob.starts_with(GZIP) {
            let mut layers = Vec::new();
            // A layer that is loaded in parts (eStargz) has a member of its own for each file.
            let mut unpacked = flate2::read::MultiGzDecoder::new(blob).take(left + 1);
            unpacked.read_to_end(&mut layers).map_err(|error| format!("{name}: {error}"))?;
            let Some(rest) = left.checked_sub(layers.len() as u64) else {
                return Err(format!("{name}: with it the layers unpack to more than {MOST} bytes"));
            };
            left = rest;
            layer(&layers, &mut content.programs)?;
        } else if !is_document(blob) {
            let packed = if blob.starts_with(ZSTD) { "packed by Zstandard" } else { "of a kind that is not known" };
            content.unread.push(format!("{name}: a layer {packed}, which is not looked into"));
        }
    }
    Ok(content)
}

/// Manifests, indexes and configurations are JSON objects.
fn is_document(blob: &[u8]) -> bool {
    blob.iter().find(|byte| !byte.is_ascii_whitespace()).is_none_or(|byte| *byte == b'{')
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
    use std::io::Write;

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
        let content = read(&sample()).unwrap();
        assert_eq!(content.unread, Vec::<String>::new());
        let found: Vec<_> = content.programs.iter().map(|program| (&*program.path, &*program.bytes)).collect();
        assert_eq!(found, [("pause", &b"\x7fELF and so on"[..])]);
    }

    /// Who hashes by another algorithm puts layers into another folder.
    #[test]
    fn layers_are_found_by_every_algorithm() {
        let (usual, mut archive) = (sample(), tar::Builder::new(Vec::new()));
        for (name, blob) in files(&usual).unwrap() {
            let blob = &usual[blob];
            let mut header = tar::Header::new_ustar();
            header.set_size(blob.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name.replace("/sha256/", "/sha512/"), blob).unwrap();
        }
        let content = read(&archive.into_inner().unwrap()).unwrap();
        let found: Vec<_> = content.programs.iter().map(|program| &*program.path).collect();
        assert_eq!((found, content.unread), (vec!["pause"], Vec::new()));
    }

    #[test]
    fn what_is_no_archive_is_an_error() {
        let archive = sample();
        assert!(read(&archive[..700]).is_err());
        assert!(read(b"this is no archive, however long it is").is_err());
    }

    #[test]
    fn a_layer_of_several_compressed_members_is_read_to_its_end() {
        let mut layer = tar::Builder::new(Vec::new());
        let add = |builder: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o755);
            header.set_cksum();
            builder.append_data(&mut header, name, bytes).unwrap();
        };
        add(&mut layer, "motd", b"hello\n");
        add(&mut layer, "late", b"\x7fELF and so on");
        let layer = layer.into_inner().unwrap();
        // The first file's header and content; then the second's.
        let (first, second) = layer.split_at(1024);
        let member = |bytes: &[u8]| {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(bytes).unwrap();
            packed.finish().unwrap()
        };
        let mut archive = tar::Builder::new(Vec::new());
        add(&mut archive, "blobs/sha256/ab", &[member(first), member(second)].concat());
        let content = read(&archive.into_inner().unwrap()).unwrap();
        let found: Vec<_> = content.programs.iter().map(|program| &*program.path).collect();
        assert_eq!((found, content.unread), (vec!["late"], Vec::new()));
    }

    #[test]
    fn a_layer_that_is_not_looked_into_is_named() {
        let unread = |name: &str, bytes: &[u8]| {
            let mut tar = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append_data(&mut header, name, bytes).unwrap();
            read(&tar.into_inner().unwrap()).unwrap().unread
        };
        const PACKED: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0];
        for algorithm in ["sha256", "sha512"] {
            let name = format!("blobs/{algorithm}/ab");
            let says = format!("{name}: a layer packed by Zstandard, which is not looked into");
            assert_eq!(unread(&name, PACKED), [says]);
            assert!(unread(&name, b"xz")[0].contains("of a kind that is not known"));
        }
        assert!(unread("0123/layer.tar", &sample())[0].contains("docker's older layout"));
        assert!(unread("0123/layer", PACKED)[0].contains("docker's older layout"));
        let documents = ["blobs/sha256/ab", "blobs/sha512/ab"].map(|name| (name, " {}"));
        for (name, bytes) in documents.into_iter().chain([("index.json", "{}"), ("manifest.json", "[]")]) {
            assert_eq!(unread(name, bytes.as_bytes()), Vec::<String>::new(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_change_panics(at in 0_usize..1 << 14, byte: u8, end in 0_usize..1 << 14) {
            let mut archive = sample();
            let (at, end) = (at % archive.len(), end % archive.len());
            archive[at] = byte;
            let _ = read(&archive);
            let _ = read(&archive[..end]);
        }
    }
}
