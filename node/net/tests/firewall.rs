//! The firewall as the kernel has it, read back by `nft`, and by connecting from the other end of a wire.

mod lab;

use lab::{Lab, Process};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use orlop_config::firewall::Chain;
use orlop_config::node::NodeConfigPolicy;
use orlop_config::node_config::NodeConfig;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::time::Duration;

const CONNECT: &str = "ORLOP_NET_CONNECT";
const LISTEN: &str = "ORLOP_NET_LISTEN";
/// Where the far end listens: kubelet's port, a NodePort, what the definition opens to the cluster and to all, and two that
/// nobody opened.
const PORTS: [u16; 6] = [10250, 30080, 4005, 443, 22, 8080];
const OPENINGS: &str = r#"{"open":["tcp/443"],"open_to_cluster":["udp/8472","tcp/4000-4010"]}"#;
/// The cluster's networks, as the node config names them.
const NETWORKS: &str = "networks = [\"192.0.2.0/25\", \"2001:db8:0:0:1::/80\"]";
/// Another host of each family that is of the cluster, and one that is not; and the node itself.
const CLUSTER: [&str; 2] = ["192.0.2.1", "2001:db8::1:0:0:1"];
const STRANGERS: [&str; 2] = ["192.0.2.201", "2001:db8::201"];
const NODE: [&str; 2] = ["192.0.2.77", "2001:db8::77"];
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

/// The ports of the node that a host reaches.
fn reached(from: &str, node: &str) -> Vec<u16> {
    let (from, node): (IpAddr, IpAddr) = (from.parse().expect("an address"), node.parse().expect("an address"));
    PORTS.into_iter().filter(|port| reaches(from, SocketAddr::new(node, *port))).collect()
}

fn reaches(from: IpAddr, to: SocketAddr) -> bool {
    let kind = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let made = socket(kind, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    bind(made.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(from, 0))).expect("an address of this host");
    // Of Linux: for a connection that is being made, too.
    setsockopt(&made, sockopt::SendTimeout, &TimeVal::milliseconds(CLOSED.as_millis() as i64)).expect("a deadline");
    match connect(made.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) => true,
        Err(error) => {
            assert!(matches!(error, Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT), "{from} to {to}: {error}");
            false
        }
    }
}

fn open_and_closed() {
    for ((cluster, stranger), node) in CLUSTER.into_iter().zip(STRANGERS).zip(NODE) {
        assert_eq!(reached(cluster, node), [10250, 30080, 4005, 443], "{cluster} to {node}");
        assert_eq!(reached(stranger, node), [30080, 443], "{stranger} to {node}");
    }
}

/// A node config that names the cluster's networks.
fn least() -> String {
    let least = include_str!("../../../config/tests/node_config/least.toml");
    least.replace("[cluster]", &format!("[cluster]\n{NETWORKS}"))
}

/// The same for a node at [`NODE`].
fn document() -> String {
    let least = least();
    let [four, six] = NODE;
    format!(
        "{least}\n[[network.interfaces]]\nname = \"cl0\"\naddresses = [\"{four}/24\", \"{six}/64\"]\n\
         gateway4 = \"192.0.2.1\"\ngateway6 = \"2001:db8::1:0:0:1\"\n"
    )
}

#[test]
fn what_no_rule_opens_is_closed_whatever_others_do_to_their_tables() {
    lab::inside("what_no_rule_opens_is_closed_whatever_others_do_to_their_tables", |lab| {
        let hosts = [CLUSTER, STRANGERS].concat();
        let hosts: Vec<String> =
            hosts.iter().map(|one| format!("{one}/{}", if one.contains(':') { 64 } else { 24 })).collect();
        lab.card(0, &hosts.iter().map(String::as_str).collect::<Vec<_>>());
        lab.there(
            "nft add table inet kube-proxy; nft add chain inet kube-proxy c; nft add rule inet kube-proxy c accept",
        );
        std::fs::create_dir_all(lab.run()).expect("a folder");
        std::fs::write(lab.run().join("config.toml"), document()).expect("written");
        let settings = lab.settings_with(r#""fw_cfg""#, OPENINGS);
        let _listeners = listen(&lab);
        let mut net = lab.net(&["--card", "cl0", "--settings", &settings]);
        lab.ready(&mut net);
        lab.until_there("ip -6 address show dev cl0", "2001:db8::77/64 scope global");
        lab.until_gone_there("ip -6 address show dev cl0", "tentative");
        open_and_closed();
        the_kernel_has_the_rules(&lab);
        assert!(lab.there("nft list ruleset").contains("table inet kube-proxy"), "others' tables stay");

        // Others reload their tables; a flush of everything is not ours to suffer.
        lab.there("nft flush table inet kube-proxy; nft delete table inet kube-proxy; nft flush ruleset");
        lab.there("nft add table ip nat; nft add chain ip nat pre '{ type nat hook prerouting priority -100; }'");
        open_and_closed();
        // What others lead to a local port on purpose is let in: a host port.
        lab.there("nft add rule ip nat pre tcp dport 8443 redirect to :8080");
        let (from, node) = (CLUSTER[0].parse().expect("one"), NODE[0].parse().expect("one"));
        let at = |port| SocketAddr::new(node, port);
        assert!(reaches(from, at(8443)) && !reaches(from, at(8080)));

        // Killed: it stays closed, and the next one takes the table over.
        net.kill();
        open_and_closed();
        let mut net = lab.net(&["--card", "cl0", "--settings", &settings]);
        lab.ready(&mut net);
        open_and_closed();
        assert_eq!(lab.there("nft list tables").matches("orlop").count(), 1);
    });
}

/// `nft` reads each rule back, in its chain and in the order in which `orlop config render` shows them.
fn the_kernel_has_the_rules(lab: &Lab) {
    let policy: NodeConfigPolicy = serde_json::from_str(&format!(
        r#"{{"class":"public","providers":["fw_cfg"],"allow":[],"static_pods":[],"firewall":{OPENINGS}}}"#
    ))
    .expect("a policy");
    let config = NodeConfig::parse(document().as_bytes(), "config.toml", &policy).expect("a node config");
    for chain in Chain::ALL {
        let name = chain.name();
        let text = lab.there(&format!("nft --numeric-priority --stateless list chain inet orlop {name}"));
        let lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with("chain ")).skip(1);
        let mut lines = lines.take_while(|line| *line != "}");
        match chain {
            Chain::Input => assert_eq!(lines.next(), Some("type filter hook input priority 0; policy drop;")),
            Chain::Forward => assert_eq!(lines.next(), Some("type filter hook forward priority 0; policy accept;")),
            Chain::Cluster => {}
        }
        let rules = config.firewall(&policy.firewall);
        let rules: Vec<String> = rules.iter().filter(|rule| rule.chain == chain).map(ToString::to_string).collect();
        let found: Vec<String> = lines.map(|line| line.replace(" counter", "")).collect();
        assert_eq!(found, rules, "{text}");
    }
}

#[test]
fn before_there_is_a_document_nothing_is_open() {
    lab::inside("before_there_is_a_document_nothing_is_open", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        let _listeners = listen(&lab);
        std::fs::create_dir_all(lab.folder.path().join("sys/firmware")).expect("a folder");
        let sys = format!("{}/sys", lab.folder.path().display());
        let settings = lab.settings_with(r#""fw_cfg""#, OPENINGS);
        let mut net = lab.net(&["--card", "cl0", "--settings", &settings, "--sys", &sys]);
        net.says("no fw_cfg, or the module");
        let _server = lab.dnsmasq(0, &["--dhcp-range=192.0.2.50,192.0.2.50,2m"]);
        lab.until_there("ip -4 address show dev cl0", "inet 192.0.2.50");
        assert_eq!(reached("192.0.2.1", "192.0.2.50"), [0u16; 0]);
        let item = lab.folder.path().join("sys/firmware/qemu_fw_cfg/by_name/opt/orlop/config");
        std::fs::create_dir_all(&item).expect("a folder");
        std::fs::write(item.join("raw"), least()).expect("written");
        lab.ready(&mut net);
        assert_eq!(reached("192.0.2.1", "192.0.2.50"), [10250, 30080, 4005, 443]);
    });
}

#[test]
fn pods_do_not_reach_the_metadata_and_the_node_does() {
    lab::inside("pods_do_not_reach_the_metadata_and_the_node_does", |lab| {
        // The metadata's addresses and an ordinary one, of both families.
        let metadata = ["169.254.169.254/32", "fd00:ec2::254/128", "fd20:ce::254/128"];
        let hosts = [&metadata[..], &["198.51.100.9/32", "2001:db8:9::9/128"]].concat();
        lab.card(0, &[&["192.0.2.1/24", "2001:db8::1/64"], &hosts[..]].concat());
        // As a node is: it forwards packets, and listens to no routers by itself.
        lab.there("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        lab.there("sysctl -qw net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.cl0.accept_ra=0");
        let server = ["--dhcp-range=192.0.2.50,192.0.2.59,2m", "--dhcp-range=2001:db8::,ra-only", "--enable-ra"];
        let _server = lab.dnsmasq(0, &server);
        let mut net = lab.net(&["--card", "cl0"]);
        lab.ready(&mut net);
        lab.until_there("ip -6 route show default", "dev cl0 proto ra");
        lab.until_there("ip -6 address show dev cl0", "scope global dynamic");
        lab.until_gone_there("ip -6 address show dev cl0", "tentative");
        let serve = |host: &&str| {
            let (address, _) = host.split_once('/').expect("a length");
            TcpListener::bind(SocketAddr::new(address.parse().expect("an address"), 80)).expect("a listener")
        };
        let web: Vec<TcpListener> = hosts.iter().map(serve).collect();
        // A pod: a namespace behind the node's.
        let pod = lab.pod();
        for family in ["ip", "ip6"] {
            let chain = format!("{family} nat post");
            lab.there(&format!("nft add table {family} nat"));
            lab.there(&format!("nft add chain {chain} '{{ type nat hook postrouting priority 100; }}'"));
            lab.there(&format!("nft add rule {chain} oifname cl0 masquerade"));
        }
        for (number, listener) in web.iter().enumerate() {
            let host = listener.local_addr().expect("an address").to_string();
            assert_eq!(connects(lab.enter(), &host), "reached", "the node to {host}");
            let wanted = if number < metadata.len() { "nothing" } else { "reached" };
            assert_eq!(connects(pod.enter(), &host), wanted, "a pod to {host}");
        }
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
