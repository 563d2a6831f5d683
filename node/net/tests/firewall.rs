//! The firewall as the kernel has it, read back by `nft`, and by connecting from the other end of a wire.

mod lab;

use lab::{Lab, Process};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

const CONNECT: &str = "ORLOP_NET_CONNECT";
const LISTEN: &str = "ORLOP_NET_LISTEN";
const PORTS: [u16; 4] = [10250, 30080, 22, 8080];
const CLOSED: Duration = Duration::from_millis(300);

/// Not a test of its own: the far end's listeners, which the tests start by this name.
#[test]
fn listeners() {
    if std::env::var_os(LISTEN).is_none() {
        return;
    }
    let listeners: Vec<TcpListener> =
        PORTS.iter().map(|port| TcpListener::bind(("::", *port)).expect("a port")).collect();
    println!("listening");
    std::thread::park();
    drop(listeners);
}

fn listen(lab: &Lab) -> Process {
    let mut command: Command = lab.enter();
    command.arg(std::env::current_exe().expect("this program"));
    command.args(["--exact", "listeners", "--nocapture"]).env(LISTEN, "1");
    let mut process = Process::start("listeners", &mut command);
    process.says("listening");
    process
}

fn reaches(address: &str, port: u16) -> bool {
    let address: IpAddr = address.parse().expect("an address");
    match TcpStream::connect_timeout(&SocketAddr::new(address, port), CLOSED) {
        Ok(_) => true,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock), "{port}: {error}");
            false
        }
    }
}

fn open_and_closed() {
    for address in ["192.0.2.77", "2001:db8::77"] {
        let open: Vec<u16> = PORTS.into_iter().filter(|port| reaches(address, *port)).collect();
        assert_eq!(open, [10250, 30080], "{address}");
    }
}

#[test]
fn what_no_rule_opens_is_closed_whatever_others_do_to_their_tables() {
    lab::inside("what_no_rule_opens_is_closed_whatever_others_do_to_their_tables", |lab| {
        lab.card(0, &["192.0.2.1/24", "2001:db8::1/64"]);
        lab.there(
            "nft add table inet kube-proxy; nft add chain inet kube-proxy c; nft add rule inet kube-proxy c accept",
        );
        let document = include_str!("../../../config/tests/node_config/least.toml");
        let document = format!(
            "{document}\n[[network.interfaces]]\nname = \"cl0\"\naddresses = [\"192.0.2.77/24\", \"2001:db8::77/64\"]\ngateway4 = \"192.0.2.1\"\ngateway6 = \"2001:db8::1\"\n"
        );
        std::fs::create_dir_all(lab.run()).expect("a folder");
        std::fs::write(lab.run().join("config.toml"), document).expect("written");
        let settings = lab.settings(r#""fw_cfg""#);
        let _listeners = listen(&lab);
        let mut net = lab.net(&["--card", "cl0", "--settings", &settings]);
        lab.ready(&mut net);
        lab.until_there("ip -6 address show dev cl0", "2001:db8::77/64 scope global");
        lab.until_gone_there("ip -6 address show dev cl0", "tentative");
        open_and_closed();

        let table = lab.there("nft --numeric-priority --stateless list table inet orlop");
        for line in [
            "type filter hook input priority 0; policy drop;",
            "type filter hook forward priority 0; policy accept;",
            "ct state established,related",
            "iifname \"lo\"",
            "ip6 saddr fe80::/10 udp sport 547 udp dport 546",
            "ct status dnat",
            "tcp dport 10250",
            "tcp dport 30000-32767",
            "ip daddr 169.254.169.254",
            "ip6 daddr fd00:ec2::254",
            "ip daddr 168.63.129.16 tcp dport 32526",
        ] {
            assert!(table.contains(line), "{line}: {table}");
        }
        assert!(lab.there("nft list ruleset").contains("table inet kube-proxy"), "others' tables stay");

        // Others reload their tables; a flush of everything is not ours to suffer.
        lab.there("nft flush table inet kube-proxy; nft delete table inet kube-proxy; nft flush ruleset");
        lab.there("nft add table ip nat; nft add chain ip nat pre '{ type nat hook prerouting priority -100; }'");
        open_and_closed();
        // What others lead to a local port on purpose is let in: a host port.
        lab.there("nft add rule ip nat pre tcp dport 8443 redirect to :8080");
        assert!(reaches("192.0.2.77", 8443) && !reaches("192.0.2.77", 8080));

        // Killed: it stays closed, and the next one takes the table over.
        net.kill();
        open_and_closed();
        let mut net = lab.net(&["--card", "cl0", "--settings", &settings]);
        lab.ready(&mut net);
        open_and_closed();
        assert_eq!(lab.there("nft list tables").matches("orlop").count(), 1);
    });
}

#[test]
fn pods_do_not_reach_the_metadata_and_the_node_does() {
    lab::inside("pods_do_not_reach_the_metadata_and_the_node_does", |lab| {
        lab.card(0, &["192.0.2.1/24", "169.254.169.254/32", "198.51.100.9/32"]);
        let _server = lab.dnsmasq(0, &["--dhcp-range=192.0.2.50,192.0.2.59,2m"]);
        let mut net = lab.net(&["--card", "cl0"]);
        lab.ready(&mut net);
        let _web = [TcpListener::bind("169.254.169.254:80"), TcpListener::bind("198.51.100.9:80")];
        // A pod: a namespace behind the node's.
        let pod = lab.pod();
        lab.there("sysctl -qw net.ipv4.ip_forward=1");
        lab.there("nft add table ip nat; nft add chain ip nat post '{ type nat hook postrouting priority 100; }'");
        lab.there("nft add rule ip nat post oifname cl0 masquerade");
        assert_eq!(connects(lab.enter(), "169.254.169.254:80"), "reached");
        assert_eq!(connects(pod.enter(), "198.51.100.9:80"), "reached");
        assert_eq!(connects(pod.enter(), "169.254.169.254:80"), "nothing");
    });
}

/// Not a test of its own: connects from another namespace.
#[test]
fn connector() {
    let Ok(to) = std::env::var(CONNECT) else { return };
    let to: SocketAddr = to.parse().expect("an address");
    println!("{}", if TcpStream::connect_timeout(&to, 3 * CLOSED).is_ok() { "reached" } else { "nothing" });
}

fn connects(mut from: Command, to: &str) -> &'static str {
    from.arg(std::env::current_exe().expect("this program")).args(["--exact", "connector", "--nocapture"]);
    let output = from.env(CONNECT, to).output().expect("a connection");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ["reached", "nothing"].into_iter().find(|word| text.contains(word)).unwrap_or("an error")
}
