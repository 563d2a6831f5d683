//! The node config's way through the real program: from a provider to PID 1's pipe and to the network.

mod lab;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lab::disks::{disk, fat};
use lab::{Lab, Process};
use orlop_config::firewall::{Chain, closed};
use orlop_config::node_config::LARGEST;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread::JoinHandle;

const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const WIRESERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
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
    let (sys, dev) = (format!("{folder}/sys"), format!("{folder}/dev"));
    lab.net_through(
        &format!("ORLOP_READS_STDOUT=1 exec \"$0\" \"$@\" >{folder}/pipe"),
        &["--card", "cl0", "--settings", &settings, "--sys", &sys, "--dev", &dev],
    )
}

fn document(lab: &Lab) -> String {
    std::fs::read_to_string(lab.folder.path().join("document")).unwrap_or_default()
}

/// A server of HTTP at an address of this end: it answers each question with the next of these bodies, and then is gone.
/// What it was asked.
fn serve(address: Ipv4Addr, bodies: Vec<String>) -> JoinHandle<Vec<String>> {
    let listener = TcpListener::bind((address, 80)).expect("the address");
    let answer = move |body: String| {
        let (mut stream, _) = listener.accept().expect("a question");
        let mut question = [0; 4096];
        let length = stream.read(&mut question).expect("a question");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).expect("an answer");
        String::from_utf8_lossy(&question[..length]).into_owned()
    };
    std::thread::spawn(move || bodies.into_iter().map(answer).collect())
}

/// The least document of a node with a name.
fn named(name: &str) -> String {
    LEAST.replacen("version = 1", &format!("version = 1\nhostname = \"{name}\""), 1)
}

/// The machine has a `cidata` volume and a disk with an EFI system partition, with a document each: of `nocloud` and `esp`.
fn disks(lab: &Lab) {
    let folder = lab.folder.path();
    write(&folder.join("sys/class/block/vda/size"), b"4096\n");
    write(&folder.join("dev/vda"), &fat("CIDATA", &[("user-data", named("nocloud").as_bytes())]));
    write(&folder.join("sys/class/block/vdb/queue/logical_block_size"), b"512\n");
    write(&folder.join("dev/vdb"), &disk(&fat("ESP", &[("EFI/orlop/config.toml", named("esp").as_bytes())])));
}

/// The firewall is closed, no document is kept, PID 1 has none, and the program goes on.
fn nothing_is_taken(lab: &Lab, net: &Process) {
    let text = lab.there("nft --numeric-priority --stateless list chain inet orlop input");
    let hook = "type filter hook input priority 0; policy drop;";
    let lines = text.lines().map(str::trim).skip_while(|line| *line != hook).skip(1);
    let found: Vec<String> = lines.take_while(|line| *line != "}").map(|line| line.replace(" counter", "")).collect();
    let rules = closed();
    let rules: Vec<String> = rules.iter().filter(|rule| rule.chain == Chain::Input).map(ToString::to_string).collect();
    assert_eq!(found, rules, "{text}");
    assert!(!lab.run().join("config.toml").exists(), "it is kept");
    assert_eq!(document(lab), "", "PID 1 has it");
    let status = std::fs::read_to_string(format!("/proc/{}/status", net.pid())).expect("its status");
    assert!(!status.contains("State:\tZ"), "it has ended: {status}");
}

/// A document that is not taken, the line of it that is wrong, and what is said of it.
struct Wrong {
    document: Vec<u8>,
    /// None: of no line, since it was not read.
    line: Option<usize>,
    says: &'static str,
}

/// The least document with more behind it; the line is counted from there.
fn more(text: &str, line: usize, says: &'static str) -> Wrong {
    let line = LEAST.lines().count() + line;
    Wrong { document: format!("{LEAST}{text}").into(), line: Some(line), says }
}

/// The least document with something else at a place.
fn instead(from: &str, to: &str, line: usize, says: &'static str) -> Wrong {
    assert!(LEAST.contains(from), "{from}");
    Wrong { document: LEAST.replacen(from, to, 1).into(), line: Some(line), says }
}

/// Another document.
fn bytes(document: &[u8], line: Option<usize>, says: &'static str) -> Wrong {
    Wrong { document: document.into(), line, says }
}

/// One of each kind: what is no document, what the image does not allow, what the cluster would refuse, what cannot work.
fn wrong() -> Vec<Wrong> {
    let token = "token = \"abcdef.0123456789abcdef\"\n";
    let (before, _) = LEAST.split_once("ca = ").expect("a CA");
    let without_ca = format!("{before}ca = \"nothing\"\n");
    vec![
        bytes(b"", None, "the document is empty"),
        bytes(&[b'#'; LARGEST + 1], None, "the document has more than 65536 bytes; shorten it"),
        bytes(
            b"version = 1\nhostname = \"\xff\"\n",
            Some(2),
            "the document is not UTF-8 text; give the TOML text itself",
        ),
        bytes(b"version = 1\nhostname = ", Some(2), "not TOML: "),
        instead(
            "version = 1",
            "version = 2",
            1,
            "version: 2 is newer than this program; use a newer image, or write `version = 1`",
        ),
        instead("version = 1", "version = 1\nhostnam = \"a\"", 2, "unknown key `hostnam`; did you mean `hostname`?"),
        instead(
            "version = 1",
            "version = 1\nhostname = \"Node_1\"",
            2,
            "hostname: `Node_1` is not a host name; it takes lowercase letters",
        ),
        instead(
            "version = 1",
            "version = 1\nclass = \"restricted\"",
            2,
            "class: `restricted` is asked for, and this image is of class `public`; give the machine an image of that class",
        ),
        instead(token, "", 3, "cluster: nothing gives the node the right to join; give `token`"),
        instead(
            "\"abcdef.0123456789abcdef\"",
            "\"ABCDEF.0123456789abcdef\"",
            5,
            "cluster.token: it is not a bootstrap token; it is six characters, a dot and sixteen",
        ),
        bytes(
            without_ca.as_bytes(),
            Some(6),
            "cluster.ca: not the cluster's CA: it has no PEM block; give the cluster's CA as PEM",
        ),
        more(
            "[labels]\n\"node-role.kubernetes.io/worker\" = \"a\"\n",
            2,
            "labels.\"node-role.kubernetes.io/worker\": `node-role.kubernetes.io/worker` is a label that the API takes from \
             no node; have the cluster's administrator set it",
        ),
        more(
            "[[taints]]\nkey = \"a\"\neffect = \"NoSchedule\"\n[[taints]]\nkey = \"a\"\neffect = \"NoSchedule\"\n",
            5,
            "taints[1].key: `a` with effect NoSchedule is there already; the API takes each key and effect once",
        ),
        more(
            "[[network.interfaces]]\nname = \"cl0\"\naddresses = [\"192.0.2.77/24\"]\ngateway4 = \"192.0.2.1\"\n\
             [[network.interfaces]]\nname = \"cl1\"\naddresses = [\"198.51.100.77/24\"]\ngateway4 = \"198.51.100.1\"\n",
            8,
            "network.interfaces[1].gateway4: a second default route for IPv4; keep one gateway",
        ),
        more(
            "[[network.interfaces]]\nname = \"cl0\"\naddresses = [\"192.0.2.255/24\"]\ngateway4 = \"192.0.2.1\"\n",
            3,
            "network.interfaces[0].addresses[0]: `192.0.2.255/24` cannot be a machine's address; write an address of the \
             machine's own",
        ),
        more(
            "[[network.interfaces]]\nname = \"cl0\"\naddresses = [\"192.0.2.77/24\"]\ngateway4 = \"198.51.100.1\"\n",
            4,
            "network.interfaces[0].gateway4: `198.51.100.1` is outside of the interface's networks; name a router in \
             192.0.2.0/24",
        ),
        more(
            "[registries.\"docker.io\"]\nmirrors = [{ url = \"http://192.0.2.1:5000\", insecure = true }]\n",
            2,
            "registries.\"docker.io\".mirrors[0].insecure: this image takes no plain-http-mirrors from its node config; \
             leave it out, or build an image with `node_config.allow = [\"plain-http-mirrors\"]`",
        ),
        more(
            "[sysctls]\n\"kernel.kptr_restrict\" = 0\n",
            2,
            "sysctls.\"kernel.kptr_restrict\": `kernel.kptr_restrict` is not a sysctl that a node config may set; \
             docs/node-config.md lists those that it may",
        ),
    ]
}

#[test]
fn a_document_that_is_wrong_is_said_with_its_line_and_remedy_and_changes_nothing() {
    lab::inside("a_document_that_is_wrong_is_said_with_its_line_and_remedy_and_changes_nothing", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        for Wrong { document, line, says } in wrong() {
            write(&lab.folder.path().join(FW_CFG), &document);
            let mut net = net(&lab, r#""fw_cfg""#);
            let said = net.says(says);
            let place = line.map_or("net: fw_cfg: ".to_owned(), |line| format!("net: config: fw_cfg:{line}:"));
            assert!(said.starts_with(&place), "{said}\nis not of {place}");
            nothing_is_taken(&lab, &net);
            let said = net.kill();
            assert!(!said.contains("0123456789abcdef"), "the token is said: {said}");
        }
    });
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
        let metadata = serve(METADATA, vec!["TOKEN".into(), LEAST.into()]);
        let _server = lab.dnsmasq(0, &["--dhcp-range=192.0.2.50,192.0.2.59,2m"]);
        lab.ready(&mut net);
        metadata.join().expect("both questions");
        lab.until_here(&format!("cat {}/document", lab.folder.path().display()), "BEGIN CERTIFICATE");
        assert_eq!(document(&lab), LEAST);
        assert!(lab.there("ip -4 address show dev cl0").contains("inet 192.0.2.5"), "DHCP goes on");
    });
}

/// The wireserver is not there yet when the program ends.
#[test]
fn azure_hears_that_the_machine_is_ready_though_the_program_was_killed_before() {
    lab::inside("azure_hears_that_the_machine_is_ready_though_the_program_was_killed_before", |lab| {
        lab.card(0, &["192.0.2.1/24", "169.254.169.254/32", "168.63.129.16/32"]);
        let _server = lab.dnsmasq(0, &["--dhcp-range=192.0.2.50,192.0.2.59,2m"]);
        let metadata = serve(METADATA, vec![STANDARD.encode(LEAST)]);
        let mut net = net(&lab, r#""azure""#);
        net.says("azure: gives the node config");
        net.says("the report that the machine is ready: 168.63.129.16 /machine/?comp=goalstate: Connection refused");
        metadata.join().expect("one question");
        net.kill();
        assert!(lab.file("provider.json").contains(r#""told":false"#), "{}", lab.file("provider.json"));

        let goal = "<Incarnation>1</Incarnation><ContainerId>c</ContainerId><InstanceId>i</InstanceId>";
        let wireserver = serve(WIRESERVER, vec![goal.into(), String::new()]);
        let mut net = lab.net(&["--card", "cl0", "--settings", &format!("{}/node.json", lab.folder.path().display())]);
        net.says("azure: told that the machine is ready");
        let asked = wireserver.join().expect("both questions");
        assert!(asked[0].starts_with("GET /machine/?comp=goalstate"), "{asked:?}");
        assert!(asked[1].starts_with("POST /machine?comp=health") && asked[1].contains("<State>Ready<"), "{asked:?}");
        lab.until_here(&format!("cat {}/provider.json", lab.run().display()), r#""told":true"#);
    });
}

/// The same disks as those that nobody reads in the next test.
#[test]
fn a_volume_and_an_esp_give_the_document_where_they_are_named() {
    lab::inside("a_volume_and_an_esp_give_the_document_where_they_are_named", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        disks(&lab);
        for provider in ["nocloud", "esp"] {
            let mut net = net(&lab, &format!("{provider:?}"));
            net.says(&format!("net: {provider}: gives the node config"));
            lab.until_here(&format!("cat {}/document", lab.folder.path().display()), "END CERTIFICATE");
            assert_eq!(document(&lab), named(provider));
            net.kill();
            // The next one knows nothing of it.
            std::fs::remove_dir_all(lab.run()).expect("its folder");
            std::fs::remove_file(lab.folder.path().join("document")).expect("the document");
        }
    });
}

#[test]
fn who_may_not_give_the_document_is_not_asked() {
    lab::inside("who_may_not_give_the_document_is_not_asked", |lab| {
        lab.card(0, &["192.0.2.1/24", "169.254.169.254/32"]);
        let metadata = TcpListener::bind((METADATA, 80)).expect("the metadata address");
        metadata.set_nonblocking(true).expect("a listener");
        write(&lab.folder.path().join(FW_CFG), b"version = 1\nthis is fw_cfg's\n");
        disks(&lab);
        let table = lab.folder.path().join("sys/firmware/dmi/tables/DMI");
        write(&table, b"\x7f\x04\x03\x01\0\0");
        let mut net = net(&lab, r#""smbios""#);
        net.says("smbios: no OEM string (type 11) begins with orlop.config=");
        nothing_is_taken(&lab, &net);
        let _server = lab.dnsmasq(0, &["--dhcp-range=192.0.2.50,192.0.2.59,2m"]);
        lab.until_there("ip -4 address show dev cl0", "inet 192.0.2.5");
        let text = STANDARD.encode(LEAST);
        let strings = format!("orlop.config={text}\0\0");
        write(&table, &[b"\x0b\x05\x01\x01\x01", strings.as_bytes(), b"\x7f\x04\x03\x01\0\0"].concat());
        net.says("smbios: gives the node config");
        lab.ready(&mut net);
        lab.until_here(&format!("cat {}/document", lab.folder.path().display()), "END CERTIFICATE");
        assert_eq!(document(&lab), LEAST);
        assert!(metadata.accept().is_err(), "nobody asked the clouds' metadata");
        let said = net.rest();
        for other in ["fw_cfg", "nocloud", "esp"] {
            // As it says who was asked in vain, who gives the document, and where one is wrong.
            assert!(!said.contains(&format!(" {other}:")), "{other} was asked: {said}");
        }
    });
}
