use super::*;
use crate::device::cuts;
use proptest::prelude::*;

const SECTOR: u64 = 512;
const MIB: u64 = ALIGNMENT / SECTOR;

/// Two partitions on a disk of `mib` MiB.
fn sample(mib: u64) -> Gpt {
    let entry = |number: u32, first: u64, last: u64| Entry {
        number,
        type_guid: if number == 1 { types::ESP } else { types::VAR },
        guid: Guid::from_u128(number.into()),
        first: first * MIB,
        last: last * MIB - 1,
        attributes: types::READ_ONLY,
        name: format!("part-{number}"),
    };
    let (first_usable, last_usable) = usable(mib * MIB, SECTOR).unwrap();
    let entries = vec![entry(1, 1, 2), entry(8, 2, mib - 1)];
    Gpt { disk_guid: Guid::from_u128(99), first_usable, last_usable, total_sectors: mib * MIB, entries }
}

/// A disk with the sample table on it.
fn disk(mib: u64) -> Vec<u8> {
    let mut disk = vec![0; (mib * ALIGNMENT) as usize];
    let copies = encode(&sample(mib), SECTOR).unwrap();
    disk[..copies.primary.len()].copy_from_slice(&copies.primary);
    disk[copies.backup_offset as usize..].copy_from_slice(&copies.backup);
    disk
}

fn change(mib: u64) -> Change {
    let partition_guids = vec![(1, Guid::from_u128(71)), (8, Guid::from_u128(78))];
    Change { total_sectors: mib * MIB, disk_guid: Guid::from_u128(79), partition_guids }
}

#[test]
fn round_trip_with_both_copies_good() {
    let table = read(&disk(4), SECTOR).unwrap();
    assert_eq!(table.gpt, sample(4));
    assert_eq!((table.primary.clone(), table.backup.clone()), (Ok(()), Ok(())));
    assert_eq!(table.damage(), None);
    assert!(repair(&table, SECTOR).unwrap().is_empty());
}

#[test]
fn a_table_for_sectors_of_4096_bytes() {
    let mut gpt = sample(4);
    gpt.entries.truncate(0);
    gpt.total_sectors = 1024;
    (gpt.first_usable, gpt.last_usable) = usable(1024, 4096).unwrap();
    let copies = encode(&gpt, 4096).unwrap();
    let mut disk = vec![0; 4 << 20];
    disk[..copies.primary.len()].copy_from_slice(&copies.primary);
    disk[copies.backup_offset as usize..].copy_from_slice(&copies.backup);
    assert_eq!(read(&disk, 4096).unwrap().gpt, gpt);
}

#[test]
fn one_bad_copy_is_used_around_reported_and_repaired_and_two_are_an_error() {
    let good = disk(4);
    let last = good.len() - 512;
    for (at, what) in [(512 + 24, "primary"), (1024 + 40, "primary"), (last + 56, "backup"), (last - 16384, "backup")] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let table = read(&bad, SECTOR).unwrap();
        assert_eq!(table.gpt, sample(4));
        assert!(table.damage().unwrap().starts_with(what), "{:?}", table.damage());
        cuts::for_each(&mut bad, &repair(&table, SECTOR).unwrap(), &mut |torn| assert!(read(torn, SECTOR).is_ok()));
        assert_eq!(bad, good, "byte {at}");
    }
    let mut both = good;
    both[600] ^= 1;
    both[last + 56] ^= 1;
    let error = read(&both, SECTOR).unwrap_err();
    assert!(matches!(error, GptError::BothBad { .. }), "{error}");
    assert!(error.to_string().contains("primary: "), "{error}");
}

/// A first boot on a disk of the same size, one a little bigger (old and new backup overlap), and a much bigger one.
#[test]
fn at_every_cut_of_a_first_boot_one_copy_is_good() {
    for bytes in [4 << 20, (4 << 20) + 8 * 512, 9 << 20] {
        let mut device = disk(4);
        device.resize(bytes, 0);
        let table = read(&device, SECTOR).unwrap();
        let change = Change { total_sectors: bytes as u64 / SECTOR, ..change(4) };
        let rewrite = rewrite(&table, SECTOR, &change).unwrap();
        let mut judged = 0;
        cuts::for_each(&mut device, &rewrite.steps, &mut |torn| {
            judged += 1;
            let found = read(torn, SECTOR).unwrap().gpt;
            assert!(found == sample(4) || found == rewrite.gpt, "neither the old table nor the new: {found:?}");
        });
        assert!(judged > 16, "only {judged} cuts");
        let table = read(&device, SECTOR).unwrap();
        assert_eq!((table.gpt, table.primary, table.backup), (rewrite.gpt, Ok(()), Ok(())));
    }
}

/// A boot after a cut finds one copy torn, and starts again from the other.
#[test]
fn a_second_boot_finishes_what_a_cut_left() {
    let mut device = disk(4);
    device.resize(9 << 20, 0);
    let table = read(&device, SECTOR).unwrap();
    let first = rewrite(&table, SECTOR, &change(9)).unwrap();
    let mut torn_states = Vec::new();
    cuts::for_each(&mut device, &first.steps, &mut |torn| torn_states.push(torn.to_vec()));
    for mut state in torn_states.into_iter().step_by(7) {
        let table = read(&state, SECTOR).unwrap();
        let again = rewrite(&table, SECTOR, &change(9)).unwrap();
        cuts::for_each(&mut state, &again.steps, &mut |torn| assert!(read(torn, SECTOR).is_ok()));
        assert_eq!(state, device);
    }
}

#[test]
fn the_last_partition_grows_to_whole_mebibytes_and_nothing_else_moves() {
    let mut device = disk(4);
    device.resize(9 << 20, 0);
    let table = read(&device, SECTOR).unwrap();
    let gpt = rewrite(&table, SECTOR, &change(9)).unwrap().gpt;
    assert_eq!(gpt.last_partition().unwrap().last, 8 * MIB - 1);
    assert_eq!((gpt.entries[0].first, gpt.entries[0].last), (MIB, 2 * MIB - 1));
    assert_eq!(gpt.entries[1].guid, Guid::from_u128(78));
}

#[test]
fn a_disk_that_is_too_small_or_a_partition_that_is_not_there_is_an_error() {
    let table = read(&disk(4), SECTOR).unwrap();
    let shrunk = rewrite(&table, SECTOR, &change(2)).unwrap_err();
    assert!(matches!(shrunk, GptError::Shrunk { have: 4096, .. }), "{shrunk}");
    let missing = Change { partition_guids: vec![(3, Guid::NIL)], ..change(4) };
    assert_eq!(rewrite(&table, SECTOR, &missing).unwrap_err(), GptError::NoPartition(3));
}

#[test]
fn tables_that_make_no_sense_are_not_encoded() {
    let cases: [fn(&mut Gpt); 7] = [
        |gpt| gpt.entries[1].first = gpt.entries[0].last,
        |gpt| gpt.entries[1].last = gpt.last_usable + 1,
        |gpt| gpt.entries[0].first = 1,
        |gpt| gpt.entries[0].name = "n".repeat(37),
        |gpt| gpt.entries[0].number = 0,
        |gpt| gpt.entries[1].number = 1,
        |gpt| gpt.last_usable = gpt.total_sectors - 2,
    ];
    for (index, damage) in cases.into_iter().enumerate() {
        let mut gpt = sample(4);
        damage(&mut gpt);
        assert!(encode(&gpt, SECTOR).is_err(), "case {index}");
    }
}

#[test]
fn every_cut_image_is_an_error_or_usable() {
    let disk = disk(4);
    for end in (0..40 * 512).step_by(64).chain([disk.len() - 512, disk.len() - 1]) {
        let _ = read(&disk[..end], SECTOR);
    }
    assert!(matches!(read(&disk[..1000], SECTOR), Err(GptError::TooSmall { bytes: 1000 })));
}

proptest! {
    #[test]
    fn any_bytes_are_a_table_or_an_error(header in prop::collection::vec(any::<u8>(), 1024)) {
        let mut disk = vec![0; 1 << 20];
        disk[512..1536].copy_from_slice(&header);
        disk[512..520].copy_from_slice(b"EFI PART");
        let _ = read(&disk, SECTOR);
    }

    /// Fields that say anything, under a checksum that is right.
    #[test]
    fn any_header_under_a_good_checksum_is_a_table_or_an_error(fields in prop::array::uniform5(any::<u64>()), near: bool) {
        let mask = if near { 4095 } else { u64::MAX };
        let [alternate_lba, first_usable, last_usable, entries_lba, my_lba] = fields.map(|field| field & mask);
        let header = copy::Header {
            my_lba: if near { 1 } else { my_lba },
            alternate_lba,
            first_usable,
            last_usable,
            disk_guid: Guid::NIL,
            entries_lba,
            entries_count: ENTRIES,
            entries_crc: crate::crc::crc32(&[0; 16384]),
        };
        let mut disk = vec![0; 1 << 20];
        disk[512..1024].copy_from_slice(&header.encode(512));
        let _ = read(&disk, SECTOR);
    }
}
