//! Everything that reads what others wrote, over real packets and files that were damaged: no panic, no call that takes
//! long, no memory that grows. The same damage at each run; the feature `slow` does more of it.

mod damage;
mod readers;

use std::time::{Duration, Instant};

use damage::Damage;
use readers::{Reader, readers};

/// Damaged inputs for each reader.
const ROUNDS: u32 = if cfg!(feature = "slow") { 400_000 } else { 10_000 };
/// For one input; of packets and files of this size a reader is done in microseconds.
const LONGEST: Duration = Duration::from_secs(5);
/// What the whole run may add to the most memory that this process has had, in KiB: the largest input is a volume of 2 MiB.
const MOST_MEMORY: u64 = 64 << 10;

#[test]
fn damaged_input_neither_panics_nor_takes_long_nor_fills_the_memory() {
    let readers = readers();
    let before = peak_memory();
    for Reader { name, seeds, rounds, read } in &readers {
        let mut damage = Damage::new(name);
        for seed in seeds {
            read(seed);
        }
        for round in 0..ROUNDS / rounds {
            let input = damage.of(seeds);
            let began = Instant::now();
            // A panic names neither, and the input is made of both.
            let ended = std::panic::catch_unwind(|| read(&input));
            assert!(ended.is_ok(), "{name}, round {round}: a panic");
            let took = began.elapsed();
            assert!(took < LONGEST, "{name}, round {round}: {took:?}");
        }
    }
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "{grown} KiB");
}

/// Seeds are what they are called: a reader that refuses them all would be damaged input's friend.
#[test]
fn what_is_whole_is_read() {
    for Reader { name, seeds, read, .. } in readers() {
        for (number, seed) in seeds.iter().enumerate() {
            assert!(read(seed), "{name}: seed {number} is refused");
        }
    }
}

/// `VmHWM`, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line of it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
