//! The programs that argv[0] selects: mount, umount and losetup, in the forms that kubelet calls them in; poweroff and
//! reboot, in the form that the kernel calls them in.
//!
//! Each is a plan first (arguments → what to ask the kernel, pure) and then the calls. What the plan does not know is
//! refused, never passed over: an option that silently did nothing would be a volume without its protection.

mod losetup;
mod mount;
mod options;
mod stop;
mod umount;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;

/// The names that are applets.
const NAMES: [&str; 5] = ["mount", "umount", "losetup", "poweroff", "reboot"];
/// Exit statuses of mount(8) and umount(8): wrong usage, and the kernel's no.
const USAGE: i32 = 1;
const FAILED: i32 = 32;
/// Of poweroff and reboot: PID 1 could not be told.
const UNHEARD: i32 = 1;

/// Why an applet did not do it.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// The command line is none of those that are understood.
    Usage(String),
    /// The kernel said no.
    Kernel(String),
    /// PID 1 could not be told.
    Unheard(String),
}

impl Failure {
    fn status(&self) -> i32 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Kernel(_) => FAILED,
            Self::Unheard(_) => UNHEARD,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(message) | Self::Kernel(message) | Self::Unheard(message)) = self;
        f.write_str(message)
    }
}

/// Whether a name is an applet's.
pub fn is_one(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Runs the applet that `argv[0]` names; the exit status.
pub fn run<S: AsRef<OsStr>>(argv: &[S]) -> i32 {
    let Some((argv0, arguments)) = argv.split_first() else {
        return USAGE;
    };
    let name = base(argv0.as_ref()).to_string_lossy().into_owned();
    let arguments: Vec<OsString> = arguments.iter().map(|argument| argument.as_ref().to_owned()).collect();
    let done = match name.as_str() {
        "mount" => mount::plan(&arguments).and_then(|plan| mount::execute(&plan)),
        "umount" => umount::plan(&arguments).and_then(|plan| umount::execute(&plan)),
        "losetup" => losetup::plan(&arguments).and_then(|plan| losetup::execute(&plan)),
        "poweroff" | "reboot" => stop::plan(&name, &arguments).and_then(stop::execute),
        _ => Err(Failure::Usage(format!("not one of {}; PID 1 is started by the kernel only", NAMES.join(", ")))),
    };
    match done {
        Ok(()) => 0,
        Err(failure) => {
            eprintln!("{name}: {failure}");
            failure.status()
        }
    }
}

fn base(argv0: &OsStr) -> &OsStr {
    Path::new(argv0).file_name().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_wrong_usage() {
        assert_eq!(run(&["/usr/libexec/orlop/init"]), USAGE);
        assert_eq!(run::<&str>(&[]), USAGE);
        assert!(is_one("reboot") && !is_one("orlop-init"));
    }
}
