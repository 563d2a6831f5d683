//! What clients say and hear: kubelet, and everybody else.

mod kubelet;

use kubelet::{Init, Kubelet, call};
use orlop_logind::order::Order;
use orlop_logind::server::{Server, bind};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

const DELAY: Duration = Duration::from_secs(45);
const LOGIN: [&str; 2] = ["/org/freedesktop/login1", "org.freedesktop.login1"];

/// The service, in a thread that ends with the test process.
struct Service {
    socket: PathBuf,
    init: Init,
    _folder: tempfile::TempDir,
}

impl Service {
    fn start() -> Self {
        Self::of(nix::unistd::geteuid().as_raw())
    }

    fn of(uid: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("dbus/system_bus_socket");
        let listener = bind(&socket).expect("a socket");
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let order = Order::new(theirs).expect("an order");
        std::thread::spawn(move || Server::new(listener, Some(order), DELAY, uid).run());
        Service { socket, init: Init::new(ours), _folder: folder }
    }

    /// A shutdown as it should be: proof that the service still does what it is for.
    fn ends_well(mut self) {
        let (mut kubelet, delay, inhibitor) = Kubelet::managing(&self.socket);
        assert_eq!(delay, 45_000_000);
        self.init.shutdown();
        let signal = kubelet.message().expect("the signal");
        assert!(signal.kind == 4 && signal.has("PrepareForShutdown"), "{signal:?}");
        assert_eq!(signal.body, [1, 0, 0, 0], "true");
        assert_eq!(self.init.hears(), "inhibitors=1");
        let late = kubelet.inhibit();
        assert!(late.kind == 3 && late.has("the end has begun"), "{late:?}");
        drop(inhibitor);
        assert_eq!(self.init.hears(), "inhibitors=0");
    }
}

#[test]
fn kubelet_takes_an_inhibitor_hears_the_end_and_gives_it_back() {
    Service::start().ends_well();
}

#[test]
fn a_kubelet_that_ends_gives_its_inhibitor_back() {
    let mut service = Service::start();
    let (kubelet, _, inhibitor) = Kubelet::managing(&service.socket);
    let _other = Kubelet::managing(&service.socket);
    service.init.shutdown();
    assert_eq!(service.init.hears(), "inhibitors=2");
    drop((kubelet, inhibitor));
    assert_eq!(service.init.hears(), "inhibitors=1");
}

#[test]
fn without_an_inhibitor_the_end_comes_at_once() {
    let mut service = Service::start();
    let _silent = Kubelet::connect(&service.socket);
    service.init.shutdown();
    assert_eq!(service.init.hears(), "inhibitors=0");
}

#[test]
fn who_is_not_kubelet_is_refused_or_closed_and_the_service_goes_on() {
    let service = Service::start();
    let huge = [&b"l\x01\0\x01\xff\xff\xff\x7f\x01\0\0\0\x10\0\0\0"[..], &[0; 64]].concat();
    let not_named = call(1, [LOGIN[0], LOGIN[1], "org.freedesktop.login1.Manager", "Inhibit"], &["shutdown"]);
    for (what, bytes) in [
        ("garbage", &b"GET / HTTP/1.1\r\n\r\n"[..]),
        ("an endless line", &[&b"\0"[..], &[b'A'; 2000]].concat()),
        ("no authentication", b"\0BEGIN\r\n"),
        ("messages at once", &not_named),
    ] {
        let mut client = Kubelet::connect(&service.socket);
        client.send(bytes);
        assert!(client.is_closed(), "{what}");
    }
    for (what, bytes) in [("a huge message", huge), ("another byte order", b"B".to_vec()), ("garbage", vec![7; 100])] {
        let mut client = Kubelet::named(&service.socket);
        client.send(&bytes);
        assert!(client.is_closed(), "{what}");
    }
    let mut client = Kubelet::named(&service.socket);
    let manager = "org.freedesktop.login1.Manager";
    for (interface, member, texts, name) in [
        (manager, "PowerOff", &["x"][..], "UnknownMethod"),
        (manager, "Inhibit", &["sleep", "x", "y", "delay"], "NotSupported"),
        (manager, "Inhibit", &["shutdown"], "InvalidArgs"),
        ("org.freedesktop.DBus", "Hello", &[], "Failed"),
        ("org.freedesktop.DBus", "RequestName", &["org.freedesktop.login1"], "UnknownMethod"),
        ("org.freedesktop.DBus.Properties", "Get", &[manager, "Docked"], "UnknownProperty"),
    ] {
        let answer = client.call(LOGIN, interface, member, texts);
        assert!(answer.kind == 3 && answer.has(name), "{member}: {answer:?}");
    }
    service.ends_well();
}

#[test]
fn a_call_before_hello_is_refused() {
    let service = Service::start();
    let mut client = Kubelet::connect(&service.socket);
    let uid: String = nix::unistd::geteuid().to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
    client.send(format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n").as_bytes());
    let mut line = [0; 37];
    std::io::Read::read_exact(&mut client.stream, &mut line).expect("OK and a name of the bus");
    let answer = client.inhibit();
    assert!(answer.kind == 3 && answer.has("AccessDenied"), "{answer:?}");
    service.ends_well();
}

#[test]
fn inhibitors_have_an_end() {
    let service = Service::start();
    let mut client = Kubelet::named(&service.socket);
    let held: Vec<_> = (0..4).flat_map(|_| client.inhibit().descriptors).collect();
    assert_eq!(held.len(), 4);
    let refused = client.inhibit();
    assert!(refused.kind == 3 && refused.has("LimitsExceeded"), "{refused:?}");
    drop(held);
    service.ends_well();
}

#[test]
fn many_silent_connections_keep_nobody_out() {
    let service = Service::start();
    let mut silent: Vec<Kubelet> = (0..40).map(|_| Kubelet::connect(&service.socket)).collect();
    assert!(silent[0].is_closed(), "the oldest goes first");
    service.ends_well();
}

#[test]
fn who_does_not_say_who_it_is_is_closed() {
    let service = Service::start();
    let mut silent = Kubelet::connect(&service.socket);
    silent.send(b"\0AUTH\r\n");
    assert!(silent.is_closed());
    service.ends_well();
}

#[test]
fn who_does_not_read_its_answers_is_closed() {
    let service = Service::start();
    let client = Kubelet::named(&service.socket);
    let question = call(7, [LOGIN[0], LOGIN[1], "org.freedesktop.login1.Manager", "PowerOff"], &[]);
    client.stream.set_write_timeout(Some(kubelet::PATIENCE)).expect("a timeout");
    let error = loop {
        if let Err(error) = (&client.stream).write_all(&question) {
            break error;
        }
    };
    assert!(matches!(error.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset), "{error}");
    service.ends_well();
}

#[test]
fn another_user_is_not_served() {
    let service = Service::of(nix::unistd::geteuid().as_raw() + 1);
    let mut client = Kubelet::connect(&service.socket);
    assert!(client.is_closed());
}
