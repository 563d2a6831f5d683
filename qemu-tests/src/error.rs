//! What can go wrong with a machine. Each message says the next step.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What can go wrong with a machine.
#[derive(thiserror::Error)]
pub enum Error {
    /// A program of the host is missing.
    #[error("{program} is not installed (looked in PATH); `make setup` installs it (Debian: apt install {package})")]
    NoProgram {
        /// Name of the program.
        program: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// No OVMF.
    #[error(
        "no UEFI firmware found (looked for {looked_for}); `make setup` installs it (Debian: apt install ovmf), or boot without it: --direct"
    )]
    NoFirmware {
        /// The paths that were tried.
        looked_for: String,
    },
    /// A file of the host.
    #[error("{action} {}: {reason}", path.display())]
    File {
        /// What was tried with it.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's answer; in the text, and so not the source: a chain would say it twice.
        reason: io::Error,
    },
    /// A program of the host ended badly.
    #[error("{program} failed ({status}): {stderr}")]
    Program {
        /// Name of the program.
        program: &'static str,
        /// How it ended.
        status: String,
        /// Last lines of what it wrote.
        stderr: String,
    },
    /// Not an image that can be booted.
    #[error("{}: {reason}", path.display())]
    Image {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The machine cannot be described to QEMU.
    #[error("{0}")]
    Machine(String),
    /// Nobody answered as was awaited.
    #[error("no {awaited} within {} s; the last answer: {last}", waited.as_secs_f32())]
    NoAnswer {
        /// What was awaited.
        awaited: String,
        /// How long.
        waited: Duration,
        /// The last answer, or why there was none.
        last: String,
    },
    /// The lab, or a server in it.
    #[error("the lab: {0}")]
    Lab(String),
    /// QEMU ended before its control socket spoke.
    #[error("QEMU did not start: {0}")]
    NotStarted(String),
    /// QEMU refused a command.
    #[error("QEMU refused `{command}`: {answer}")]
    Qmp {
        /// The command.
        command: String,
        /// QEMU's words.
        answer: String,
    },
    /// The boot was refused, while something else was awaited.
    #[error("the boot was refused, stage {stage}: {reason} (while waiting for {awaited})\n{log}")]
    Refused {
        /// What was awaited.
        awaited: String,
        /// The stage of the refusal.
        stage: String,
        /// Its reason.
        reason: String,
        /// Where the console's log is, and its end.
        log: Log,
    },
    /// The kernel panicked, while something else was awaited.
    #[error("the kernel panicked: {line} (while waiting for {awaited})\n{log}")]
    Panic {
        /// What was awaited.
        awaited: String,
        /// The panic's line.
        line: String,
        /// Where the console's log is, and its end.
        log: Log,
    },
    /// The firmware started nothing, while something else was awaited.
    #[error(
        "the firmware starts none of the disks (while waiting for {awaited}); under Secure Boot an `Access Denied` means that no key in its db signed the UKI\n{log}"
    )]
    NothingStarted {
        /// What was awaited.
        awaited: String,
        /// Where the console's log is, and its end.
        log: Log,
    },
    /// The machine ended, while something was awaited.
    #[error("the machine ended ({how}) while waiting for {awaited}\n{log}")]
    Ended {
        /// What was awaited.
        awaited: String,
        /// How it ended.
        how: String,
        /// Where the console's log is, and its end.
        log: Log,
    },
    /// Whoever runs the machine was asked to end it, while something was awaited.
    #[error("stopped by a signal while waiting for {awaited}")]
    Stopped {
        /// What was awaited.
        awaited: String,
    },
    /// It did not come in time.
    #[error("no {awaited} within {} s\n{log}", waited.as_secs_f32())]
    Deadline {
        /// What was awaited.
        awaited: String,
        /// For how long.
        waited: Duration,
        /// Where the console's log is, and its end.
        log: Log,
    },
}

impl Error {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |reason| Error::File { action, path, reason }
    }

    /// Whether the emulator itself broke the boot, which says nothing of the image: starting again is right.
    ///
    /// With several emulated processors QEMU 7.2 sometimes runs a breakpoint that the kernel sets for an instant while
    /// it patches its own code: `Oops: int3`, about a second after the kernel's start and long before init.
    pub fn is_emulators(&self) -> bool {
        let Error::Panic { log, .. } = self else { return false };
        // The whole log: two processors' registers push the first line out of its tail.
        let text = std::fs::read(&log.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.contains("Oops: int3") && !text.contains("orlop: ")
    }
}

/// Tests `unwrap`, and `main` of a test binary prints `Debug`: the same readable text there.
impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The console's log: where the whole of it lies, and how it ends.
#[derive(Clone, Debug)]
pub struct Log {
    /// The file with all of it.
    pub path: PathBuf,
    /// The last lines.
    pub tail: Vec<String>,
}

impl fmt::Display for Log {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "whole serial log: {}; its last {} lines:", self.path.display(), self.tail.len())?;
        self.tail.iter().try_for_each(|line| writeln!(out, "  | {line}"))
    }
}
