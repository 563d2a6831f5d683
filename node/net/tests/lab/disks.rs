//! Disks with files on them, for the tests of the providers and of the program.

use std::io::{Cursor, Seek as _, SeekFrom, Write as _};

/// A FAT volume with these files.
pub fn fat(label: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![0; 2 << 20]);
    let mut name = [b' '; 11];
    name[..label.len()].copy_from_slice(label.as_bytes());
    fatfs::format_volume(&mut bytes, fatfs::FormatVolumeOptions::new().volume_label(name)).expect("a volume");
    bytes.seek(SeekFrom::Start(0)).expect("a seek");
    let volume = fatfs::FileSystem::new(&mut bytes, fatfs::FsOptions::new()).expect("a volume");
    for (path, content) in files {
        let mut folder = volume.root_dir();
        let parts: Vec<&str> = path.split('/').collect();
        for part in &parts[..parts.len() - 1] {
            folder = folder.create_dir(part).expect("a folder");
        }
        folder.create_file(parts[parts.len() - 1]).expect("a file").write_all(content).expect("written");
    }
    drop(volume);
    bytes.into_inner()
}

/// A disk with one partition, an EFI system partition.
pub fn disk(volume: &[u8]) -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    disk[512..520].copy_from_slice(b"EFI PART");
    disk[512 + 72..512 + 80].copy_from_slice(&2u64.to_le_bytes());
    disk[512 + 80..512 + 84].copy_from_slice(&4u32.to_le_bytes());
    disk[512 + 84..512 + 88].copy_from_slice(&128u32.to_le_bytes());
    // c12a7328-f81f-11d2-ba4b-00a0c93ec93b
    disk[1152..1168].copy_from_slice(&[
        0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
    ]);
    disk[1184..1192].copy_from_slice(&2048u64.to_le_bytes());
    disk[1192..1200].copy_from_slice(&(2047 + volume.len() as u64 / 512).to_le_bytes());
    disk.extend_from_slice(volume);
    disk
}
