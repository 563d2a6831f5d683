//! What the kernel left in the firmware's variables when it crashed: its last lines, which no disk and no console has.
//! They are moved to `/var/log/pstore`, so that the next crash has room in the firmware.
//!
//! By a program beside PID 1: each record is synced to a disk that pods use, and each removed one is a call into the
//! firmware, which takes its time. PID 1 has a watchdog to pet, and pods' orphans to reap.

use super::{Node, safe_path};
use crate::report::Report;
use crate::services::Purpose;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

/// argv[0] of the program.
pub const RECORD_KEEPER: &str = "orlop-records";
/// What stands before that which it has moved; any other line is an error's.
const MOVED: &str = "moved=";
/// Where the kernel shows them (`CONFIG_PSTORE`).
const SHOWN: &str = "/sys/fs/pstore";
/// Where they are kept, below `/var`.
const KEPT: &str = "log/pstore";
/// So many are taken at one boot, and kept at all. A crash leaves some ten.
const MOST: usize = 64;
/// A record has one KiB in the firmware; more of it than this is not kept.
const LARGEST: u64 = 64 << 10;

/// Starts the program, where there is something to move. Nothing waits for it: a slow disk is no reason to refuse a boot.
pub fn start(node: &mut Node) {
    let started = match records(Path::new(SHOWN)) {
        Ok(records) if records.is_empty() => Ok(()),
        Ok(_) => node.start_job(Purpose::Records, &[RECORD_KEEPER]),
        Err(error) => Err(format!("{SHOWN}: {error}")),
    };
    if let Err(error) = started {
        failed(&mut node.report, &error);
    }
}

/// Hears of its end.
pub fn step(node: &mut Node) {
    for ended in node.take_ended(Purpose::Records) {
        if let Some(failure) = ended.failure() {
            failed(&mut node.report, failure);
        }
    }
}

fn failed(report: &mut Report, failure: &str) {
    report.error("pstore", format!("{failure}; records of a crash stay where they are, and the next boot tries again"));
}

/// A line of the program.
pub fn line(report: &mut Report, line: &str) {
    match heard(line) {
        Some(text) => report.note("pstore", text),
        None => report.quote(line),
    }
}

/// What is to be said of a line that says what was moved.
fn heard(line: &str) -> Option<String> {
    line.strip_prefix(MOVED).map(|what| format!("records of a crash kept in /var/{KEPT}: {what}"))
}

/// What the program says of the records that it has moved, if there were any.
fn said(names: &[String]) -> Option<String> {
    names.first().map(|first| format!("{MOVED}{}, from {first} on", names.len()))
}

/// The program; its exit status. What cannot be moved stays in the firmware.
pub fn keep_records() -> i32 {
    match moved(Path::new(SHOWN), Path::new("/var")) {
        Ok(Moved { names, failures }) => {
            said(&names).iter().for_each(|line| println!("{line}"));
            let Some(first) = failures.first() else { return 0 };
            println!("{first}; {} cannot be moved", failures.len());
            1
        }
        Err(error) => {
            println!("/var/{KEPT}: {error}");
            1
        }
    }
}

/// Names of the records in a folder; none where there is no folder.
fn records(from: &Path) -> io::Result<Vec<OsString>> {
    match fs::read_dir(from) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
        // This kernel has no such thing, or this machine no firmware that keeps records.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What became of the records.
#[derive(Debug, Default, PartialEq, Eq)]
struct Moved {
    /// Those that were moved.
    names: Vec<String>,
    /// Why the others were not.
    failures: Vec<String>,
}

/// Moves records from one folder to another. One that the firmware does not hand out, or keeps, leaves the others be: they
/// would fill it, and the next crash had no room.
fn moved(from: &Path, base: &Path) -> io::Result<Moved> {
    let mut records = records(from)?;
    records.sort();
    records.truncate(MOST);
    if records.is_empty() {
        return Ok(Moved::default());
    }
    let to = safe_path::make_own_dirs(base, KEPT)?;
    let mut moved = Moved::default();
    for record in records {
        let Some(name) = record.to_str() else { continue };
        match move_one(from, &to, name) {
            Ok(()) => moved.names.push(name.to_owned()),
            Err(error) => moved.failures.push(format!("{name}: {error}")),
        }
    }
    for old in surplus(safe_path::names(&base.join(KEPT))?) {
        safe_path::remove(&to, &old)?;
    }
    Ok(moved)
}

fn move_one(from: &Path, to: &OwnedFd, name: &str) -> io::Result<()> {
    let mut bytes = Vec::new();
    File::open(from.join(name))?.take(LARGEST).read_to_end(&mut bytes)?;
    safe_path::write(to, name, &bytes)?;
    fs::remove_file(from.join(name))
}

/// Which of the files that are kept are too many: the oldest. A record's name ends with a number that grows with time.
fn surplus(names: Vec<String>) -> Vec<String> {
    let number = |name: &str| name.rsplit('-').next().and_then(digits).unwrap_or_default();
    let mut names: Vec<(u64, String)> = names.into_iter().map(|name| (number(&name), name)).collect();
    names.sort();
    names.truncate(names.len().saturating_sub(MOST));
    names.into_iter().map(|(_, name)| name).collect()
}

/// The number that a text begins with: `17644.enc.z` where a record could not be decompressed.
fn digits(text: &str) -> Option<u64> {
    text.split(|other: char| !other.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Places {
        _folder: tempfile::TempDir,
        from: PathBuf,
        base: PathBuf,
    }

    fn places() -> Places {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().canonicalize().expect("a path");
        let (from, base) = (path.join("pstore"), path.join("var"));
        fs::create_dir(&from).expect("a folder");
        fs::create_dir_all(base.join("log")).expect("a folder");
        Places { _folder: folder, from, base }
    }

    fn kept(places: &Places) -> Vec<String> {
        let mut names = safe_path::names(&places.base.join(KEPT)).expect("names");
        names.sort();
        names
    }

    #[test]
    fn records_are_moved_and_nothing_is_made_where_there_are_none() {
        let places = places();
        assert_eq!(moved(&places.from, &places.base).expect("none"), Moved::default());
        assert_eq!(moved(&places.from.join("none"), &places.base).expect("no such folder"), Moved::default());
        assert!(!places.base.join(KEPT).exists());
        fs::write(places.from.join("dmesg-efi_pstore-1"), "Panic#1 Part1\n").expect("a record");
        fs::write(places.from.join("dmesg-efi_pstore-2"), vec![b'x'; 2 * LARGEST as usize]).expect("a huge record");
        assert_eq!(moved(&places.from, &places.base).expect("moved").names.len(), 2);
        assert_eq!(fs::read_dir(&places.from).expect("a folder").count(), 0, "the firmware has room again");
        let text = fs::read_to_string(places.base.join(KEPT).join("dmesg-efi_pstore-1")).expect("a file");
        assert_eq!(text, "Panic#1 Part1\n");
        let size = fs::metadata(places.base.join(KEPT).join("dmesg-efi_pstore-2")).expect("a file").len();
        assert_eq!(size, LARGEST);
    }

    /// The boot test awaits this line, and operators look for it.
    #[test]
    fn what_the_program_says_is_understood() {
        let names = ["dmesg-efi_pstore-1", "dmesg-efi_pstore-2"].map(str::to_owned);
        let text = said(&names).and_then(|line| heard(&line));
        assert_eq!(text.as_deref(), Some("records of a crash kept in /var/log/pstore: 2, from dmesg-efi_pstore-1 on"));
        assert_eq!(said(&[]), None);
        assert_eq!(heard("/var/log/pstore: No space left on device (os error 28)"), None);
    }

    #[test]
    fn the_newest_stay() {
        let places = places();
        fs::create_dir_all(places.base.join(KEPT)).expect("a folder");
        for number in 0..MOST {
            let path = places.base.join(KEPT).join(format!("dmesg-efi_pstore-{}", 1000 + number));
            fs::write(path, "old").expect("a file");
        }
        fs::write(places.base.join(KEPT).join("somebody's"), "x").expect("a file");
        fs::write(places.from.join("dmesg-efi_pstore-9000"), "new").expect("a record");
        moved(&places.from, &places.base).expect("moved");
        let kept = kept(&places);
        assert_eq!(kept.len(), MOST);
        assert!(kept.iter().any(|name| name.ends_with("-9000")) && !kept.iter().any(|name| name.ends_with("-1000")));
        assert!(!kept.iter().any(|name| name == "somebody's"));
    }

    #[test]
    fn what_lies_in_the_way_is_moved_aside_and_no_link_is_followed() {
        let places = places();
        let elsewhere = places.base.join("elsewhere");
        fs::create_dir(&elsewhere).expect("a folder");
        std::os::unix::fs::symlink(&elsewhere, places.base.join(KEPT)).expect("a link");
        fs::write(places.from.join("dmesg-efi_pstore-1"), "x").expect("a record");
        assert_eq!(moved(&places.from, &places.base).expect("moved").names.len(), 1);
        assert_eq!(kept(&places), ["dmesg-efi_pstore-1"]);
        assert_eq!(fs::read_dir(&elsewhere).expect("a folder").count(), 0);
    }

    #[test]
    fn a_record_that_cannot_be_read_stays_and_the_others_go() {
        let places = places();
        // Opened like a file, and not to be read (`EISDIR`), by root neither.
        fs::create_dir(places.from.join("dmesg-efi_pstore-1")).expect("a folder");
        fs::write(places.from.join("dmesg-efi_pstore-2"), "x").expect("a record");
        let moved = moved(&places.from, &places.base).expect("moved");
        assert_eq!(moved.names, ["dmesg-efi_pstore-2"]);
        assert_eq!(kept(&places), ["dmesg-efi_pstore-2"]);
        assert!(moved.failures.len() == 1 && moved.failures[0].starts_with("dmesg-efi_pstore-1: "), "{moved:?}");
        assert!(places.from.join("dmesg-efi_pstore-1").exists() && !places.from.join("dmesg-efi_pstore-2").exists());
    }

    #[test]
    fn a_record_that_cannot_be_kept_stays() {
        let places = places();
        fs::remove_dir(places.base.join("log")).expect("removed");
        fs::write(places.base.join("log"), "a file").expect("a file");
        fs::write(places.from.join("dmesg-efi_pstore-1"), "x").expect("a record");
        assert!(moved(&places.from, &places.base).is_err());
        assert!(places.from.join("dmesg-efi_pstore-1").exists());
    }
}
