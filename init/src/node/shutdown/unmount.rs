//! What pods, kubelet and containerd left attached and mounted, then the state.

use crate::node::state::MOUNT_POINT;
use crate::report::Report;
use crate::sys::loopdev;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::path::{Path, PathBuf};

/// Unmounts all of it; whether the state is among that. Never lazily: that would hide what is still open. What cannot be
/// unmounted is made read-only, so that at least nothing is torn.
pub fn state(report: &mut Report) -> bool {
    detach_all(report);
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let (mut left, mut clean) = (0, true);
    for target in to_unmount(&table) {
        let is_state = target == MOUNT_POINT;
        match umount2(target.as_str(), MntFlags::UMOUNT_NOFOLLOW) {
            Ok(()) => left += usize::from(!is_state),
            Err(error) => {
                report.error("shutdown", format!("umount {target}: {error}"));
                if is_state {
                    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
                    let _ = mount(None::<&str>, target.as_str(), None::<&str>, flags, None::<&str>);
                    clean = false;
                }
            }
        }
    }
    if left > 0 {
        report.note("shutdown", format!("mounts that were left, and are unmounted now: {left}"));
    }
    clean
}

/// Detaches every loop device. kubelet keeps one on each raw block volume, and one that was killed leaves it: the file
/// behind it keeps its mount busy, and so the state. All of them, not only those of files on `/var`: the file's path in a
/// container says nothing of where that lies. What is mounted from one is detached by the kernel when it is unmounted.
fn detach_all(report: &mut Report) {
    for (device, file) in attached(Path::new("/sys/block")) {
        let device = Path::new("/dev").join(device);
        match loopdev::detach(&device) {
            Ok(()) => report.note("shutdown", format!("{} detached from {file}", device.display())),
            Err(error) => report.error("shutdown", format!("{} of {file} is not detached: {error}", device.display())),
        }
    }
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

/// Mount points at and below `/var` and `/run`, the last mounted first, without `/run` itself.
fn to_unmount(mountinfo: &str) -> Vec<String> {
    let targets = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    let below = |target: &String| target == "/var" || target.starts_with("/var/") || target.starts_with("/run/");
    let mut targets: Vec<String> = targets.filter(below).collect();
    targets.reverse();
    targets
}

/// `/proc/self/mountinfo` writes white space and backslashes as octal.
fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, code.and_then(|digits| u8::from_str_radix(digits, 8).ok())) {
            (b'\\', Some(byte)) => {
                out.push(byte);
                rest = &tail[3..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_state_comes_after_what_lies_on_it() {
        let table = "30 1 253:0 / / ro shared:1 - erofs /dev/dm-0 ro\n\
            31 30 254:8 / /var rw shared:2 - ext4 /dev/vda8 rw\n\
            32 30 0:5 / /run rw - tmpfs tmpfs rw\n\
            33 32 0:9 / /run/containerd/a\\040b rw - overlay overlay rw\n\
            34 31 0:8 / /var/lib/kubelet/pods/x rw - tmpfs tmpfs rw\n";
        assert_eq!(to_unmount(table), ["/var/lib/kubelet/pods/x", "/run/containerd/a b", "/var"]);
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

    proptest! {
        #[test]
        fn any_table_is_read(table in ".{0,100}") {
            let _ = to_unmount(&table);
            let _ = unescape(&table);
        }
    }
}
