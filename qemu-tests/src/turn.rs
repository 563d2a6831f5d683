//! Machines take turns: each keeps two cores busy, and a machine without its cores misses its deadlines.
//!
//! A turn is a locked file, so that several test processes share the same turns, and one that is killed
//! gives its turn back.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Error, Result};

/// The right to run a machine; given back when dropped.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

/// Waits for a turn. There are as many as half the cores, and two at least.
pub fn take() -> Result<Turn> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    take_of(&std::env::temp_dir(), (cores / 2).max(2))
}

fn take_of(folder: &Path, turns: usize) -> Result<Turn> {
    let files: Vec<File> = (0..turns).map(|number| open(folder, number)).collect::<Result<_>>()?;
    let free = files.iter().position(|file| file.try_lock().is_ok());
    // All taken: wait for one of them, each caller for the next.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = free.unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed) % turns);
    let file = files.into_iter().nth(number).expect("the number is below the length");
    if free.is_none() {
        file.lock().map_err(Error::file("locking a turn in", folder))?;
    }
    Ok(Turn { _lock: file })
}

fn open(folder: &Path, number: usize) -> Result<File> {
    let path = folder.join(format!("orlop-machine-turn-{number}"));
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
        assert!(open(folder.path(), 0).unwrap().try_lock().is_err());
        std::thread::scope(|scope| {
            let third = scope.spawn(|| take_of(folder.path(), 1).unwrap());
            drop(first);
            third.join().unwrap();
        });
    }
}
