//! The node config's way through the real program: from a provider to PID 1's pipe and to the network.

mod lab;

use base64::Engine as _;
use lab::{Lab, Process};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

const LEAST: &str = include_str!("../../../config/tests/node_config/least.toml");
const FW_CFG: &str = "sys/firmware/qemu_fw_cfg/by_name/opt/orlop/config/raw";

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("written");
}

/// The program with a pipe as its file 3, of which what comes through ends in the file `document`.
fn net(lab: &Lab, providers: &str) -> Process {
    let folder = lab.folder.path();
    let settings = lab.settings(providers);
    let pipe = folder.join("pipe");
    let _ = std::fs::remove_file(&pipe);
    lab.here(&format!("mkfifo {}", pipe.display()));
    lab.here(&format!("tail -c +5 {0}/pipe > {0}/document 2>/dev/null & exec true", folder.display()));
    let folder = folder.display();
    let sys = format!("{folder}/sys");
    lab.net_through(
        &format!("ORLOP_READS_STDOUT=1 exec \"$0\" \"$@\" >{folder}/pipe"),
        &["--card", "cl0", "--settings", &settings, "--sys", &sys],
    )
}

fn document(lab: &Lab) -> String {
    std::fs::read_to_string(lab.folder.path().join("document")).unwrap_or_default()
}

#[test]
fn a_document_that_comes_late_and_broken_is_taken_once_it_is_whole() {
    lab::inside("a_document_that_comes_late_and_broken_is_taken_once_it_is_whole", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        std::fs::create_dir_all(lab.folder.path().join("sys/firmware")).expect("a folder");
        let mut net = net(&lab, r#""fw_cfg""#);
        net.says("no fw_cfg, or the module");
        let item = lab.folder.path().join(FW_CFG);
        write(&item, b"version = 1\nhostnam = \"a\"\n");
        let line = net.says("hostnam");
        assert!(line.contains("fw_cfg:2:1"), "{line}");
        write(&item, b"version = 2\n");
        net.says("fw_cfg:1:11: version: 2 is newer than this program");
        let secret = LEAST.replace("version = 1", "version = 1\nhostname = \"-\"");
        write(&item, secret.as_bytes());
        net.says("hostname: `-` is not a host name");
        assert!(!net.rest().contains("abcdef.0123456789abcdef"), "{}", net.rest());

        let good = format!(
            "{LEAST}\n[[network.interfaces]]\nname = \"cl0\"\naddresses = [\"192.0.2.77/24\"]\ngateway4 = \"192.0.2.1\"\nmtu = 1399\n\
             [[network.interfaces.routes]]\nto = \"198.51.100.0/24\"\nvia = \"192.0.2.9\"\n\
             [network]\ndns = [\"192.0.2.53\"]\nsearch = [\"lab.example\"]\n"
        );
        write(&item, good.as_bytes());
        net.says("gives the node config");
        lab.ready(&mut net);
        assert!(lab.there("ip -4 address show dev cl0").contains("inet 192.0.2.77/24"));
        assert!(lab.there("ip link show dev cl0").contains("mtu 1399"));
        let routes = lab.there("ip route");
        assert!(
            routes.contains("default via 192.0.2.1") && routes.contains("198.51.100.0/24 via 192.0.2.9"),
            "{routes}"
        );
        assert_eq!(lab.file("resolv.conf"), "search lab.example\nnameserver 192.0.2.53\n");
        lab.until_here(&format!("cat {}/document", lab.folder.path().display()), "192.0.2.53");
        assert_eq!(document(&lab), good, "PID 1 gets the document's bytes");

        // Killed: it knows the document, whatever the provider says now.
        net.kill();
        write(&item, b"version = 3\n");
        let mut net = lab.net(&["--card", "cl0", "--settings", &format!("{}/node.json", lab.folder.path().display())]);
        lab.ready(&mut net);
        assert!(!net.rest().contains("version"), "{}", net.rest());
    });
}

#[test]
fn ec2s_document_is_had_once_dhcp_gave_an_address() {
    lab::inside("ec2s_document_is_had_once_dhcp_gave_an_address", |lab| {
        lab.card(0, &["192.0.2.1/24", "169.254.169.254/32"]);
        let mut net = net(&lab, r#""ec2""#);
        net.says("(os error 101)");
        let listener = TcpListener::bind((Ipv4Addr::new(169, 254, 169, 254), 80)).expect("the metadata address");
        let metadata = std::thread::spawn(move || {
            for body in ["TOKEN", LEAST] {
                let (mut stream, _) = listener.accept().expect("a question");
                let length = stream.read(&mut [0; 4096]).expect("a question");
                assert!(length > 0);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).expect("an answer");
            }
        });
        let _server = lab.dnsmasq(0, &["--dhcp-range=192.0.2.50,192.0.2.59,2m"]);
        lab.ready(&mut net);
        metadata.join().expect("both questions");
        lab.until_here(&format!("cat {}/document", lab.folder.path().display()), "BEGIN CERTIFICATE");
        assert_eq!(document(&lab), LEAST);
        assert!(lab.there("ip -4 address show dev cl0").contains("inet 192.0.2.5"), "DHCP goes on");
    });
}

#[test]
fn who_may_not_give_the_document_is_not_asked() {
    lab::inside("who_may_not_give_the_document_is_not_asked", |lab| {
        lab.card(0, &["192.0.2.1/24", "169.254.169.254/32"]);
        let metadata = TcpListener::bind((Ipv4Addr::new(169, 254, 169, 254), 80)).expect("the metadata address");
        metadata.set_nonblocking(true).expect("a listener");
        write(&lab.folder.path().join(FW_CFG), b"version = 1\nthis is fw_cfg's\n");
        let table = lab.folder.path().join("sys/firmware/dmi/tables/DMI");
        write(&table, b"\x7f\x04\x03\x01\0\0");
        let mut net = net(&lab, r#""smbios""#);
        net.says("smbios: no OEM string (type 11) begins with orlop.config=");
        let _server = lab.dnsmasq(0, &["--dhcp-range=192.0.2.50,192.0.2.59,2m"]);
        lab.until_there("ip -4 address show dev cl0", "inet 192.0.2.5");
        let text = base64::engine::general_purpose::STANDARD.encode(LEAST);
        let strings = format!("orlop.config={text}\0\0");
        write(&table, &[b"\x0b\x05\x01\x01\x01", strings.as_bytes(), b"\x7f\x04\x03\x01\0\0"].concat());
        net.says("smbios: gives the node config");
        lab.ready(&mut net);
        lab.until_here(&format!("cat {}/document", lab.folder.path().display()), "END CERTIFICATE");
        assert_eq!(document(&lab), LEAST);
        assert!(metadata.accept().is_err(), "nobody asked the clouds' metadata");
        assert!(!net.rest().contains("fw_cfg"), "{}", net.rest());
    });
}
