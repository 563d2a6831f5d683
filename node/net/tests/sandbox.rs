//! What the program has given up, seen from outside and from inside.

mod lab;

use orlop_net::log::Log;
use orlop_net::sandbox::{Open, enter};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;

#[test]
fn the_program_has_two_capabilities_a_filter_and_no_way_back() {
    lab::inside("the_program_has_two_capabilities_a_filter_and_no_way_back", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        let mut net = lab.net(&["--card", "cl0"]);
        net.says("the carrier is there");
        let status = std::fs::read_to_string(format!("/proc/{}/status", net.pid())).expect("its status");
        for line in [
            "CapInh:\t0000000000000000",
            "CapPrm:\t0000000002001000",
            "CapEff:\t0000000002001000",
            "CapBnd:\t0000000002001000",
            "CapAmb:\t0000000000000000",
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
        ] {
            assert!(status.contains(line), "{line}: {status}");
        }
    });
}

#[test]
fn what_it_does_not_need_is_closed() {
    lab::inside("what_it_does_not_need_is_closed", |lab| {
        let run = lab.run();
        std::fs::create_dir_all(&run).expect("a folder");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let web = TcpListener::bind((Ipv4Addr::LOCALHOST, 80)).expect("port 80");
        let other = listener.local_addr().expect("an address");
        // In a thread of its own, which is all that is closed: the test goes on.
        let closed = std::thread::spawn(move || {
            let mut log = Log::default();
            let read = vec!["/sys/class/net".into()];
            let open = Open { run: &run, read, settings: Path::new("/proc/sys/net") };
            enter(&open, &mut log).expect("closed");
            let denied = |what: &str, kind: ErrorKind| assert_eq!(kind, ErrorKind::PermissionDenied, "{what}");
            denied("a file", std::fs::read("/etc/passwd").expect_err("a file").kind());
            denied("a folder", std::fs::read_dir("/").expect_err("a folder").kind());
            denied("a file written", std::fs::write("/tmp/orlop-net-test", "").expect_err("a file").kind());
            denied("a program", Command::new("/bin/true").status().expect_err("a program").kind());
            denied("a listener", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect_err("a listener").kind());
            denied("another port", TcpStream::connect(other).expect_err("another port").kind());
            TcpStream::connect((Ipv4Addr::LOCALHOST, 80)).expect("a metadata server");
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("UDP");
            std::fs::read_dir("/sys/class/net").expect("what it reads");
            std::fs::write(open.run.join("a"), "b").expect("its folder");
            std::fs::rename(open.run.join("a"), open.run.join("b")).expect("its folder");
        });
        closed.join().expect("all of it");
        drop(web);
    });
}
