use std::fs::File;
use std::io::Read;

use proptest::prelude::*;

use super::*;

fn volume(mib: u64) -> Volume {
    Volume { bytes: mib << 20, id: 0x1234_abcd, label: "ORLOP".to_owned(), epoch: 1_763_948_096 }
}

fn written(volume: &Volume, files: &[(&str, Vec<u8>)]) -> File {
    let sizes: Vec<_> = files.iter().map(|(path, bytes)| (*path, bytes.len() as u64)).collect();
    let plan = Plan::new(volume, &sizes).unwrap();
    let file = tempfile::tempfile().unwrap();
    file.set_len(volume.bytes).unwrap();
    write(&plan, &file, 0, &mut |index| Ok(Box::new(files[index].1.as_slice()))).unwrap();
    file
}

/// Paths and contents, read by the `fatfs` crate.
fn read_back(file: File) -> Vec<(String, Vec<u8>)> {
    fn walk(folder: fatfs::Dir<'_, File>, path: &str, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in folder.iter().map(Result::unwrap) {
            let name = entry.file_name();
            match entry.is_dir() {
                true if name == "." || name == ".." => {}
                true => walk(entry.to_dir(), &format!("{path}{name}/"), found),
                false => {
                    let mut bytes = Vec::new();
                    entry.to_file().read_to_end(&mut bytes).unwrap();
                    found.push((format!("{path}{name}"), bytes));
                }
            }
        }
    }
    let fs = fatfs::FileSystem::new(file, fatfs::FsOptions::new()).unwrap();
    assert_eq!(
        (fs.fat_type(), fs.volume_id(), fs.volume_label().as_str()),
        (fatfs::FatType::Fat32, 0x1234_abcd, "ORLOP")
    );
    let mut found = Vec::new();
    walk(fs.root_dir(), "", &mut found);
    found
}

fn owned(files: &[(&str, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.clone())).collect();
    files.sort();
    files
}

#[test]
fn an_independent_reader_finds_every_file() {
    let files = [
        ("EFI/BOOT/BOOTX64.EFI", (0..3_000_000_u32).map(|index| index as u8).collect()),
        ("EFI/Linux/orlop_1.0+3.efi", vec![1; 4096]),
        ("EFI/Linux/orlop_1.1+3.efi", vec![2; 1]),
        ("empty", vec![]),
        ("größe und ein langer Name mit mehr als dreizehn Zeichen.txt", b"x".to_vec()),
    ];
    for mib in [33, 64, 256, 512] {
        let mut found = read_back(written(&volume(mib), &files));
        found.sort();
        assert_eq!(found, owned(&files), "{mib} MiB");
    }
}

#[test]
fn a_folder_of_many_clusters() {
    let names: Vec<_> = (0..400).map(|number| format!("many/file with number {number}.txt")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), name.clone().into_bytes())).collect();
    let mut found = read_back(written(&volume(64), &files));
    found.sort();
    assert_eq!(found, owned(&files));
}

#[test]
fn volumes_and_paths_that_cannot_be_are_named() {
    let plan = |volume: Volume, files: &[(&str, u64)]| Plan::new(&volume, files).unwrap_err().to_string();
    assert!(plan(volume(32), &[]).contains("33 MiB"));
    assert!(plan(Volume { bytes: (64 << 20) + 1, ..volume(64) }, &[]).contains("whole sectors"));
    assert!(plan(Volume { label: "small".to_owned(), ..volume(64) }, &[]).contains("label"));
    assert!(plan(volume(64), &[("a//b", 1)]).contains("`a//b`"));
    assert!(plan(volume(64), &[("a", 1), ("A", 1)]).contains("twice"));
    assert!(plan(volume(64), &[("a", 1), ("a/b", 1)]).contains("through a file"));
    assert!(plan(volume(64), &[("a", 1 << 32)]).contains("4 GiB"));
    assert!(plan(volume(64), &[("a", 65 << 20)]).contains("bytes too small"));
}

#[test]
fn content_of_another_length_is_an_error() {
    let plan = Plan::new(&volume(64), &[("a", 10)]).unwrap();
    let file = tempfile::tempfile().unwrap();
    for length in [9, 11] {
        assert!(write(&plan, &file, 0, &mut |_| Ok(Box::new(std::io::repeat(1).take(length)))).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_small_tree_is_read_back(paths in prop::collection::btree_set("[a-zA-Z0-9 +_.-]{0,20}[a-z0-9](/[a-zA-Z0-9.]{0,12}[a-z0-9]){0,3}", 0..12), size in 0_usize..9000) {
        let files: Vec<_> = paths.iter().map(|path| (path.as_str(), vec![path.len() as u8; size])).collect();
        let sizes: Vec<_> = files.iter().map(|(path, bytes)| (*path, bytes.len() as u64)).collect();
        if Plan::new(&volume(40), &sizes).is_ok() {
            let mut found = read_back(written(&volume(40), &files));
            found.sort();
            prop_assert_eq!(found, owned(&files));
        }
    }
}
