//! `mount [--no-canonicalize] [-t FSTYPE] [-o OPTIONS] [SOURCE] TARGET`.
//!
//! Paths go to the kernel as they are, always: kubelet mounts subPaths through `/proc/PID/fd/N`, and whoever resolved
//! that link by name would let a container swap what is behind it (CVE-2017-1002101).

use super::Failure;
use super::options::Options;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The flags that belong to the mount, not to the filesystem: a bind takes them in a call of its own.
const OF_THE_MOUNT: MsFlags = MsFlags::MS_RDONLY
    .union(MsFlags::MS_NOSUID)
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC)
    .union(MsFlags::MS_NOATIME)
    .union(MsFlags::MS_NODIRATIME)
    .union(MsFlags::MS_RELATIME)
    .union(MsFlags::MS_STRICTATIME)
    .union(MsFlags::from_bits_retain(256));

/// One mount(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    source: Option<OsString>,
    target: OsString,
    fstype: Option<OsString>,
    flags: MsFlags,
    data: OsString,
}

/// The calls, in order.
pub type Plan = Vec<Call>;

/// A command line, read.
#[derive(Default)]
struct Line {
    fstype: Option<OsString>,
    options: Options,
    operands: Vec<OsString>,
}

/// Arguments → calls.
pub fn plan(arguments: &[OsString]) -> Result<Plan, Failure> {
    let Line { fstype, options, operands } = read(arguments)?;
    let (source, target) = match operands.as_slice() {
        [target] => (None, target.clone()),
        [source, target] => (Some(source.clone()), target.clone()),
        _ => return Err(usage("mount takes [SOURCE] TARGET")),
    };
    let call = Call { source, target, fstype, flags: options.flags, data: options.data };
    let is_bind = call.flags.contains(MsFlags::MS_BIND);
    let is_remount = call.flags.contains(MsFlags::MS_REMOUNT);
    if is_bind && !call.data.is_empty() {
        return Err(usage(&format!("a bind mount takes no option {:?}", call.data)));
    }
    match (is_bind, is_remount) {
        (_, true) => Ok(vec![call]),
        (true, false) => bind(call),
        (false, false) if call.fstype.is_none() => Err(usage("-t FSTYPE is missing; filesystems are not guessed")),
        (false, false) if call.source.is_none() => Err(usage("SOURCE is missing; there is no fstab")),
        (false, false) => Ok(vec![call]),
    }
}

/// The kernel reads nothing but `MS_REC` of a bind's flags, so that the rest is a second call.
fn bind(call: Call) -> Result<Plan, Failure> {
    if call.source.is_none() {
        return Err(usage("SOURCE is missing; there is no fstab"));
    }
    let own = call.flags & OF_THE_MOUNT;
    let mut first = call;
    first.flags &= MsFlags::MS_BIND | MsFlags::MS_REC;
    first.fstype = None;
    if own.is_empty() {
        return Ok(vec![first]);
    }
    let second = Call { flags: own | MsFlags::MS_BIND | MsFlags::MS_REMOUNT, ..first.clone() };
    Ok(vec![first, second])
}

fn read(arguments: &[OsString]) -> Result<Line, Failure> {
    let mut line = Line::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = |name: &str| {
            let value = arguments.next();
            value.ok_or_else(|| usage(&format!("{name} needs a value")))
        };
        match argument.as_bytes() {
            b"--no-canonicalize" | b"-c" | b"-n" => {}
            b"-t" => line.fstype = Some(value("-t")?.clone()),
            b"-o" => line.options.add(value("-o")?),
            b"-r" => line.options.add(OsStr::new("ro")),
            b"-w" => line.options.add(OsStr::new("rw")),
            b"--" => line.operands.extend(arguments.by_ref().cloned()),
            unknown if unknown.starts_with(b"-") => return Err(usage(&format!("unknown option {argument:?}"))),
            _ => line.operands.push(argument.clone()),
        }
    }
    Ok(line)
}

fn usage(message: &str) -> Failure {
    Failure::Usage(format!("{message}; usage: mount [--no-canonicalize] [-t FSTYPE] [-o OPTIONS] [SOURCE] TARGET"))
}

/// Asks the kernel.
pub fn execute(plan: &Plan) -> Result<(), Failure> {
    plan.iter().try_for_each(execute_one)
}

fn execute_one(call: &Call) -> Result<(), Failure> {
    let data = Some(call.data.as_os_str()).filter(|data| !data.is_empty());
    mount(call.source.as_deref(), call.target.as_os_str(), call.fstype.as_deref(), call.flags, data)
        .map_err(|errno| Failure::Kernel(explain(call, errno)))
}

fn explain(call: &Call, errno: Errno) -> String {
    let target = call.target.display();
    let source = call.source.as_deref().unwrap_or_default().display();
    let fstype = call.fstype.as_deref().unwrap_or_default().display();
    match errno {
        Errno::ENODEV => format!("{target}: filesystem {fstype} is not in this kernel."),
        Errno::ENOENT => format!("{target}: {source} or the mount point does not exist."),
        // The kernel has "mount program didn't pass remote address" for it, in its own log (`fs/nfs/fs_context.c`).
        Errno::EINVAL if lacks_address(call) => format!(
            "{target}: mounting {source} {fstype} needs the server's address, which no mount.nfs looks up here: give \
             the PersistentVolume mountOptions `vers=4.2` and `addr=IP`."
        ),
        _ => format!("{target}: mounting {source} {fstype} {:?} {:?} failed: {}.", call.flags, call.data, errno.desc()),
    }
}

/// Whether a call is for NFS, which the kernel mounts by an address only.
fn lacks_address(call: &Call) -> bool {
    let is_nfs = call.fstype.as_ref().is_some_and(|fstype| fstype == "nfs" || fstype == "nfs4");
    is_nfs && !call.data.as_bytes().split(|byte| *byte == b',').any(|word| word.starts_with(b"addr="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn planned(line: &str) -> Result<Plan, Failure> {
        plan(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    fn one(line: &str) -> Call {
        let mut plan = planned(line).expect("a plan");
        assert_eq!(plan.len(), 1, "{line}");
        plan.remove(0)
    }

    fn call(source: &str, target: &str, fstype: Option<&str>, flags: MsFlags, data: &str) -> Call {
        Call {
            source: Some(source.into()),
            target: target.into(),
            fstype: fstype.map(OsString::from),
            flags,
            data: data.into(),
        }
    }

    const NONE: MsFlags = MsFlags::empty();

    #[test]
    fn filesystems_as_kubelet_mounts_them() {
        assert_eq!(one("-t tmpfs tmpfs /d"), call("tmpfs", "/d", Some("tmpfs"), NONE, ""));
        assert_eq!(
            one("-t tmpfs -o size=65536,noswap tmpfs /d"),
            call("tmpfs", "/d", Some("tmpfs"), NONE, "size=65536,noswap")
        );
        assert_eq!(
            one("-t hugetlbfs -o pagesize=2Mi nodev /d"),
            call("nodev", "/d", Some("hugetlbfs"), NONE, "pagesize=2Mi")
        );
        assert_eq!(
            one("-t ext4 -o ro,discard,defaults /dev/sdb /d"),
            call("/dev/sdb", "/d", Some("ext4"), MsFlags::MS_RDONLY, "discard")
        );
        assert_eq!(one("-t nfs -o vers=4 host:/path /d"), call("host:/path", "/d", Some("nfs"), NONE, "vers=4"));
    }

    #[test]
    fn sub_paths_as_kubelet_mounts_them() {
        let bind = MsFlags::MS_BIND;
        assert_eq!(one("--no-canonicalize -o bind /proc/7/fd/9 /t"), call("/proc/7/fd/9", "/t", None, bind, ""));
        assert_eq!(
            one("--no-canonicalize -o bind,remount,nosuid,ro,relatime /proc/7/fd/9 /t"),
            call(
                "/proc/7/fd/9",
                "/t",
                None,
                bind | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_RDONLY | MsFlags::MS_RELATIME,
                ""
            )
        );
        assert_eq!(one("-o bind,_netdev /s /t"), call("/s", "/t", None, bind, ""));
    }

    #[test]
    fn a_read_only_bind_is_two_calls() {
        let plan = planned("-o bind,ro /s /t").expect("a plan");
        let remount = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        assert_eq!(plan, [call("/s", "/t", None, MsFlags::MS_BIND, ""), call("/s", "/t", None, remount, "")]);
    }

    #[test]
    fn nfs_without_an_address_is_told_what_to_give() {
        let said = |line: &str, errno| explain(&one(line), errno);
        for line in ["-t nfs host:/path /d", "-t nfs4 -o vers=4.2,clientaddr=192.0.2.1 host:/path /d"] {
            let text = said(line, Errno::EINVAL);
            assert!(text.starts_with("/d: ") && text.contains("`vers=4.2` and `addr=IP`"), "{text}");
            assert!(!said(line, Errno::EPERM).contains("addr=IP"), "{line}");
        }
        for line in ["-t nfs -o vers=4.2,addr=192.0.2.1 host:/path /d", "-t tmpfs tmpfs /d"] {
            let text = said(line, Errno::EINVAL);
            assert!(text.contains("failed: Invalid argument"), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for wrong in
            ["", "/t", "a b c", "-t", "-o", "-o bind /t", "-x /s /t", "/s /t", "-o bind,size=1 /s /t", "-t tmpfs /t"]
        {
            assert!(matches!(planned(wrong), Err(Failure::Usage(_))), "{wrong:?}");
        }
        assert_eq!(one("-t tmpfs -- -odd /t").source, Some("-odd".into()));
    }

    proptest! {
        #[test]
        fn any_arguments_give_a_plan_or_an_error(
            arguments in proptest::collection::vec(
                prop_oneof![
                    "(-t|-o|-c|--|bind|remount,bind|ro|tmpfs|/a|--no-canonicalize)".prop_map(OsString::from),
                    proptest::collection::vec(any::<u8>(), 0..12).prop_map(|b| OsStr::from_bytes(&b).to_owned()),
                ],
                0..8,
            ),
        ) {
            let _ = plan(&arguments);
        }
    }
}
