//! Second witnesses of the EFI system partition: `fsck.vfat`, and mtools as a reader.

use std::fs::File;
use std::path::Path;

use orlop::formats::fat::{Plan, Volume, write};

mod tools;
use tools::{says, tool};

fn written(path: &Path, mib: u64, files: &[(String, Vec<u8>)]) {
    let volume = Volume { bytes: mib << 20, id: 0x00c0_ffee, label: "ORLOP".to_owned(), epoch: 1_763_948_096 };
    let sizes: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.len() as u64)).collect();
    let plan = Plan::new(&volume, &sizes).unwrap();
    let file = File::create(path).unwrap();
    file.set_len(volume.bytes).unwrap();
    write(&plan, &file, 0, &mut |index| Ok(Box::new(files[index].1.as_slice()))).unwrap();
}

fn sample() -> Vec<(String, Vec<u8>)> {
    let long = |number| (format!("EFI/Linux/orlop_1.{number}+3.efi"), vec![number; 5000]);
    let mut files = vec![
        ("EFI/BOOT/BOOTX64.EFI".to_owned(), (0..12_500_000_u32).map(|index| (index >> 8) as u8).collect()),
        ("loader/loader.conf".to_owned(), b"timeout menu-disabled\n".to_vec()),
        ("empty".to_owned(), vec![]),
    ];
    files.extend((0..30).map(long));
    files
}

#[test]
fn fsck_finds_nothing_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esp");
    for mib in [34, 64, 128, 256, 512, 1024] {
        written(&path, mib, &sample());
        let verdict = says(tool("fsck.vfat").args(["-n", "-v"]).arg(&path));
        for complaint in ["differ", "rong", "ncorrect", "Orphan", "dirty", "Performing changes", "Bad"] {
            assert!(!verdict.contains(complaint), "{mib} MiB:\n{verdict}");
        }
    }
}

#[test]
fn mtools_reads_names_dates_and_contents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esp");
    written(&path, 256, &sample());
    let mtools = |program: &str, of: &str| {
        let mut command = tool(program);
        command.env("MTOOLS_SKIP_CHECK", "0").env("TZ", "UTC").arg("-i").arg(&path).arg(of);
        says(&mut command)
    };
    let listing = mtools("mdir", "::/EFI/Linux");
    assert!(listing.contains("Volume in drive : is ORLOP") && listing.contains("00C0-FFEE"), "{listing}");
    assert!(listing.contains("orlop_1.29+3.efi") && listing.contains("2025-11-24"), "{listing}");
    assert_eq!(mtools("mtype", "::/loader/loader.conf"), "timeout menu-disabled\n");
    let copy = folder.path().join("copy");
    let mut command = tool("mcopy");
    says(command.arg("-i").arg(&path).arg("::/EFI/BOOT/BOOTX64.EFI").arg(&copy));
    assert!(std::fs::read(copy).unwrap() == sample()[0].1);
}
