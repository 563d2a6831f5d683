//! What pods, kubelet and containerd left attached and mounted, then the state.
//!
//! What lies on a file server or a disk that is gone may never be let go of, and no signal ends who tries. So a process
//! beside PID 1 does it for all but the state, which has its turn whatever becomes of the others.

use super::super::Node;
use super::beside::{Beside, Outcome};
use super::mountinfo::{Mounted, TABLE, to_unmount};
use crate::node::state::MOUNT_POINT;
use crate::report::Report;
use crate::sys::loopdev;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{major, minor};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So long it may stand still: four pieces that hang.
const STANDSTILL: Duration = Duration::from_secs(40);
/// And so long it may take in all: each of a hundred pods has several mounts, and each overlay waits for the disk.
const LONGEST: Duration = Duration::from_secs(180);
/// How long the kernel may take to let go of a file system whose last mount is gone.
const RELEASE: Duration = Duration::from_secs(2);

/// How far it is.
#[derive(Debug)]
pub struct Unmounting {
    beside: Beside<Piece>,
    begun: Instant,
    /// How many mounts there were, without the state's own.
    mounts: usize,
}

/// What is to be let go of.
#[derive(Debug)]
enum Piece {
    /// A loop device, and the path of the file behind it. kubelet keeps one on each raw block volume, and one that was killed
    /// leaves it: the file keeps its mount busy, and so the state. All of them, not only those of files on `/var`: the
    /// file's path in a container says nothing of where that lies. What is mounted from one is detached by the kernel when
    /// it is unmounted.
    Loop(PathBuf, String),
    Mount(Mounted),
}

impl fmt::Display for Piece {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Piece::Loop(device, _) => write!(to, "detach {}", device.display()),
            Piece::Mount(mount) => write!(to, "umount {}", mount.target.display()),
        }
    }
}

impl Piece {
    fn let_go(&self) -> Outcome {
        match self {
            Piece::Loop(device, file) => match loopdev::detach(device) {
                Ok(()) => Ok(Some(format!("{} detached from {file}", device.display()))),
                Err(error) => Err(format!("{} of {file} is not detached: {error}", device.display())),
            },
            Piece::Mount(mount) => match unmount(mount) {
                Ok(()) => Ok(None),
                Err(error) => Err(format!("{self}: {error}")),
            },
        }
    }
}

/// Not lazily: that would hide what is still open. But what is of the network, and does not go, goes by force: what waits for
/// its server is given up, and it is taken out of the tree, where it would keep the state busy.
fn unmount(mount: &Mounted) -> Result<(), Errno> {
    let plain = umount2(mount.target.as_path(), MntFlags::UMOUNT_NOFOLLOW);
    if plain.is_ok() || !mount.by_network {
        return plain;
    }
    let by_force = MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_FORCE | MntFlags::MNT_DETACH;
    umount2(mount.target.as_path(), by_force)
}

/// Starts it.
pub fn start(node: &mut Node) {
    let mut mounts = mounts(&mut node.report).unwrap_or_default();
    mounts.retain(|mount| !mount.is_state());
    let count = mounts.len();
    let loops = attached(Path::new("/sys/block")).into_iter();
    let loops = loops.map(|(device, file)| Piece::Loop(Path::new("/dev").join(device), file));
    let pieces: Vec<Piece> = loops.chain(mounts.into_iter().map(Piece::Mount)).collect();
    match (Beside::start(pieces, Piece::let_go), &mut node.shutdown) {
        (Ok(beside), Some(shutdown)) => {
            shutdown.unmounting = Some(Unmounting { beside, begun: Instant::now(), mounts: count })
        }
        (Ok(_), None) => {}
        (Err(error), _) => node.report.error("shutdown", format!("{error}; nothing but the state is unmounted")),
    }
}

/// How long it may take, from its start: the longer, the longer it goes on.
pub fn patience(node: &Node) -> Duration {
    let unmounting = node.shutdown.as_ref().and_then(|shutdown| shutdown.unmounting.as_ref());
    unmounting
        .map_or(STANDSTILL, |one| (one.beside.since().saturating_duration_since(one.begun) + STANDSTILL).min(LONGEST))
}

/// Says what came of it so far; whether it is over.
pub fn is_over(node: &mut Node) -> bool {
    let Some(unmounting) = node.shutdown.as_mut().and_then(|shutdown| shutdown.unmounting.as_mut()) else {
        return true;
    };
    let said = unmounting.beside.look(Instant::now());
    let is_over = unmounting.beside.is_over();
    for one in said {
        match one {
            Ok(note) => node.report.note("shutdown", note),
            Err(error) => node.report.error("shutdown", error),
        }
    }
    is_over
}

/// Unmounts the state; whether nothing of it is mounted any more, for sure.
pub fn state(node: &mut Node) -> bool {
    let unmounting = node.shutdown.as_ref().and_then(|shutdown| shutdown.unmounting.as_ref());
    let before = unmounting.map_or(0, |unmounting| unmounting.mounts);
    let table = mounts(&mut node.report);
    let of_state = table.as_ref().map(|mounts| mounts.iter().filter(|mount| mount.is_state()).count());
    let left = table.zip(of_state).map_or(before, |(mounts, of_state)| mounts.len() - of_state);
    if left < before {
        let gone = before - left;
        node.report.note("shutdown", format!("mounts that were left, and are unmounted now: {gone}"));
    }
    if of_state == Some(0) {
        node.report.error("shutdown", format!("{MOUNT_POINT} is not mounted: who unmounted it did not do it in order"));
    }
    let filesystem = filesystem();
    // Where nobody knows what is mounted, it is tried.
    let done = (0..of_state.unwrap_or(1)).filter(|_| let_go_of_state(&mut node.report)).count();
    let clean = is_clean(of_state, done);
    if clean && let Some(path) = filesystem.filter(|path| !is_released(path)) {
        let text = format!(
            "{}: the state is still in use, by a process that does not end or a mount elsewhere",
            path.display()
        );
        node.report.error("shutdown", text);
        return false;
    }
    clean
}

/// Where the kernel shows the state's file system while it is in use, by whatever mount of whatever namespace.
fn filesystem() -> Option<PathBuf> {
    let device = fs::metadata(MOUNT_POINT).ok()?.dev();
    let device = format!("/sys/dev/block/{}:{}", major(device), minor(device));
    Some(Path::new("/sys/fs/ext4").join(fs::read_link(device).ok()?.file_name()?))
}

/// Whether it is gone from there: only then all that it owes its disk is written, and it is marked as clean. Unmounting it here
/// is not enough, where a process that no signal ends, or an overlay, holds another mount of it.
fn is_released(path: &Path) -> bool {
    let until = Instant::now() + RELEASE;
    while path.exists() {
        if Instant::now() >= until {
            return false;
        }
        // The kernel has no event for it.
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// What there is to unmount. `None`, which is said, where nobody knows.
fn mounts(report: &mut Report) -> Option<Vec<Mounted>> {
    match fs::read(TABLE) {
        Ok(table) => Some(to_unmount(&table)),
        Err(error) => {
            report.error("shutdown", format!("{TABLE}: {error}; what is mounted there stays so"));
            None
        }
    }
}

/// What cannot be unmounted is made read-only, so that at least nothing is torn.
fn let_go_of_state(report: &mut Report) -> bool {
    let unmounted = umount2(MOUNT_POINT, MntFlags::UMOUNT_NOFOLLOW);
    if let Err(error) = unmounted {
        report.error("shutdown", format!("umount {MOUNT_POINT}: {error}"));
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        let _ = mount(None::<&str>, MOUNT_POINT, None::<&str>, flags, None::<&str>);
    }
    unmounted.is_ok()
}

/// Of so many mounts on the state's mount point, if that is known, so many are gone: one at least, and all.
fn is_clean(of_state: Option<usize>, done: usize) -> bool {
    done > 0 && of_state == Some(done)
}

/// The loop devices that have a file behind them, and the file's path.
fn attached(devices: &Path) -> Vec<(PathBuf, String)> {
    let names = fs::read_dir(devices).into_iter().flatten().flatten().map(|entry| PathBuf::from(entry.file_name()));
    let with_file = |name: PathBuf| {
        // Only there as long as there is a file; its bytes may be any.
        let file = fs::read(devices.join(&name).join("loop/backing_file")).ok()?;
        Some((name, String::from_utf8_lossy(&file).trim_end().to_owned()))
    };
    let mut found: Vec<_> = names.filter_map(with_file).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that nobody could read was taken for one without mounts, and the end for a clean one.
    #[test]
    fn clean_is_only_what_was_seen_to_be_unmounted() {
        assert!(is_clean(Some(1), 1));
        assert!(is_clean(Some(2), 2), "somebody mounted another one over it");
        assert!(!is_clean(Some(1), 0), "it was busy");
        assert!(!is_clean(Some(2), 1));
        assert!(!is_clean(Some(0), 0), "it was not there");
        assert!(!is_clean(None, 1), "nobody knows what is below");
        assert!(!is_clean(None, 0));
    }

    #[test]
    fn what_is_still_in_use_is_not_released() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vda7");
        assert!(is_released(&path));
        fs::create_dir(&path).expect("a file system");
        assert!(!is_released(&path));
    }

    #[test]
    fn what_cannot_be_let_go_of_says_what_and_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("none\n");
        let (device, path) = (folder.path().join("loop0"), target.display());
        for by_network in [false, true] {
            let error = Piece::Mount(Mounted { target: target.clone(), by_network }).let_go().expect_err("not there");
            assert!(error.starts_with(&format!("umount {path}: E")), "{error}");
        }
        let error = Piece::Loop(device.clone(), "/disk.img".to_owned()).let_go().expect_err("no device");
        assert!(error.starts_with(&format!("{} of /disk.img is not detached: ", device.display())), "{error}");
    }

    #[test]
    fn only_what_has_a_file_behind_it_is_detached() {
        let folder = tempfile::tempdir().expect("a folder");
        let device = |name: &str, file: Option<&[u8]>| {
            let path = folder.path().join(name).join("loop");
            fs::create_dir_all(&path).expect("a device");
            file.iter().for_each(|file| fs::write(path.join("backing_file"), file).expect("a file behind it"));
        };
        device("loop1", Some(b"/var/lib/kubelet/plugins/volumeDevices/raw/uid\n"));
        device("loop0", Some(b"/disk\xff.img (deleted)\n"));
        device("loop2", None);
        fs::create_dir(folder.path().join("vda")).expect("a disk");
        let (deleted, raw) = ("/disk\u{fffd}.img (deleted)", "/var/lib/kubelet/plugins/volumeDevices/raw/uid");
        let found = attached(folder.path());
        let found: Vec<_> = found.iter().map(|(device, file)| (device.as_path(), file.as_str())).collect();
        assert_eq!(found, [(Path::new("loop0"), deleted), (Path::new("loop1"), raw)]);
        assert!(attached(&folder.path().join("none")).is_empty());
    }
}
