//! FAT32 volumes whose folders have no end: each walk over one has.

use super::*;
use proptest::prelude::*;
use std::io::Cursor;
use std::sync::LazyLock;

const DOCUMENT: &[u8] = b"version = 1\n";
const LABEL: [u8; 11] = *b"CIDATA     ";
/// Where FAT32's boot sector has the label.
const LABEL_AT: usize = 71;
const CLUSTER: usize = 512;
const ROOT: usize = 2;
const FOLDER: usize = 3;
/// A cluster of entries that are no more.
const DELETED: [u8; CLUSTER] = cluster(b"\xe5LD     TXT", 0x20);
/// Of files.
const FILES: [u8; CLUSTER] = cluster(b"A       TXT", 0x20);
/// Of long names, behind which no file comes.
const NAMES: [u8; CLUSTER] = cluster(b"\x41a\0b\0c\0d\0e\0", 0x0f);

/// 34 MiB: FAT32 has 65,525 clusters at least. 2 and 3 are the root's, and that of a folder `EFI` in it.
static VOLUME: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = Cursor::new(vec![0; 34 << 20]);
    let options = fatfs::FormatVolumeOptions::new().bytes_per_cluster(CLUSTER as u32).volume_label(LABEL);
    fatfs::format_volume(&mut bytes, options).expect("a volume");
    let volume = FileSystem::new(&mut bytes, FsOptions::new()).expect("a volume");
    assert_eq!(volume.fat_type(), fatfs::FatType::Fat32);
    volume.root_dir().create_dir("EFI").expect("a folder");
    volume.root_dir().create_file("user-data").expect("a file").write_all(DOCUMENT).expect("written");
    drop(volume);
    bytes.into_inner()
});

/// One entry again and again.
const fn cluster(name: &[u8; 11], attributes: u8) -> [u8; CLUSTER] {
    let mut bytes = [0; CLUSTER];
    let mut at = 0;
    while at < CLUSTER {
        let mut letter = 0;
        while letter < name.len() {
            bytes[at + letter] = name[letter];
            letter += 1;
        }
        bytes[at + name.len()] = attributes;
        at += 32;
    }
    bytes
}

/// Where the first table of clusters lies, and where a cluster does.
fn table() -> usize {
    usize::from(VOLUME[14]) * CLUSTER
}

fn place(number: usize) -> usize {
    let sectors = u32::from_le_bytes(VOLUME[36..40].try_into().expect("four bytes")) as usize;
    table() + (usize::from(VOLUME[16]) * sectors + number - 2) * CLUSTER
}

/// A cluster that follows itself, and what it holds.
fn circle(number: usize, content: &[u8; CLUSTER]) -> Vec<(usize, Vec<u8>)> {
    vec![(table() + 4 * number, (number as u32).to_le_bytes().into()), (place(number), content.to_vec())]
}

/// The volume with other bytes at some places. A walk over it that has no end fails, and does not hang.
struct Changed {
    at: u64,
    changes: Vec<(usize, Vec<u8>)>,
    read: usize,
}

impl Changed {
    fn new(changes: Vec<(usize, Vec<u8>)>) -> Self {
        Changed { at: 0, changes, read: 0 }
    }
}

impl Read for Changed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(self.at).unwrap_or(usize::MAX).min(VOLUME.len());
        let read = (&VOLUME[start..]).read(buffer)?;
        for (place, bytes) in &self.changes {
            let (from, to) = (start.max(*place), (start + read).min(place + bytes.len()));
            if from < to {
                buffer[from - start..to - start].copy_from_slice(&bytes[from - place..to - place]);
            }
        }
        self.at += read as u64;
        self.read += read;
        assert!(self.read <= MOST, "{} bytes were read", self.read);
        Ok(read)
    }
}

impl Seek for Changed {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => (VOLUME.len() as u64).checked_add_signed(by),
        }
        .ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[test]
fn a_volume_of_fat32_is_read() {
    assert_eq!(file(Changed::new(Vec::new()), Some("cidata"), &["user-data"]), Some(Ok(DOCUMENT.into())));
    assert_eq!(file(Changed::new(Vec::new()), Some("other"), &["user-data"]), None);
}

#[test]
fn a_folder_that_goes_round_in_a_circle_is_left() {
    let other = || vec![(LABEL_AT, b"OTHER      ".to_vec())];
    let (user_data, config): (&[&str], &[&str]) = (&["user-data"], &["EFI", "orlop", "config.toml"]);
    let more = "more than 262144 bytes of the volume would have to be read; put fewer files beside it";
    let error = || -> Option<Fetched> { Some(Err(more.to_owned())) };
    for (what, changes, label, path, found) in [
        // A volume that may be anybody's.
        ("on the way to the label", [other(), circle(ROOT, &DELETED)].concat(), Some("cidata"), user_data, None),
        ("a root of deleted entries", circle(ROOT, &DELETED), Some("cidata"), user_data, error()),
        ("a root of files", circle(ROOT, &FILES), Some("cidata"), user_data, error()),
        ("a root of long names", circle(ROOT, &NAMES), Some("cidata"), user_data, error()),
        ("a folder of deleted entries", circle(FOLDER, &DELETED), None, config, error()),
    ] {
        let mut volume = Changed::new(changes);
        assert_eq!(file(&mut volume, label, path), found, "{what}");
        assert_eq!(volume.read, MOST, "{what}: it went round until it was stopped");
    }
}

proptest! {
    /// Of the boot sector, the one behind it, the table and the root.
    #[test]
    fn no_fat32_is_a_panic_or_a_walk_without_end(
        changes in proptest::collection::vec((0usize..4, 0usize..CLUSTER, any::<u8>()), 1..8),
    ) {
        let starts = [0, CLUSTER, table(), place(ROOT)];
        let changes = changes.into_iter().map(|(part, at, with)| (starts[part] + at, vec![with])).collect();
        let _ = file(Changed::new(changes), Some("cidata"), &["user-data"]);
    }
}
