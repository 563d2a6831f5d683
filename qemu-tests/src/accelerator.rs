//! Does KVM work? A `/dev/kvm` that exists proves nothing (nested, seccomp, a broken host): a vCPU must run.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use crate::{Result, program};

/// What runs the guest's instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor itself.
    Kvm,
    /// QEMU's translator.
    Tcg {
        /// Why it is not KVM.
        because: String,
    },
}

impl Accelerator {
    /// Probes once per process.
    pub fn probe() -> Result<Accelerator> {
        static PROBED: OnceLock<Accelerator> = OnceLock::new();
        if let Some(known) = PROBED.get() {
            return Ok(known.clone());
        }
        let found = Accelerator::of(&program::find(program::QEMU)?, Duration::from_secs(5));
        Ok(PROBED.get_or_init(|| found).clone())
    }

    /// What this QEMU can use, found out within `limit`.
    fn of(qemu: &Path, limit: Duration) -> Accelerator {
        match tiny_guest(qemu, "kvm", limit) {
            Ok(()) => Accelerator::Kvm,
            Err(because) => Accelerator::Tcg { because },
        }
    }

    /// `kvm` or `tcg`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg { .. } => "tcg",
        }
    }

    pub(crate) fn argument(&self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg { .. } => "tcg,thread=multi",
        }
    }
}

impl std::fmt::Display for Accelerator {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Accelerator::Kvm => write!(out, "KVM"),
            Accelerator::Tcg { because } => write!(out, "TCG (emulation; KVM: {because})"),
        }
    }
}

/// The last 256 bytes of a tiny guest's BIOS. It enters protected mode, uses FPU and SSE, and writes a byte to
/// QEMU's exit port. Less would not do: a KVM without hardware below it was met that ran real mode and stopped
/// at the first `finit` of protected mode, which is where OVMF then hung for ever.
#[rustfmt::skip]
const GUEST: [&[u8]; 17] = [
    &[0xfa],                                                  // 00: cli
    &[0x2e, 0x66, 0x0f, 0x01, 0x16, 0x18, 0xff],              // 01: lgdtl %cs:0xff18
    &[0x0f, 0x20, 0xc0],                                      // 08: mov %cr0, %eax
    &[0x0c, 0x01],                                            // 0b: or $1, %al
    &[0x0f, 0x22, 0xc0],                                      // 0d: mov %eax, %cr0
    &[0x66, 0xea, 0x1e, 0xff, 0xff, 0xff, 0x08, 0x00],        // 10: ljmpl $8, $0xffffff1e
    &[0x17, 0x00, 0x48, 0xff, 0xff, 0xff],                    // 18: limit and address of the descriptors
    &[0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8],                    // 1e: mov $16, %ax; mov %ax, %ds
    &[0x9b, 0xdb, 0xe3],                                      // 24: finit
    &[0xd9, 0x2d, 0x40, 0xff, 0xff, 0xff],                    // 27: fldcw 0xffffff40
    &[0x0f, 0x20, 0xe0, 0x0d, 0x00, 0x06, 0x00, 0x00],        // 2d: mov %cr4, %eax; or $0x600, %eax
    &[0x0f, 0x22, 0xe0, 0x0f, 0x57, 0xc0],                    // 35: mov %eax, %cr4; xorps %xmm0, %xmm0
    &[0xb0, 0x31, 0xe6, 0xf4, 0xf4],                          // 3b: mov $0x31, %al; out %al, $0xf4; hlt
    &[0x7f, 0x03, 0, 0, 0, 0, 0, 0],                          // 40: FPU control word
    &[0, 0, 0, 0, 0, 0, 0, 0],                                // 48: null descriptor
    &[0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0],                    // 50: flat code
    &[0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0],                    // 58: flat data
];
/// At the reset vector, 16 bytes before the end: a jump 0xf0 bytes back.
const RESET: [u8; 3] = [0xe9, 0x0d, 0xff];
/// `isa-debug-exit` makes `(byte << 1) | 1` of the byte 0x31.
const EXIT_STATUS: i32 = (0x31 << 1) | 1;

fn tiny_bios() -> Vec<u8> {
    let mut last = GUEST.concat();
    last.resize(0xf0, 0xf4);
    last.extend(RESET);
    last.resize(0x100, 0xf4);
    let mut bios = vec![0xf4; 64 * 1024 - last.len()];
    bios.extend(last);
    bios
}

/// Runs the tiny guest; `Err` says in a few words why it did not end as it must.
fn tiny_guest(qemu: &Path, accelerator: &str, limit: Duration) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let bios = folder.path().join("bios");
    std::fs::write(&bios, tiny_bios()).map_err(|error| error.to_string())?;
    let mut child = Command::new(qemu)
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", "16", "-cpu", "max"])
        .args(["-accel", accelerator, "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-bios"])
        .arg(&bios)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let said = first_line(child.stderr.take(), limit);
    if !matches!(said, Said::Nothing) {
        // It hangs in KVM_RUN, or QEMU keeps the dead machine for a debugger, or it is about to end by itself.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match said {
        Said::Nothing if status.code() == Some(EXIT_STATUS) => Ok(()),
        Said::Nothing => Err(format!("QEMU ended with {status}")),
        Said::Line(line) => Err(without_program(&line).to_owned()),
        Said::Late => Err(format!("a virtual processor did not run within {} s", limit.as_secs_f32())),
    }
}

/// What a tiny guest's QEMU has to say.
enum Said {
    /// It ended in silence.
    Nothing,
    /// The first line of a complaint.
    Line(String),
    /// Neither in time.
    Late,
}

fn first_line(stream: Option<impl Read + Send + 'static>, limit: Duration) -> Said {
    let Some(stream) = stream else { return Said::Nothing };
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(stream).read_line(&mut line);
        let _ = sender.send(line);
    });
    match receiver.recv_timeout(limit) {
        Ok(line) if line.trim().is_empty() => Said::Nothing,
        Ok(line) => Said::Line(line),
        Err(_) => Said::Late,
    }
}

fn without_program(line: &str) -> &str {
    line.rsplit_once("qemu-system-x86_64: ").map_or(line, |(_, text)| text).trim()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[cfg(feature = "boot")]
    fn real() -> std::path::PathBuf {
        program::find(program::QEMU).unwrap()
    }

    #[cfg(feature = "boot")]
    #[test]
    fn the_tiny_guest_runs_under_emulation() {
        assert_eq!(tiny_guest(&real(), "tcg", Duration::from_secs(60)), Ok(()));
    }

    #[cfg(feature = "boot")]
    #[test]
    fn an_accelerator_that_is_not_there_is_told_from_one_that_works() {
        assert!(tiny_guest(&real(), "no-such-accelerator", Duration::from_secs(20)).is_err());
    }

    /// What is found with a QEMU that does this when it is asked for KVM, and how long that took.
    fn found(does: &str, limit: Duration) -> (Accelerator, Duration) {
        let folder = tempfile::tempdir().unwrap();
        let qemu = folder.path().join("qemu-system-x86_64");
        let script = format!("#!/bin/sh\ncase \"$*\" in *\"-accel kvm \"*) {does} ;; *) exit 9 ;; esac\n");
        // By another process: while this one holds the file open, a child of another test's may hold it too, and
        // what is open for writing cannot be started.
        let mut write = Command::new("sh");
        write.args(["-c", "printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"", "sh", &script]).arg(&qemu);
        assert!(write.status().unwrap().success());
        let start = Instant::now();
        let found = Accelerator::of(&qemu, limit);
        (found, start.elapsed())
    }

    fn because(reason: &str) -> Accelerator {
        Accelerator::Tcg { because: reason.into() }
    }

    /// Far beyond what a test waits for.
    const HANG: &str = "exec sleep 600";

    #[test]
    fn a_processor_that_never_runs_is_killed_at_the_deadline() {
        let (found, took) = found(HANG, Duration::from_millis(300));
        assert_eq!(found, because("a virtual processor did not run within 0.3 s"));
        assert!(took < Duration::from_secs(300), "it was waited for: {took:?}");
    }

    #[test]
    fn a_kvm_that_breaks_is_told_in_qemus_words() {
        let complaint = "echo 'KVM internal error. Suberror: 1' >&2; echo 'EAX=00000000' >&2;";
        // QEMU keeps a machine that broke for a debugger, or ends.
        for then in [HANG, "exit 1"] {
            let (found, took) = found(&format!("{complaint} {then}"), Duration::from_secs(300));
            assert_eq!(found, because("KVM internal error. Suberror: 1"));
            assert!(took < Duration::from_secs(300), "it was waited for: {took:?}");
        }
    }

    #[test]
    fn only_the_guests_own_status_is_a_kvm_that_works() {
        let limit = Duration::from_secs(300);
        assert_eq!(found(&format!("exit {EXIT_STATUS}"), limit).0, Accelerator::Kvm);
        assert_eq!(found("exit 0", limit).0, because("QEMU ended with exit status: 0"));
        assert_eq!(found("kill -KILL $$", limit).0, because("QEMU ended with signal: 9 (SIGKILL)"));
    }

    #[test]
    fn a_complaint_is_told_without_the_programs_name() {
        assert_eq!(without_program("qemu-system-x86_64: no kvm\n"), "no kvm");
        assert_eq!(without_program("KVM internal error. Suberror: 1\n"), "KVM internal error. Suberror: 1");
    }
}
