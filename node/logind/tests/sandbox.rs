//! The program as PID 1 starts it: what it has given up, and that it does its work without it.

mod kubelet;

use kubelet::{Init, Kubelet, PATIENCE};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const INSIDE: &str = "ORLOP_LOGIND_INSIDE";

/// Runs a test's body as root of a user namespace, as which capabilities can be given up: where there is none to be had
/// the test fails and says so.
fn inside(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let exe = std::env::current_exe().expect("this program");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--kill-child", "--"])
        .arg(exe)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("`unshare` of util-linux is needed");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("unshare failed"), "user namespaces are not to be had here: {text}");
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// The program, which ends with it.
struct Logind {
    child: Child,
    init: Init,
}

impl Logind {
    /// Starts it, and waits until it says that it is ready.
    fn start(folder: &Path) -> Self {
        let notify = folder.join("notify");
        let _ = std::fs::remove_file(&notify);
        let ready = UnixDatagram::bind(&notify).expect("a socket");
        ready.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let child = Command::new(env!("CARGO_BIN_EXE_logind"))
            .arg("--socket")
            .arg(folder.join("dbus/system_bus_socket"))
            .args(["--delay", "45"])
            .env("ORLOP_READS_STDOUT", "1")
            .env("NOTIFY_SOCKET", &notify)
            .stdin(Stdio::null())
            .stdout(OwnedFd::from(theirs))
            .spawn()
            .expect("the program");
        let mut text = [0; 64];
        let length = ready.recv(&mut text).expect("it says that it is ready");
        assert_eq!(&text[..length], b"READY=1\n");
        Logind { child, init: Init::new(ours) }
    }
}

impl Drop for Logind {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_has_no_capability_a_filter_and_does_its_work() {
    inside("it_has_no_capability_a_filter_and_does_its_work", || {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("dbus/system_bus_socket");
        let mut logind = Logind::start(folder.path());
        let status = std::fs::read_to_string(format!("/proc/{}/status", logind.child.id())).expect("its status");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert!(status.contains(&format!("{set}:\t0000000000000000")), "{set}: {status}");
        }
        assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{status}");
        let (mut kubelet, delay, inhibitor) = Kubelet::managing(&socket);
        assert_eq!(delay, 45_000_000);
        logind.init.shutdown();
        assert!(kubelet.message().is_some_and(|signal| signal.has("PrepareForShutdown")));
        assert_eq!(logind.init.hears(), "inhibitors=1");
        drop(inhibitor);
        assert_eq!(logind.init.hears(), "inhibitors=0");
    });
}

#[test]
fn one_that_is_started_again_takes_the_socket_over() {
    inside("one_that_is_started_again_takes_the_socket_over", || {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("dbus/system_bus_socket");
        let first = Logind::start(folder.path());
        let (mut kubelet, ..) = Kubelet::managing(&socket);
        drop(first);
        assert!(kubelet.is_closed(), "kubelet hears of it, and connects again");
        let _second = Logind::start(folder.path());
        Kubelet::managing(&socket);
    });
}

#[test]
fn what_it_does_not_need_is_closed() {
    inside("what_it_does_not_need_is_closed", || {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "text").expect("a file");
        // In a thread of its own, which is all that is closed: the test goes on.
        let closed = std::thread::spawn(move || {
            orlop_logind::sandbox::enter().expect("closed");
            let denied = |what: &str, kind: std::io::ErrorKind| {
                assert_eq!(kind, std::io::ErrorKind::PermissionDenied, "{what}");
            };
            denied("a file", std::fs::read(&path).expect_err("a file").kind());
            denied("a file written", std::fs::write(&path, "").expect_err("a file").kind());
            denied("a socket", UnixStream::pair().expect_err("a socket").kind());
            denied("a connection", UnixStream::connect(&path).expect_err("a connection").kind());
            denied("a program", Command::new("/bin/true").status().expect_err("a program").kind());
        });
        closed.join().expect("all of it");
    });
}
