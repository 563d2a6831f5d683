//! For tests: every state in which a cut of power can leave a device.

use super::Step;

const SECTOR: usize = 512;
/// Up to this many changed sectors between two flushes, every subset of them is tried.
const EXHAUSTIVE: usize = 12;

/// Calls `judge` with the device's content after every prefix of `steps`, and with every subset of the sectors that the steps
/// between two flushes change (of more than 12: none, all, each alone, each missing, and 200 chosen by a fixed sequence).
/// Afterwards `device` has the content that the whole run leaves.
pub(crate) fn for_each(device: &mut [u8], steps: &[Step], judge: &mut dyn FnMut(&[u8])) {
    for group in steps.split(|step| *step == Step::Flush) {
        let mut changes: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut after = device.to_vec();
        for step in group {
            write(&mut after, step);
            judge(&after);
        }
        for (index, (new, old)) in after.chunks(SECTOR).zip(device.chunks(SECTOR)).enumerate() {
            if new != old {
                changes.push((index * SECTOR, new.to_vec()));
            }
        }
        for chosen in subsets(changes.len()) {
            let mut torn = device.to_vec();
            for ((at, bytes), _) in changes.iter().zip(&chosen).filter(|(_, chosen)| **chosen) {
                torn[*at..*at + bytes.len()].copy_from_slice(bytes);
            }
            judge(&torn);
        }
        device.copy_from_slice(&after);
    }
}

fn write(device: &mut [u8], step: &Step) {
    match step {
        Step::Write { offset, bytes } => device[*offset as usize..][..bytes.len()].copy_from_slice(bytes),
        Step::Zero { offset, length } => device[*offset as usize..][..*length as usize].fill(0),
        Step::Flush => {}
    }
}

fn subsets(count: usize) -> Vec<Vec<bool>> {
    if count <= EXHAUSTIVE {
        return (0..1_u32 << count).map(|mask| (0..count).map(|bit| mask >> bit & 1 == 1).collect()).collect();
    }
    let alone = (0..count).map(|one| (0..count).map(|index| index == one).collect());
    let missing = (0..count).map(|one| (0..count).map(|index| index != one).collect());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 32 & 1 == 1
    };
    let chosen = (0..200).map(|_| (0..count).map(|_| next()).collect::<Vec<bool>>());
    [vec![false; count], vec![true; count]].into_iter().chain(alone).chain(missing).chain(chosen).collect()
}
