//! `umount [-f] [-l] TARGET`. Its words matter: kubelet looks for `not mounted` at its start, and takes the quick way
//! through every teardown when it finds them.

use super::Failure;
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// One umount2(2).
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    target: OsString,
    flags: MntFlags,
}

/// Arguments → the call.
pub fn plan(arguments: &[OsString]) -> Result<Plan, Failure> {
    let mut flags = MntFlags::empty();
    let mut operands = Vec::new();
    let mut only_operands = false;
    for argument in arguments {
        match argument.as_bytes() {
            _ if only_operands => operands.push(argument),
            b"-f" | b"--force" => flags |= MntFlags::MNT_FORCE,
            b"-l" | b"--lazy" => flags |= MntFlags::MNT_DETACH,
            b"-c" | b"-n" | b"--no-canonicalize" => {}
            b"--" => only_operands = true,
            unknown if unknown.starts_with(b"-") => return Err(usage(&format!("unknown option {argument:?}"))),
            _ => operands.push(argument),
        }
    }
    match operands.as_slice() {
        [target] => Ok(Plan { target: (*target).clone(), flags }),
        _ => Err(usage("umount takes one TARGET")),
    }
}

fn usage(message: &str) -> Failure {
    Failure::Usage(format!("{message}; usage: umount [-f] [-l] TARGET"))
}

/// Asks the kernel.
pub fn execute(plan: &Plan) -> Result<(), Failure> {
    let target = plan.target.display();
    umount2(plan.target.as_os_str(), plan.flags).map_err(|errno| {
        Failure::Kernel(match errno {
            Errno::EINVAL => format!("{target}: not mounted."),
            Errno::ENOENT => format!("{target}: no such mount point."),
            Errno::EBUSY => format!("{target}: target is busy."),
            _ => format!("{target}: {}.", errno.desc()),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::OsStr;

    fn planned(line: &str) -> Result<Plan, Failure> {
        plan(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_forms_of_kubelet() {
        assert_eq!(planned("/t"), Ok(Plan { target: "/t".into(), flags: MntFlags::empty() }));
        assert_eq!(planned("-f /t"), Ok(Plan { target: "/t".into(), flags: MntFlags::MNT_FORCE }));
        assert_eq!(planned("-- -t").map(|plan| plan.target), Ok("-t".into()));
        for wrong in ["", "-a", "/a /b", "-f"] {
            assert!(matches!(planned(wrong), Err(Failure::Usage(_))), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_arguments_give_a_plan_or_an_error(
            arguments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6), 0..4),
        ) {
            let arguments: Vec<_> = arguments.iter().map(|bytes| OsStr::from_bytes(bytes).to_owned()).collect();
            let _ = plan(&arguments);
        }
    }
}
