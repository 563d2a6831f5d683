//! Machines take turns: each keeps its processors busy, and a machine that has to wait for them misses its deadlines.
//!
//! A turn is a locked file, so that several test processes share the same turns, and one that is killed
//! gives its turn back.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use crate::{Error, Result};

/// Between two looks at the turns.
const PAUSE: Duration = Duration::from_millis(100);

/// The right to run a machine; given back when dropped.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

/// Waits for a turn. There are as many as half the cores, and two at least.
pub fn take() -> Result<Turn> {
    take_of(&std::env::temp_dir(), turns(cores()))
}

/// How many processors a machine has that takes turns with others: the host's, shared out.
///
/// One that waits for a core may hold a lock of the guest's kernel, on which the other one spins meanwhile. On two cores
/// kubelet was healthy after 26 s in each of two machines with two processors, and after 22 s with one.
#[must_use]
pub fn processors() -> u32 {
    let cores = cores();
    u32::try_from(cores / turns(cores)).unwrap_or(2).clamp(1, 2)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

fn turns(cores: usize) -> usize {
    (cores / 2).max(2)
}

fn take_of(folder: &Path, turns: usize) -> Result<Turn> {
    let files: Vec<File> = (0..turns).map(|number| open(folder, &number.to_string())).collect::<Result<_>>()?;
    // Who waits stands in a queue. Its head takes whichever turn is given back first: one may be held for as long as its
    // process lives, and the kernel has no wait for one of several locks.
    let queue = open(folder, "queue")?;
    queue.lock().map_err(Error::file("locking the queue for a turn in", folder))?;
    loop {
        if let Some(free) = files.iter().position(|file| file.try_lock().is_ok()) {
            let file = files.into_iter().nth(free).expect("the number is below the length");
            return Ok(Turn { _lock: file });
        }
        std::thread::sleep(PAUSE);
    }
}

fn open(folder: &Path, which: &str) -> Result<File> {
    let path = folder.join(format!("orlop-machine-turn-{which}"));
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    file.map_err(Error::file("opening", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_given_back_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let first = take_of(folder.path(), 2).unwrap();
        let _second = take_of(folder.path(), 2).unwrap();
        assert!(open(folder.path(), "0").unwrap().try_lock().is_err());
        std::thread::scope(|scope| {
            let third = scope.spawn(|| take_of(folder.path(), 1).unwrap());
            drop(first);
            third.join().unwrap();
        });
    }
    #[test]
    fn whichever_turn_is_given_back_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mut turns = [take_of(folder.path(), 2).unwrap(), take_of(folder.path(), 2).unwrap()].map(Some);
        // One of them is kept: each of the two in its turn.
        for given_back in [0, 1, 1, 0] {
            std::thread::scope(|scope| {
                let next = scope.spawn(|| take_of(folder.path(), 2).unwrap());
                turns[given_back] = None;
                turns[given_back] = Some(next.join().unwrap());
            });
        }
    }
}
