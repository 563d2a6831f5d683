//! `losetup -f FILE`, `losetup -f`, `losetup -d DEVICE`: kubelet's lock on raw block volumes. kubelet then finds the
//! device by its `backing_file` in sysfs, so nothing need be printed.

use super::Failure;
use crate::sys::loopdev;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Others may take the free device that the kernel just named; each round a new one is asked for.
const ATTEMPTS: usize = 16;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Attach a file to the first free device, and say which if asked.
    Attach {
        /// What is behind the device.
        file: PathBuf,
        /// Print the device.
        show: bool,
    },
    /// Print the first free device.
    Free,
    /// Detach these.
    Detach(Vec<PathBuf>),
}

/// Arguments → what to do.
pub fn plan(arguments: &[OsString]) -> Result<Plan, Failure> {
    let show = arguments.iter().any(|argument| argument == "--show");
    let rest: Vec<&OsString> = arguments.iter().filter(|argument| *argument != "--show").collect();
    let Some((verb, operands)) = rest.split_first() else { return Err(usage()) };
    if operands.iter().any(|operand| operand.is_empty() || operand.as_bytes().starts_with(b"-")) {
        return Err(usage());
    }
    match (verb.as_bytes(), operands) {
        (b"-f" | b"--find", []) if !show => Ok(Plan::Free),
        (b"-f" | b"--find", [file]) => Ok(Plan::Attach { file: file.into(), show }),
        (b"-d" | b"--detach", [_, ..]) if !show => Ok(Plan::Detach(operands.iter().map(PathBuf::from).collect())),
        _ => Err(usage()),
    }
}

fn usage() -> Failure {
    Failure::Usage("usage: losetup -f [--show] [FILE] | -d DEVICE...".to_owned())
}

/// Asks the kernel.
pub fn execute(plan: &Plan) -> Result<(), Failure> {
    match plan {
        Plan::Free => {
            loopdev::free().map(|device| println!("{}", device.display())).map_err(kernel("/dev/loop-control"))
        }
        Plan::Attach { file, show } => {
            let device = attach(file)?;
            if *show {
                println!("{}", device.display());
            }
            Ok(())
        }
        Plan::Detach(devices) => devices.iter().try_for_each(|device| loopdev::detach(device).map_err(kernel(device))),
    }
}

fn attach(file: &Path) -> Result<PathBuf, Failure> {
    for _ in 0..ATTEMPTS {
        let device = loopdev::free().map_err(kernel("/dev/loop-control"))?;
        if loopdev::attach(&device, file).map_err(kernel(file))? {
            return Ok(device);
        }
    }
    Err(Failure::Kernel(format!("{}: no free loop device after {ATTEMPTS} attempts", file.display())))
}

fn kernel<E: std::fmt::Display>(path: impl AsRef<Path>) -> impl FnOnce(E) -> Failure {
    move |error| Failure::Kernel(format!("{}: {error}", path.as_ref().display()))
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
        assert_eq!(planned("-f /v"), Ok(Plan::Attach { file: "/v".into(), show: false }));
        assert_eq!(planned("-f --show /v"), Ok(Plan::Attach { file: "/v".into(), show: true }));
        assert_eq!(planned("-f"), Ok(Plan::Free));
        assert_eq!(planned("-d /dev/loop3"), Ok(Plan::Detach(vec!["/dev/loop3".into()])));
        for wrong in ["", "-d", "-a", "/v", "-f /a /b", "-f -r", "-d --show /dev/loop3"] {
            assert_eq!(planned(wrong), Err(usage()), "{wrong:?}");
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
