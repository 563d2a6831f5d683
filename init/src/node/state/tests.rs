//! The first boot's writes over a disk in memory, cut at every point: every prefix, and every subset of
//! what lies between two flushes, must be something that the next boot finishes. So must a wipe's.

use super::growth;
use orlop_chain::Guid;
use orlop_chain::device::Step;
use orlop_chain::gpt::{self, Entry, Gpt, types};
use orlop_chain::state_template::{
    BLANK_BYTES, Content, Identity, Layout, Template, encode_header, judge, plan as filesystem, superblock,
};

/// The chain's own, sector by sector.
#[path = "../../../../chain/src/device/cuts.rs"]
mod sectors;

const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;
/// The state partition begins here.
const STATE: u64 = 2 * MIB;
const DISK: usize = 6 * MIB as usize;
const IDENTITY: Identity = Identity { uuid: Guid::from_u128(0xaa), hash_seed: Guid::from_u128(0xbb) };

/// A disk on which an image of 4 MiB was written.
fn new_disk() -> Vec<u8> {
    let entry = |number: u32, type_guid, first: u64, last: u64| Entry {
        number,
        type_guid,
        guid: Guid::from_u128(u128::from(number)),
        first: first / SECTOR,
        last: last / SECTOR - 1,
        attributes: 0,
        name: String::new(),
    };
    let total_sectors = 4 * MIB / SECTOR;
    let (first_usable, last_usable) = gpt::usable(total_sectors, SECTOR).expect("room");
    let entries = vec![entry(1, types::ESP, MIB, STATE), entry(8, types::VAR, STATE, 3 * MIB)];
    let gpt = Gpt { disk_guid: Guid::from_u128(7), first_usable, last_usable, total_sectors, entries };
    let copies = gpt::encode(&gpt, SECTOR).expect("a table");
    let mut disk = vec![0; DISK];
    disk[..copies.primary.len()].copy_from_slice(&copies.primary);
    disk[copies.backup_offset as usize..][..copies.backup.len()].copy_from_slice(&copies.backup);
    disk
}

/// A template of 512 KiB with three extents.
fn template_file() -> Vec<u8> {
    let extents = [(0, 8192), (32768, 4096), (262_144, 4096)].map(Into::into).to_vec();
    let layout = Layout { size: 512 << 10, block: 4096, extents };
    let mut first = vec![0x11; 8192];
    first[..1024].fill(0);
    first[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
    first[1024 + 0x60..1024 + 0x64].copy_from_slice(&0x2000_u32.to_le_bytes());
    first[1024 + 0x64..1024 + 0x68].copy_from_slice(&0x400_u32.to_le_bytes());
    superblock::patch(&mut first, Guid::from_u128(1), Guid::from_u128(2));
    [encode_header(&layout).expect("a header"), first, vec![0x22; 4096], vec![0x33; 4096]].concat()
}

/// What a boot writes to this disk, as steps over the whole disk; `None` when nothing is to be made.
fn boot(disk: &[u8], template: &Template<'_>) -> Option<Vec<Step>> {
    let table = gpt::read(disk, SECTOR).expect("at every cut one copy of the table is good");
    let entry = table.gpt.of_type(types::VAR).next().expect("a state partition").clone();
    assert_eq!(entry.first * SECTOR, STATE, "the state partition never moves");
    let content = judge(&disk[STATE as usize..][..BLANK_BYTES], template);
    assert_ne!(content, Content::Unknown, "a cut of our own writing is never foreign");
    let first_boot = content != Content::Ext4;
    let mut next = 100;
    let mut guids = || {
        next += 1;
        Ok(Guid::from_u128(next))
    };
    let plan = growth::plan(&table, SECTOR, first_boot, &mut guids).expect("a plan");
    let mut steps = plan.steps;
    if first_boot {
        steps.extend(filesystem(template, IDENTITY).into_iter().map(on_disk));
    }
    (!steps.is_empty()).then_some(steps)
}

/// From the partition's offsets to the disk's.
fn on_disk(step: Step) -> Step {
    match step {
        Step::Write { offset, bytes } => Step::Write { offset: offset + STATE, bytes },
        Step::Zero { offset, length } => Step::Zero { offset: offset + STATE, length },
        Step::Flush => Step::Flush,
    }
}

fn apply(disk: &mut [u8], steps: &[Step]) {
    for step in steps {
        match step {
            Step::Write { offset, bytes } => disk[*offset as usize..][..bytes.len()].copy_from_slice(bytes),
            Step::Zero { offset, length } => disk[*offset as usize..][..*length as usize].fill(0),
            Step::Flush => {}
        }
    }
}

/// The disk after every way in which the steps may be cut: all up to a flush, then any subset of what
/// comes before the next one.
fn cuts(disk: &[u8], steps: &[Step]) -> Vec<Vec<u8>> {
    let mut disk = disk.to_vec();
    let mut found = Vec::new();
    for group in steps.split(|step| *step == Step::Flush) {
        assert!(group.len() < 12, "too many writes between two flushes to try every subset");
        for subset in 0..1_u32 << group.len() {
            let mut torn = disk.clone();
            let chosen = group.iter().enumerate().filter(|(bit, _)| subset & 1 << bit != 0);
            apply(&mut torn, &chosen.map(|(_, step)| step.clone()).collect::<Vec<_>>());
            found.push(torn);
        }
        apply(&mut disk, group);
    }
    found
}

/// The end of a boot that nobody cuts: both copies of the table good and as long as the disk, the
/// machine's own GUIDs, the template with its identity, and nothing left to do.
fn finish(mut disk: Vec<u8>, template: &Template<'_>) {
    if let Some(steps) = boot(&disk, template) {
        apply(&mut disk, &steps);
    }
    assert_eq!(boot(&disk, template), None, "a finished disk is left alone");
    let table = gpt::read(&disk, SECTOR).expect("a table");
    assert_eq!((table.primary, table.backup), (Ok(()), Ok(())));
    assert_eq!(table.gpt.total_sectors, DISK as u64 / SECTOR);
    assert_ne!(table.gpt.disk_guid, Guid::from_u128(7), "two machines' disks can be told apart");
    let mut want = template.range(0, template.layout.size as usize);
    superblock::patch(&mut want[..4096], IDENTITY.uuid, IDENTITY.hash_seed);
    assert!(disk[STATE as usize..][..want.len()] == want, "the filesystem is the template's");
}

#[test]
fn whatever_a_cut_leaves_the_next_boot_finishes() {
    let file = template_file();
    let template = Template::parse(&file).expect("a template");
    let mut disk = new_disk();
    // A reused disk: an old journal where the template has nothing.
    disk[STATE as usize + 300_000..][..50_000].fill(0x99);
    let steps = boot(&disk, &template).expect("a first boot writes");
    let cut = cuts(&disk, &steps);
    assert!(cut.len() > 20);
    cut.into_iter().for_each(|disk| finish(disk, &template));
}

#[test]
fn whatever_torn_sectors_a_cut_leaves_the_next_boot_finishes() {
    let file = template_file();
    let template = Template::parse(&file).expect("a template");
    let mut disk = new_disk();
    disk[STATE as usize + 300_000..][..5000].fill(0x99);
    let steps = boot(&disk, &template).expect("a first boot writes");
    let mut count = 0;
    sectors::for_each(&mut disk, &steps, &mut |torn| {
        count += 1;
        finish(torn.to_vec(), &template);
    });
    assert!(count > 300, "{count}");
    assert_eq!(boot(&disk, &template), None);
}

/// A damaged filesystem is wiped by the same steps. Cut anywhere, it is still damaged, or unfinished, or whole: never
/// foreign, which would be refused for ever, and never an ext4 that is neither the old one nor the new one.
#[test]
fn a_wipe_that_is_cut_goes_on_at_the_next_boot() {
    let file = template_file();
    let template = Template::parse(&file).expect("a template");
    let size = template.layout.size as usize;
    let mut state = vec![0x77; size];
    state[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
    let old = state[1024..1536].to_vec();
    let mut whole = template.range(0, size);
    superblock::patch(&mut whole[..4096], IDENTITY.uuid, IDENTITY.hash_seed);
    let mut found = [0; 3];
    sectors::for_each(&mut state, &filesystem(&template, IDENTITY), &mut |torn| match judge(torn, &template) {
        Content::Unknown => panic!("a cut of our own writing is never foreign"),
        Content::Blank | Content::Interrupted => found[0] += 1,
        Content::Ext4 if torn[1024..1536] == old => found[1] += 1,
        Content::Ext4 => {
            assert!(torn == whole, "an ext4 before everything was there");
            found[2] += 1;
        }
    });
    assert!(found.iter().all(|count| *count > 0), "{found:?}");
    assert!(state == whole);
}

#[test]
fn a_second_cut_does_no_more_harm_than_the_first() {
    let file = template_file();
    let template = Template::parse(&file).expect("a template");
    let disk = new_disk();
    let first = boot(&disk, &template).expect("a first boot writes");
    for torn in cuts(&disk, &first).into_iter().step_by(5) {
        if let Some(steps) = boot(&torn, &template) {
            cuts(&torn, &steps).into_iter().step_by(7).for_each(|disk| finish(disk, &template));
        }
    }
}

#[test]
fn foreign_content_is_never_written_over() {
    let file = template_file();
    let template = Template::parse(&file).expect("a template");
    let mut disk = new_disk();
    disk[STATE as usize + 3] = 1;
    assert_eq!(judge(&disk[STATE as usize..][..BLANK_BYTES], &template), Content::Unknown);
}

/// LUKS and XFS begin at the front; the rest of an old state, backup superblocks and all, may lie behind them.
#[test]
fn a_foreign_head_over_an_old_state_is_foreign() {
    let file = template_file();
    let template = Template::parse(&file).expect("a template");
    for head in [b"LUKS\xba\xbe\x00\x02".as_slice(), b"XFSB\x00\x00\x10\x00"] {
        let mut state = template.range(0, BLANK_BYTES);
        state[..4096].fill(0);
        state[..head.len()].copy_from_slice(head);
        assert_eq!(judge(&state, &template), Content::Unknown, "{head:?}");
    }
}

#[test]
fn one_bad_copy_is_repaired_and_said() {
    let file = template_file();
    let template = Template::parse(&file).expect("a template");
    let mut disk = new_disk();
    let steps = boot(&disk, &template).expect("a first boot");
    apply(&mut disk, &steps);
    disk[512..1024].fill(0);
    let table = gpt::read(&disk, SECTOR).expect("the backup");
    let plan = growth::plan(&table, SECTOR, false, &mut || unreachable!("no new GUIDs")).expect("a plan");
    assert!(plan.notes[0].contains("primary partition table is bad"), "{:?}", plan.notes);
    finish(disk, &template);
}

#[test]
fn a_disk_that_grew_later_keeps_its_guids() {
    let disk = new_disk();
    let table = gpt::read(&disk, SECTOR).expect("a table");
    let plan = growth::plan(&table, SECTOR, false, &mut || unreachable!("no new GUIDs")).expect("a plan");
    assert_eq!(plan.gpt.disk_guid, table.gpt.disk_guid);
    assert!(plan.gpt.entries[1].last > table.gpt.entries[1].last);
}
