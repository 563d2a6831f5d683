//! Second witness of partition tables: `sgdisk`, for those that the builder writes and for those that a first boot writes.

use std::fs::File;
use std::path::Path;

use orlop::formats::gpt::{Partition, Plan, write};
use orlop_chain::Guid;
use orlop_chain::device::apply;
use orlop_chain::gpt::{Change, read, repair, rewrite, types};

mod tools;
use tools::{every_cut, says, tool};

const MIB: u64 = 2048;

fn plan() -> Plan {
    let guid = |text: &str| text.parse().unwrap();
    let partition = |name: &str, type_guid, unique: &str, (first, end): (u64, u64), attributes| Partition {
        type_guid,
        guid: guid(unique),
        first: first * MIB,
        last: end * MIB - 1,
        attributes,
        name: name.to_owned(),
    };
    Plan {
        disk_guid: guid("7b1c6a2e-0f4d-8c3a-9b2f-1a2b3c4d5e6f"),
        total_sectors: 40 * MIB,
        partitions: vec![
            partition("esp", types::ESP, "11111111-2222-8333-8444-555555555555", (1, 8), 0),
            partition("root-a", types::ROOT_X86_64, "954172df-ee9a-aab2-d90a-0ab162ee6bc5", (8, 16), types::READ_ONLY),
            partition(
                "root-a-verity",
                types::ROOT_VERITY_X86_64,
                "a6a77ede-951f-ad19-f0f9-4df0d7266a93",
                (16, 17),
                types::READ_ONLY | types::NO_AUTO,
            ),
            partition("state", types::VAR, "11111111-2222-8333-8444-666666666666", (33, 39), 0),
        ],
    }
}

fn image(path: &Path) -> File {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
    file.set_len(plan().total_sectors * 512).unwrap();
    write(&plan(), &file).unwrap();
    file
}

fn assert_clean(path: &Path) {
    let verdict = says(tool("sgdisk").arg("-v").arg(path));
    assert!(verdict.contains("No problems found"), "{verdict}");
    assert!(!verdict.contains("Warning"), "{verdict}");
}

#[test]
fn sgdisk_finds_no_problem_and_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    image(&path);
    assert_clean(&path);
    let root = says(tool("sgdisk").args(["-i", "2"]).arg(&path));
    assert!(root.contains("Partition unique GUID: 954172DF-EE9A-AAB2-D90A-0AB162EE6BC5"), "{root}");
    assert!(root.contains("Partition GUID code: 4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"), "{root}");
    assert!(root.contains("Attribute flags: 1000000000000000"), "{root}");
    assert!(root.contains("Partition name: 'root-a'"), "{root}");
    let all = says(tool("sgdisk").arg("-p").arg(&path));
    assert!(all.contains("Disk identifier (GUID): 7B1C6A2E-0F4D-8C3A-9B2F-1A2B3C4D5E6F"), "{all}");
}

#[test]
fn sgdisk_accepts_what_a_first_boot_makes_of_it_on_a_bigger_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let file = image(&path);
    for sectors in [40 * MIB + 8, 64 * MIB, 4 << 32] {
        file.set_len(sectors * 512).unwrap();
        let table = read(&file, 512).unwrap();
        let change = Change {
            total_sectors: sectors,
            disk_guid: Guid::from_random([7; 16]),
            partition_guids: vec![(1, Guid::from_random([8; 16])), (4, Guid::from_random([9; 16]))],
        };
        let rewrite = rewrite(&table, 512, &change).unwrap();
        apply(&file, &rewrite.steps).unwrap();
        assert_clean(&path);
        let state = says(tool("sgdisk").args(["-i", "4"]).arg(&path));
        assert!(state.contains("09090909-0909-4909-8909-090909090909"), "{state}");
    }
}

#[test]
fn sgdisk_accepts_a_repaired_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let file = image(&path);
    let last = (plan().total_sectors - 1) * 512;
    for at in [512, 1024 + 130, last, last - 16_384] {
        std::os::unix::fs::FileExt::write_all_at(&file, b"damaged!", at).unwrap();
        let table = read(&file, 512).unwrap();
        assert!(table.damage().is_some());
        apply(&file, &repair(&table, 512).unwrap()).unwrap();
        assert_clean(&path);
    }
}

#[test]
fn we_read_what_sgdisk_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(20 << 20).unwrap();
    let guid = "0f0e0d0c-0b0a-4908-8706-050403020100";
    says(
        tool("sgdisk")
            .args(["-n", "3:2048:4095", "-t", "3:ef00", "-u", &format!("3:{guid}"), "-c", "3:größe", "-A", "3:set:60"])
            .arg(&path),
    );
    let table = read(&file, 512).unwrap();
    assert_eq!(table.damage(), None);
    let [entry] = table.gpt.entries.as_slice() else { panic!("{:?}", table.gpt) };
    assert_eq!((entry.number, entry.first, entry.last, entry.attributes), (3, 2048, 4095, types::READ_ONLY));
    assert_eq!((entry.type_guid, entry.guid.to_string().as_str(), entry.name.as_str()), (types::ESP, guid, "größe"));
    // A beginning of the disk lacks the backup; read alone, the primary must be told to be damaged.
    let disk = std::fs::read(&path).unwrap();
    let whole = |bytes: &[u8]| match read(bytes, 512).map(|table| table.damage()) {
        Ok(None) => Ok(()),
        Ok(Some(damage)) => Err(damage.to_string()),
        Err(error) => Err(error.to_string()),
    };
    every_cut(&disk, whole, |_| false);
}
