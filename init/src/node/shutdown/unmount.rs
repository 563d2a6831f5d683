//! What pods and containerd left mounted, then the state.

use crate::node::state::MOUNT_POINT;
use crate::report::Report;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Unmounts all of it; whether the state is among that. Never lazily: that would hide what is still open. What cannot be
/// unmounted is made read-only, so that at least nothing is torn.
pub fn state(report: &mut Report) -> bool {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for target in to_unmount(&table) {
        if let Err(error) = umount2(target.as_str(), MntFlags::UMOUNT_NOFOLLOW) {
            report.error("shutdown", format!("umount {target}: {error}"));
            if target == MOUNT_POINT {
                let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
                let _ = mount(None::<&str>, target.as_str(), None::<&str>, flags, None::<&str>);
                return false;
            }
        }
    }
    true
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

    proptest! {
        #[test]
        fn any_table_is_read(table in ".{0,100}") {
            let _ = to_unmount(&table);
            let _ = unescape(&table);
        }
    }
}
