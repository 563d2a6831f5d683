//! What a node of a cluster gets beside kubelet's configuration.

use std::net::IpAddr;

use orlop_config::node::{Allowance, NodeConfigPolicy, NodeSettings, OnDamage};
use orlop_config::node_config::{LARGEST, NodeConfig};
use orlop_config::render::{self, Facts, Rendered, TMPFS_FOLDERS};

const LEAST: &str = include_str!("node_config/least.toml");
const FULL: &str = include_str!("node_config/full.toml");

fn config(text: &str) -> NodeConfig {
    use Allowance::{ExtraCas, PlainHttpMirrors, RegistryMirrors, StaticPods};
    let allow = vec![StaticPods, ExtraCas, RegistryMirrors, PlainHttpMirrors];
    let policy = NodeConfigPolicy { class: "public".into(), allow, ..NodeConfigPolicy::default() };
    NodeConfig::parse(text.as_bytes(), "node.toml", &policy).unwrap_or_else(|error| panic!("{error}"))
}

/// On a machine that has a default route.
fn render(config: &NodeConfig) -> Rendered {
    render_on(config, &[])
}

/// On a machine without one, which has these addresses.
fn render_on(config: &NodeConfig, addresses: &[IpAddr]) -> Rendered {
    let settings = NodeSettings {
        version: 1,
        image: "cluster".into(),
        image_version: "1".into(),
        class: "public".into(),
        on_damage: OnDamage::Refuse,
        sysctls: Vec::new(),
        containerd: Vec::new(),
        kubelet: vec!["/usr/bin/kubelet".into()],
        node_config: None,
    };
    let facts = Facts { hostname: "orlop-0123abcd".into(), addresses: addresses.to_vec() };
    render::cluster(&settings, config, &facts)
}

fn rendered(text: &str) -> Rendered {
    render(&config(text))
}

fn file(rendered: &Rendered, path: &str) -> String {
    let file = rendered.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(file.bytes.clone()).expect("text")
}

#[test]
fn files_lie_on_tmpfs_and_secrets_are_roots() {
    for text in [LEAST, FULL] {
        let rendered = rendered(text);
        for file in &rendered.files {
            let folder =
                TMPFS_FOLDERS.iter().chain(&["/run"]).any(|folder| file.path.starts_with(&format!("{folder}/")));
            assert!(folder, "{}", file.path);
            assert!(file.path.split('/').skip(1).all(|part| !part.is_empty() && part != ".."), "{}", file.path);
            let text = String::from_utf8_lossy(&file.bytes);
            let secret = ["token", "client-key", "Authorization"].iter().any(|word| text.contains(word));
            assert!(file.mode == 0o600 || (file.mode == 0o644 && !secret), "{} {:o}", file.path, file.mode);
        }
        let mut paths: Vec<&String> = rendered.files.iter().map(|file| &file.path).collect();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), rendered.files.len(), "a file twice");
    }
}

/// The shortest text that the check takes for a certificate.
const SHORTEST_CA: &str = "-----BEGIN CERTIFICATE-----\\nMBYwEAIAMAAwADAEFwAXADAAMAAwAAMA\\n-----END CERTIFICATE-----";

/// A file takes whole pages. What does not fit is a refused boot, and the machine comes back with the same document.
#[test]
fn the_most_files_that_a_document_can_ask_for_fit_on_the_tmpfs() {
    let ca = format!("ca = \"{SHORTEST_CA}\"");
    let registries: String = (1..=256).map(|number| format!("[registries.\"a:{number}\"]\n{ca}\n")).collect();
    let mirrors: String = (0..252).map(|number| format!("{{ url = \"https://a{number}\", {ca} }},")).collect();
    let pod = "apiVersion: v1\\nkind: Pod\\nspec:\\nmetadata:\\n  name";
    let pods: String = (0..64).map(|number| format!("a{number} = \"{pod}: a{number}\"\n")).collect();
    let text = format!("{LEAST}{registries}mirrors = [{mirrors}]\n[static_pods]\n{pods}");
    assert!((62_000..LARGEST).contains(&text.len()), "{} bytes: not the most", text.len());
    let rendered = rendered(&text);
    for folder in TMPFS_FOLDERS {
        let below = format!("{folder}/");
        let files = rendered.files.iter().filter(|file| file.path.starts_with(&below));
        let pages: usize = files.map(|file| file.bytes.len().div_ceil(4096)).sum();
        // Of 1024; what the image has there comes beside it.
        assert!((60..900).contains(&pages), "{folder}: {pages} pages");
    }
}

#[test]
fn the_host_has_the_documents_name_or_the_machines() {
    let least = rendered(LEAST);
    assert_eq!(least.hostname, "orlop-0123abcd");
    assert_eq!(file(&least, "/run/etc/hostname"), "orlop-0123abcd\n");
    let hosts = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
    assert_eq!(file(&least, "/run/etc/hosts"), format!("{hosts}127.0.1.1 orlop-0123abcd\n"), "kubelet looks on");
    let alone = render_on(&config(LEAST), &[IpAddr::from([192, 0, 2, 77])]);
    assert_eq!(file(&alone, "/run/etc/hosts"), format!("{hosts}192.0.2.77 orlop-0123abcd\n"));
    let full = rendered(FULL);
    let own = "192.0.2.10 node-1.example node-1\n2001:db8::10 node-1.example node-1\n";
    assert_eq!(file(&full, "/run/etc/hosts"), format!("{hosts}{own}"));
}

/// What DHCP or a router gives is not known here: one family's static address alone would hide the other from the cluster.
#[test]
fn a_node_that_has_its_default_route_from_the_network_has_no_fixed_address() {
    let of = |text: &str| {
        let rendered = rendered(text);
        (file(&rendered, "/run/etc/hosts"), rendered.kubelet.join(" "))
    };
    let card = "[[network.interfaces]]\nname = \"eth0\"\naddresses = [\"2001:db8::10/64\"]\ngateway6 = \"fe80::1\"\n";
    let (hosts, kubelet) = of(&format!("{LEAST}{card}"));
    assert!(hosts.ends_with("ip6-loopback\n2001:db8::10 orlop-0123abcd\n"), "{hosts}");
    assert!(kubelet.contains("--node-ip=2001:db8::10"), "{kubelet}");
    let (hosts, kubelet) = of(&format!("{LEAST}{card}ipv4 = \"dhcp\"\n"));
    assert!(hosts.ends_with("ip6-loopback\n127.0.1.1 orlop-0123abcd\n"), "{hosts}");
    assert!(!kubelet.contains("--node-ip"), "{kubelet}");
    // A second card may ask as long as it takes no default route.
    assert!(of(FULL).1.contains("--node-ip=192.0.2.10,2001:db8::10"));
    let asks = FULL.replace("gateway4 = \"192.0.2.1\"\n", "").replace("default_route = false", "ipv6 = \"off\"");
    assert!(!of(&asks).1.contains("--node-ip"));
}

#[test]
fn containerd_finds_each_registry() {
    let full = rendered(FULL);
    let hub: toml::Table = file(&full, "/etc/containerd/certs.d/docker.io/hosts.toml").parse().expect("TOML");
    assert_eq!(hub["header"]["Authorization"].as_str(), Some("Basic cmVhZGVyOmh1bnRlcjI="));
    let mirror = &hub["host"]["https://mirror.example.org/hub"];
    assert_eq!(mirror["header"]["Authorization"].as_str(), Some("Basic bm9kZTpodW50ZXIz"));
    assert_eq!(mirror["capabilities"].as_array().map(Vec::len), Some(2), "nothing is pushed to a mirror");
    assert!(hub["host"]["http://192.0.2.1:5000"].get("header").is_none());
    // containerd takes the hosts in the order of the text.
    let text = file(&full, "/etc/containerd/certs.d/docker.io/hosts.toml");
    assert!(text.find("mirror.example.org") < text.find("192.0.2.1:5000"), "{text}");

    let folder = "/etc/containerd/certs.d/registry.example.org:5000";
    let own: toml::Table = file(&full, &format!("{folder}/hosts.toml")).parse().expect("TOML");
    assert_eq!(own["ca"].as_str(), Some(&*format!("{folder}/ca.crt")));
    assert_eq!(file(&full, &format!("{folder}/ca.crt")), include_str!("node_config/ca.pem"));
    let six = rendered(&FULL.replace("registry.example.org:5000", "[2001:db8::1]:5000"));
    assert!(file(&six, "/etc/containerd/certs.d/[2001:db8::1]:5000/hosts.toml").starts_with("ca = "));
    let all: toml::Table = file(&full, "/etc/containerd/certs.d/_default/hosts.toml").parse().expect("TOML");
    assert_eq!(all["host"].as_table().map(toml::Table::len), Some(1));
}

#[test]
fn a_proxy_cache_of_harbors_is_asked_where_it_is() {
    let path = "/etc/containerd/certs.d/docker.io/hosts.toml";
    let harbor = rendered(&FULL.replace("mirror.example.org/hub", "harbor.example/v2/hub"));
    let hub: toml::Table = file(&harbor, path).parse().expect("TOML");
    let mirror = &hub["host"]["https://harbor.example/v2/hub"];
    assert_eq!(mirror["override_path"].as_bool(), Some(true));
    assert_eq!(mirror["header"]["Authorization"].as_str(), Some("Basic bm9kZTpodW50ZXIz"));
    assert!(hub["host"]["http://192.0.2.1:5000"].get("override_path").is_none());
    assert!(!file(&rendered(FULL), path).contains("override_path"), "behind another path containerd puts /v2");
}

/// Go finds no block whose lines are indented.
#[test]
fn pem_is_rendered_without_the_documents_indentation() {
    let mirror = "url = \"https://mirror.example.org\"";
    let ca = include_str!("node_config/ca.pem");
    let plain = FULL.replace(&format!("{mirror} "), &format!("{mirror}, ca = \"\"\"\n{ca}\"\"\" "));
    let mut inside = false;
    let lines = plain.lines().map(|line| {
        inside |= line.starts_with("-----BEGIN ");
        let indented = if inside { format!("\n  \t{line} \n") } else { format!("{line}\n") };
        inside &= !line.starts_with("-----END ");
        indented
    });
    let indented: String = lines.collect();
    assert!(indented.contains("  \t-----BEGIN PRIVATE KEY-----") && indented.contains("  \t-----END CERTIFICATE"));
    let (plain, indented) = (rendered(&plain), rendered(&indented));
    assert_eq!(file(&indented, "/etc/containerd/certs.d/_default/mirror-1.crt"), ca);
    for file in plain.files {
        let same = indented.files.contains(&file);
        assert!(same, "{}: {}", file.path, String::from_utf8_lossy(&file.bytes));
    }
    let crlf = rendered(&LEAST.replace(ca.trim_end(), &ca.trim_end().replace('\n', "\\r\\n")));
    assert_eq!(file(&crlf, "/etc/kubernetes/pki/ca.crt"), ca);
}

#[test]
fn the_environment_has_proxy_and_certificates_where_they_are_named() {
    assert_eq!(rendered(LEAST).environment, []);
    let environment = rendered(FULL).environment;
    let value = |name: &str| environment.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    assert_eq!(value("HTTP_PROXY"), Some("http://proxy.example.org:3128"));
    assert_eq!(value("HTTPS_PROXY"), Some("http://builder:hunter2@proxy.example.org:3128"));
    assert_eq!(
        value("NO_PROXY"),
        Some("localhost,127.0.0.0/8,::1,169.254.0.0/16,.svc,.cluster.example,192.0.2.0/24,.example.org")
    );
    assert_eq!(value("SSL_CERT_DIR"), Some("/etc/ssl/certs:/run/orlop/config/ca"));
    assert_eq!(file(&rendered(FULL), "/run/orlop/config/ca/1.crt"), include_str!("node_config/ca.pem"));
}

#[test]
fn sysctls_begin_with_forwarding() {
    let sysctls: Vec<String> = rendered(FULL).sysctls.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let want = [
        "net.ipv4.ip_forward=1",
        "net.ipv6.conf.all.forwarding=1",
        "net.core.somaxconn=8192",
        "net.ipv4.tcp_rmem=4096 131072 6291456",
    ];
    assert_eq!(sysctls, want);
    let spaced = FULL.replace("4096 131072 6291456", " 4096\\t131072   6291456");
    assert_eq!(rendered(&spaced).sysctls[3].1, "4096 131072 6291456");
}

#[test]
fn a_masked_document_shows_no_secret() {
    for (text, secrets) in [
        (LEAST, &["abcdef.0123456789abcdef"][..]),
        (FULL, &["hunter2", "hunter3", "cmVhZGVyOmh1bnRlcjI", "LS0tLS1CRUdJTiBQUklWQVRF"][..]),
        (&FULL.replace("\"hunter", "\"a://b@hunter"), &["hunter2", "hunter3"][..]),
    ] {
        let open = format!("{:?}", shown(&rendered(text)));
        let masked = format!("{:?}", shown(&render(&config(text).masked())));
        for secret in secrets {
            assert!(!masked.contains(secret), "{secret} in\n{masked}");
        }
        assert!(secrets.iter().any(|secret| open.contains(secret)), "{open}");
        assert_eq!(masked.contains("http://********@proxy.example.org:3128"), text != LEAST, "{masked}");
    }
}

/// Nobody knows what in them is a secret. On the node they are root's alone.
#[test]
fn a_masked_document_has_its_manifests_as_they_are() {
    let command = "      args: [--password=in-the-manifest]\n";
    let text = FULL.replace("      image: localhost/agent:1\n", &format!("      image: localhost/agent:1\n{command}"));
    let rendered = render(&config(&text).masked());
    let path = "/etc/kubernetes/manifests/agent.yaml";
    assert!(file(&rendered, path).contains(command), "{}", file(&rendered, path));
    let modes: Vec<u32> = rendered.files.iter().filter(|file| file.path == path).map(|file| file.mode).collect();
    assert_eq!(modes, [0o600]);
}

/// Everything that is rendered, as text.
fn shown(rendered: &Rendered) -> Vec<String> {
    let files = rendered.files.iter().map(|file| String::from_utf8_lossy(&file.bytes).into_owned());
    let environment = rendered.environment.iter().map(|(name, value)| format!("{name}={value}"));
    files.chain(environment).chain(rendered.kubelet.iter().cloned()).collect()
}
