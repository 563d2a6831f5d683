//! The table of mounts, `proc_pid_mountinfo(5)`. Bytes: a pod gives its folders any names, and the kernel writes most bytes
//! as they are.

use super::super::state::MOUNT_POINT;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Where it is read.
pub const TABLE: &str = "/proc/self/mountinfo";

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Where.
    pub target: PathBuf,
    /// What holds its files is another machine or a program: it may never answer.
    pub by_network: bool,
}

impl Mounted {
    /// Whether it lies on the state's own mount point.
    pub fn is_state(&self) -> bool {
        self.target == Path::new(MOUNT_POINT)
    }
}

/// The mounts at and below `/var` and `/run`, the last mounted first, without `/run` itself.
pub fn to_unmount(table: &[u8]) -> Vec<Mounted> {
    let mut mounts: Vec<Mounted> = table.split(|byte| *byte == b'\n').filter_map(read).collect();
    mounts.retain(|mount| mount.is_state() || ["/var", "/run"].iter().any(|above| is_below(&mount.target, above)));
    mounts.reverse();
    mounts
}

fn is_below(path: &Path, above: &str) -> bool {
    path != Path::new(above) && path.starts_with(above)
}

/// One line: two numbers, the device, what of it is mounted, the mount point, options, any number of further fields, a dash,
/// the type.
fn read(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ');
    let target = PathBuf::from(OsString::from_vec(unescape(fields.nth(4)?)));
    let by_network = fields.skip_while(|field| *field != b"-").nth(1).is_some_and(is_of_network);
    Some(Mounted { target, by_network })
}

fn is_of_network(kind: &[u8]) -> bool {
    matches!(kind, b"nfs" | b"nfs4" | b"ceph" | b"cifs" | b"smb3" | b"9p" | b"fuse") || kind.starts_with(b"fuse.")
}

/// White space and backslashes are written as octal.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
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
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStrExt;

    fn targets(table: &[u8]) -> Vec<Vec<u8>> {
        to_unmount(table).iter().map(|mount| mount.target.as_os_str().as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_state_comes_after_what_lies_on_it() {
        let table = b"30 1 253:0 / / ro shared:1 - erofs /dev/dm-0 ro\n\
            31 30 254:8 / /var rw shared:2 - ext4 /dev/vda8 rw\n\
            32 30 0:5 / /run rw - tmpfs tmpfs rw\n\
            33 32 0:9 / /run/containerd/a\\040b rw - overlay overlay rw\n\
            34 31 0:8 / /var/lib/kubelet/pods/x rw - tmpfs tmpfs rw\n\
            35 30 0:8 / /variant rw - tmpfs tmpfs rw\n";
        assert_eq!(targets(table), [&b"/var/lib/kubelet/pods/x"[..], b"/run/containerd/a b", b"/var"]);
        let mounts = to_unmount(table);
        assert_eq!(mounts.iter().filter(|mount| mount.is_state()).count(), 1);
        assert!(mounts.last().is_some_and(Mounted::is_state));
    }

    /// A pod renames a folder that is bound by its `subPath`: one such name hid all mounts, and nothing was unmounted.
    #[test]
    fn a_name_that_is_no_text_hides_no_mount() {
        let table = b"31 30 254:8 / /var rw shared:2 - ext4 /dev/vda8 rw\n\
            36 31 254:8 /lib/kubelet/pods/\xff/vol /var/lib/kubelet/pods/u/volume-subpaths/\xff\\134\\012 rw - ext4 /dev/vda8 rw\n";
        assert_eq!(targets(table), [&b"/var/lib/kubelet/pods/u/volume-subpaths/\xff\\\n"[..], b"/var"]);
    }

    #[test]
    fn what_is_of_the_network_is_known_by_its_type() {
        let by_network = |kind: &str| {
            let line = format!("40 31 0:50 / /var/lib/kubelet/pods/x rw shared:3 master:4 - {kind} server:/nfs4 rw\n");
            to_unmount(line.as_bytes()).first().map(|mount| mount.by_network)
        };
        for kind in ["nfs", "nfs4", "ceph", "cifs", "smb3", "9p", "fuse", "fuse.glusterfs"] {
            assert_eq!(by_network(kind), Some(true), "{kind}");
        }
        for kind in ["ext4", "tmpfs", "overlay", "fuseblk", "fusectl", "nfsd", ""] {
            assert_eq!(by_network(kind), Some(false), "{kind}");
        }
        let bare = to_unmount(b"40 31 0:50 / /var/x rw");
        assert_eq!(bare, [Mounted { target: "/var/x".into(), by_network: false }], "none is left out for its type");
    }

    #[test]
    fn the_kernels_own_table_is_read() {
        let table = std::fs::read(TABLE).expect("the kernel's");
        let mounts: Vec<Mounted> = table.split(|byte| *byte == b'\n').filter_map(read).collect();
        assert!(mounts.iter().any(|mount| mount.target == Path::new("/")), "{mounts:?}");
    }

    proptest! {
        #[test]
        fn any_table_is_read(table in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = to_unmount(&table);
            let _ = unescape(&table);
        }

        /// As the kernel writes a name (`mangle_path` in its `fs/seq_file.c`), it is read.
        #[test]
        fn any_name_is_read_as_it_is(name in prop::collection::vec(1_u8.., 1..40)) {
            prop_assume!(!name.contains(&b'/') && name != b"." && name != b"..");
            let escape = |byte: &u8| match byte {
                b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
                other => vec![*other],
            };
            let written: Vec<u8> = name.iter().flat_map(escape).collect();
            let line = [&b"40 31 0:50 / /var/"[..], &written[..], b" rw - nfs server:/ rw\n"].concat();
            let want = [&b"/var/"[..], &name[..]].concat();
            prop_assert_eq!(targets(&line), [want]);
        }
    }
}
