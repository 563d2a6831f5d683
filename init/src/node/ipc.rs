//! What PID 1 hears: signals, its own socket, and everything else that can be polled.

use super::shutdown::Wish;
use super::{Ears, Node};
use crate::report::Report;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, bind, recv, socket};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

/// `si_code` of a signal that the kernel sent itself.
const SI_KERNEL: i32 = 0x80;
/// PID 1's own socket; mode 0600 by the umask, root only.
pub const CONTROL: &str = "/run/orlop/control";

/// Signals, read as data.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
    ignored: u32,
}

impl Signals {
    /// Blocks all signals for PID 1 (programs start with none blocked), and has Ctrl-Alt-Del arrive as SIGINT.
    pub fn open() -> io::Result<Self> {
        let all = SigSet::all();
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), None)?;
        let _ = nix::sys::reboot::set_cad_enabled(false);
        Ok(Signals { fd: SignalFd::with_flags(&all, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?, ignored: 0 })
    }

    /// Reads what came. A signal that a process sent is said and ignored: who may stop a node does
    /// it by its key, its keyboard or its socket.
    pub fn read(&mut self, report: &mut Report) -> Vec<Wish> {
        let mut wishes = Vec::new();
        while let Ok(Some(info)) = self.fd.read_signal() {
            let signal = Signal::try_from(info.ssi_signo as i32);
            match signal {
                Ok(Signal::SIGCHLD) => {}
                Ok(Signal::SIGINT) if info.ssi_code == SI_KERNEL => wishes.push(Wish::reboot("ctrl-alt-del")),
                _ if self.ignored < 20 => {
                    self.ignored += 1;
                    report.note("signal", format!("ignored number={} from pid={}", info.ssi_signo, info.ssi_pid));
                }
                _ => {}
            }
        }
        wishes
    }
}

/// The control socket: one datagram, `poweroff` or `reboot`.
#[derive(Debug)]
pub struct Control(OwnedFd);

impl Control {
    /// Binds it.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
        bind(socket.as_raw_fd(), &UnixAddr::new(CONTROL)?)?;
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(CONTROL, std::fs::Permissions::from_mode(0o600))?;
        Ok(Control(socket))
    }

    /// What was asked for.
    pub fn read(&self) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let mut text = [0u8; 64];
        while let Ok(length) = recv(self.0.as_raw_fd(), &mut text, MsgFlags::empty()) {
            match text[..length].trim_ascii() {
                b"poweroff" => wishes.push(Wish::power_off("control socket")),
                b"reboot" => wishes.push(Wish::reboot("control socket")),
                _ => {}
            }
        }
        wishes
    }
}

/// What there is to read. Signals, sockets and jobs are read without asking: that costs nothing.
#[derive(Debug, Default)]
pub struct Heard {
    /// Services whose log pipe has something.
    pub pipes: Vec<usize>,
    /// Services whose health check can go on.
    pub checks: Vec<usize>,
    /// Devices came or went.
    pub devices: bool,
}

/// Waits until something can be read, or the deadline.
pub fn wait(node: &Node, ears: &Ears, deadline: Instant) -> io::Result<Heard> {
    let read = PollFlags::POLLIN;
    let mut fds = vec![
        PollFd::new(ears.uevents.fd(), read),
        PollFd::new(ears.signals.fd.as_fd(), read),
        PollFd::new(ears.notify.fd(), read),
        PollFd::new(ears.control.0.as_fd(), read),
    ];
    let services = fds.len();
    fds.extend(node.services.iter().map(|service| PollFd::new(service.pipe_fd(), read)));
    let checks = fds.len();
    let checked: Vec<usize> = (0..node.services.len()).filter(|at| node.services[*at].check_fd().is_some()).collect();
    for (fd, sends) in checked.iter().filter_map(|at| node.services[*at].check_fd()) {
        fds.push(PollFd::new(fd, if sends { PollFlags::POLLOUT } else { read }));
    }
    fds.extend(node.jobs.iter().filter(|job| job.open()).map(|job| PollFd::new(job.fd(), read)));
    fds.extend(ears.buttons.fds().map(|fd| PollFd::new(fd, read)));
    fds.extend(node.intake.iter().map(|intake| PollFd::new(intake.fd(), read)));
    fds.extend(node.grace.iter().filter_map(|grace| grace.fd()).map(|fd| PollFd::new(fd, read)));
    fds.extend(node.door.iter().map(|door| PollFd::new(door.fd(), read)));
    let left = deadline.saturating_duration_since(Instant::now()).as_millis() as i32;
    match poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let ready = |at: usize| fds[at].any().unwrap_or(false);
    Ok(Heard {
        pipes: (services..checks).filter(|at| ready(*at)).map(|at| at - services).collect(),
        checks: checked.iter().enumerate().filter(|(at, _)| ready(checks + at)).map(|(_, service)| *service).collect(),
        devices: ready(0),
    })
}
