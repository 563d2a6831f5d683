//! Other people's programs, as second witnesses. One that is missing fails the test: a witness that is silently absent is none.

#![allow(dead_code, missing_docs)]

use std::path::Path;
use std::process::{Command, Output};

/// A program of the machine, also from the folders that only root has in its PATH.
pub fn tool(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{path}:/usr/sbin:/sbin");
    let found = path.split(':').map(|folder| Path::new(folder).join(name)).find(|file| file.is_file());
    let found = found.unwrap_or_else(|| panic!("the second witness `{name}` is not installed; run `make witnesses`"));
    let mut command = Command::new(found);
    command.env("LC_ALL", "C");
    command
}

/// Runs it; standard output. Fails the test with all that it said when it does not succeed.
pub fn says(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}\n{err}");
    out.into_owned()
}

/// Parses every beginning of the bytes, and the bytes with each bit of their first kilobytes flipped: nothing panics, and
/// a beginning that is accepted must be a harmless one.
pub fn every_cut<T, E>(bytes: &[u8], parse: impl Fn(&[u8]) -> Result<T, E>, harmless: impl Fn(usize) -> bool) {
    // Every byte where the structures stand, and a sample of what follows.
    let ends = (0..bytes.len().min(4096)).chain((4096..bytes.len()).step_by(4099));
    for end in ends.chain(bytes.len().checked_sub(1)) {
        assert!(parse(&bytes[..end]).is_err() || harmless(end), "cut at {end} of {}", bytes.len());
    }
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len().min(4096) {
        for bit in [0, 3, 7] {
            bytes[at] ^= 1 << bit;
            let _ = parse(&bytes);
            bytes[at] ^= 1 << bit;
        }
    }
}
