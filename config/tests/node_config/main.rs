//! Node configs: sound ones are read, and each mistake is named where it stands, without a secret.

mod manual;
mod nesting;
mod network;
mod remedies;
mod rules;
mod secrets;

use orlop_config::firewall::Openings;
use orlop_config::node::{Allowance, NodeConfigPolicy, Provider};
use orlop_config::node_config::{
    Ipv4Method, Ipv6Method, KUBELET_RANGES, LARGEST, NodeConfig, Problems, SYSCTLS, SysctlValue,
};
use proptest::prelude::*;

/// The least that a node must be told.
const LEAST: &str = include_str!("least.toml");
/// Everything that it can be told.
const FULL: &str = include_str!("full.toml");
const CA: &str = include_str!("ca.pem");
const CERTIFICATE: &str = include_str!("node.pem");
const KEY: &str = include_str!("node.key.pem");
/// The same key in two other forms, another one, and one of RSA with its certificate.
const SEC1_KEY: &str = include_str!("node.sec1.pem");
const COMPRESSED_KEY: &str = include_str!("node.compressed.pem");
/// What `openssl ecparam -genkey` writes before a key.
const PARAMETERS: &str = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
const OTHER_KEY: &str = include_str!("other.key.pem");
const RSA: &str = include_str!("rsa.pem");
const RSA_KEY: &str = include_str!("rsa.key.pem");

fn policy() -> NodeConfigPolicy {
    use Allowance::{ExtraCas, PlainHttpMirrors, RegistryMirrors, StaticPods};
    NodeConfigPolicy {
        class: "public".into(),
        providers: vec![Provider::FwCfg],
        allow: vec![StaticPods, ExtraCas, RegistryMirrors, PlainHttpMirrors],
        static_pods: vec!["hello".into()],
        ..NodeConfigPolicy::default()
    }
}

fn parse(text: &str) -> Result<NodeConfig, Problems> {
    NodeConfig::parse(text.as_bytes(), "node.toml", &policy())
}

/// What is wrong with the least document and more behind it, or with one piece of the full document replaced.
fn error_of(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

fn error_of_more(more: &str) -> String {
    error_of(&format!("{LEAST}{more}"))
}

fn changed(from: &str, to: &str) -> String {
    assert!(FULL.contains(from), "the full document has no {from}");
    FULL.replacen(from, to, 1)
}

/// Lines of [`LEAST`], behind which `more` begins.
fn least_lines() -> usize {
    LEAST.lines().count()
}

#[test]
fn the_least_document_is_read() {
    let config = parse(LEAST).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((config.hostname, config.class), (None, None));
    assert!(config.network.interfaces.is_empty() && config.registries.is_empty());
    assert_eq!(config.cluster.domain, "cluster.local");
    assert_eq!(config.cluster.token.expect("a token").expose(), "abcdef.0123456789abcdef");
    assert_eq!(config.kubelet.max_pods, 110);
}

#[test]
fn the_full_document_is_read() {
    let config = parse(FULL).unwrap_or_else(|error| panic!("{error}"));
    let [fixed, dhcp] = &config.network.interfaces[..] else { panic!("two interfaces") };
    assert_eq!((fixed.ipv4_method(), fixed.ipv6_method()), (Ipv4Method::Static, Ipv6Method::Static));
    assert_eq!((dhcp.ipv4_method(), dhcp.ipv6_method()), (Ipv4Method::Dhcp, Ipv6Method::Auto));
    assert!(fixed.takes_default_route() && !dhcp.takes_default_route());
    assert_eq!(fixed.mac.expect("by its address").to_string(), "52:54:00:12:34:56");
    assert_eq!(config.sysctls["net.core.somaxconn"], SysctlValue("8192".into()));
    assert_eq!(config.registries["docker.io"].mirrors.len(), 2);
    assert_eq!(config.taints[0].effect.name(), "NoSchedule");
}

#[test]
fn one_family_alone_is_static_alone() {
    let text = format!(
        "{LEAST}[[network.interfaces]]\nname = \"eth0\"\naddresses = [\"192.0.2.5/24\"]\ngateway4 = \"192.0.2.1\"\n"
    );
    let config = parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let interface = &config.network.interfaces[0];
    assert_eq!((interface.ipv4_method(), interface.ipv6_method()), (Ipv4Method::Static, Ipv6Method::Off));
    let auto = text.replace("name = \"eth0\"", "name = \"eth0\"\nipv6 = \"auto\"");
    let config = parse(&auto).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.network.interfaces[0].ipv6_method(), Ipv6Method::Auto);
}

/// Each is a line on a node's consoles.
#[test]
fn of_many_mistakes_the_first_are_named_and_the_others_counted() {
    let tables = |count: usize| format!("version = 1\nnetwork.interfaces = [{}]\n", vec!["{}"; count].join(","));
    let least = LEAST.strip_prefix("version = 1\n").expect("its version");
    let document = tables(21_000) + least;
    assert!((63_000..LARGEST).contains(&document.len()), "{}", document.len());
    let problems = parse(&document).expect_err("many").0;
    assert_eq!(problems.len(), 51);
    let last = problems[50].to_string();
    assert!(last.starts_with("node.toml:2:") && last.contains(": network.interfaces["), "{last}");
    assert!(last.contains("more mistakes, this one the first; mend those above, and look again"), "{last}");
    assert!(problems.iter().map(|mistake| mistake.to_string().len()).sum::<usize>() < 10_000);

    let pods = |count: usize| (0..count).map(|number| format!("A{number:02} = \"{{}}\"\n")).collect::<String>();
    // Of each the name and the manifest.
    let error = error_of_more(&format!("[static_pods]\n{}", pods(25)));
    assert!(error.lines().count() == 50 && !error.contains("more mistake"), "{error}");
    let error = error_of_more(&format!("[static_pods]\n{}", pods(26)));
    assert_eq!(error.lines().count(), 51, "{error}");
    let at = least_lines() + 27;
    let last = format!("node.toml:{at}:7: static_pods.A25: and 2 more mistakes, this one the first; ");
    assert!(error.lines().last().is_some_and(|line| line.starts_with(&last)), "{error}\nhas no\n{last}");
}

#[test]
fn what_is_no_document_is_refused_as_a_whole() {
    let bytes = |document: &[u8]| NodeConfig::parse(document, "node.toml", &policy()).expect_err("wrong").to_string();
    let error = bytes(b"version = 1\nhostname = \"\xff\"");
    assert!(error.starts_with("node.toml:2:13: the document is not UTF-8 text; "), "{error}");
    let error = bytes(&[b'#'; LARGEST + 1]);
    assert!(error.starts_with("node.toml:1:65537: the document has 65537 bytes, and 65536 are the most"), "{error}");
    assert!(parse(&format!("{LEAST}{}", "#".repeat(LARGEST - LEAST.len()))).is_ok(), "the largest document");
    let error = bytes(&[0x1f, 0x8b, 8, 0, 0]);
    assert!(error.contains("not UTF-8 text; give the TOML text itself, neither compressed nor encoded"), "{error}");
    for text in ["version = 2", "version = 2\nnew_key = 1", "version = 4294967297"] {
        let error = error_of(text);
        assert!(error.starts_with("node.toml:1:11: version: "), "{error}");
        assert!(error.contains("is newer than this program; use a newer image, or write `version = 1`"), "{error}");
    }
    let error = error_of("version = 0\n");
    assert_eq!(error, "node.toml:1:11: version: 0 is not a version; write `version = 1`");
    assert!(error_of("").starts_with("node.toml:1:1: missing key `version`; write `version = 1` first"));
    assert!(error_of("version = \"1\"").starts_with("node.toml:1:11: version: expected an integer, found a string"));
    assert!(error_of("version = 1").contains("missing key `cluster`"));
    assert!(error_of("version = 1\nhostname = ").starts_with("node.toml:2:12: not TOML"));
}

#[test]
fn misspelt_keys_are_named_with_the_nearest_right_one() {
    for (from, to, place, expected) in [
        ("hostname =", "hostnam =", "3:1", "unknown key `hostnam`; did you mean `hostname`?"),
        ("gateway4 =", "gatway4 =", "", ": network.interfaces[0]: unknown key `gatway4`; did you mean `gateway4`?"),
        ("max_pods", "maxpods", "", ": kubelet: unknown key `maxpods`; did you mean `max_pods`?"),
        (
            "effect = \"NoSchedule\"",
            "effect = \"NoSchedul\"",
            "",
            ": taints[0].effect: unknown value `NoSchedul`; did you mean `NoSchedule`?",
        ),
        ("effect = \"NoSchedule\"", "", "", ": taints[0]: missing key `effect`"),
        ("insecure = true", "insecur = true", "", "unknown key `insecur`; did you mean `insecure`?"),
        ("memory_available_mib", "memory_mib", "", "unknown key `memory_mib`; known here: memory_available_mib,"),
        ("[time]", "[ntp]", "", "unknown key `ntp`"),
    ] {
        let error = error_of(&changed(from, to));
        assert!(error.contains(expected), "{error}\nhas no\n{expected}");
        assert!(error.starts_with(&format!("node.toml:{place}")), "{error}");
        let line = error.split(':').nth(1).and_then(|line| line.parse::<usize>().ok()).expect("a line");
        assert!(line > 1, "{error} has no place");
    }
}

#[test]
fn certificates_and_keys_are_told_from_other_text() {
    let swapped = CA.replace("MII", "MIJ");
    let cut = CA.replace("-----END CERTIFICATE-----\n", "");
    let labelled = CA.replace(" CERTIFICATE-", " PUBLIC KEY-");
    for (ca, expected) in [
        ("nothing", "not the cluster's CA: it has no PEM block; give the cluster's CA as PEM"),
        (KEY, "not the cluster's CA: block 1 is a private key, which has no place here"),
        (&swapped, "not the cluster's CA: block 1 is not an X.509 certificate"),
        (&cut, "not the cluster's CA: block 1 does not end"),
        (&labelled, "not the cluster's CA: block 1 is labelled `PUBLIC KEY`, not `CERTIFICATE`"),
        (&format!("{CA}{KEY}"), "not the cluster's CA: block 2 is a private key"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "block 1 is not whole, or not base64"),
        ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "block 1 is not an X.509 certificate"),
    ] {
        let error = error_of(&LEAST.replace(CA.trim_end(), ca));
        assert!(error.starts_with("node.toml:6:6: ") && error.contains(expected), "{error}\nhas no\n{expected}");
    }
    assert!(parse(&LEAST.replace(CA.trim_end(), &format!("# two\n{CA}\n{CA}"))).is_ok(), "a bundle");
    for (from, to, expected) in [
        (KEY, "no", "not its key: it has 0 PEM blocks, not one"),
        (KEY, CA, "not its key: it is not a private key"),
        ("BEGIN PRIVATE KEY-----", "BEGIN SECRET-----", "not its key: it is not PEM"),
        (KEY, PARAMETERS, "not its key: it is not a private key"),
        (
            "PRIVATE KEY-----",
            "ENCRYPTED PRIVATE KEY-----",
            "not its key: it is an encrypted key, and nobody is there to ask for its password: `openssl pkey",
        ),
        (
            "BEGIN PRIVATE KEY-----\n",
            "BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
            "not its key: it is an encrypted key",
        ),
    ] {
        let text =
            if from == "PRIVATE KEY-----" { FULL.replace(from, to) } else { changed(from.trim_end(), to.trim_end()) };
        let error = error_of(&text);
        assert!(error.contains(expected), "{error}\nhas no\n{expected}");
    }
}

#[test]
fn a_client_certificate_has_its_own_key() {
    let with = |certificate: &str, key: &str| {
        let text = FULL.replace(KEY.trim_end(), key.trim_end());
        parse(&text.replace(CERTIFICATE.trim_end(), certificate.trim_end()))
    };
    // PKCS#8, SEC 1 with the whole point and with half of it, PKCS#1.
    for key in [KEY, SEC1_KEY, COMPRESSED_KEY, &format!("{PARAMETERS}{SEC1_KEY}")] {
        with(CERTIFICATE, key).unwrap_or_else(|error| panic!("{error}"));
    }
    with(RSA, RSA_KEY).unwrap_or_else(|error| panic!("{error}"));
    let other = format!("{PARAMETERS}{OTHER_KEY}");
    for (certificate, key) in [(CERTIFICATE, &other[..]), (CERTIFICATE, RSA_KEY), (RSA, KEY), (RSA, COMPRESSED_KEY)] {
        let error = with(certificate, key).expect_err(key).to_string();
        let says = "it is not the key of `client_certificate`; give the key that the certificate was made for";
        assert!(error.contains(says) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn a_certificate_that_ran_out_is_named_and_is_no_mistake() {
    let config = parse(FULL).unwrap_or_else(|error| panic!("{error}"));
    // All of them are good until 2126-10-31 18:10:51.
    let end = 4_949_143_851;
    assert_eq!(config.ended_certificates(end - 86_400), Vec::<String>::new());
    let ended = config.ended_certificates(end + 1);
    let says =
        |key: &str| format!("{key}: a certificate ran out on 2126-10-31; give its successor, or set the clock right");
    assert_eq!(ended[..2], [says("cluster.ca"), says("cluster.client_certificate")]);
    assert!(ended.contains(&says("extra_cas[0]")), "{ended:?}");

    let mirror = "url = \"http://192.0.2.1:5000\", insecure = true";
    let ca = CERTIFICATE.trim_end().replace('\n', "\\n");
    let text = FULL.replace(mirror, &format!("url = \"https://192.0.2.1:5000\", ca = \"{ca}\""));
    let ended = parse(&text).unwrap_or_else(|error| panic!("{error}")).ended_certificates(end + 1);
    assert!(ended.contains(&says("registries.\"docker.io\".mirrors[1].ca")), "{ended:?}");
}

#[test]
fn a_node_joins_by_one_right() {
    let token = "token = \"abcdef.0123456789abcdef\"";
    for (from, to, expected) in [
        (
            token,
            "",
            "node.toml:3:2: cluster: nothing gives the node the right to join; give `token`, or `client_certificate`",
        ),
        (token, "client_key = \"x\"", "the key has no client certificate"),
        (token, "client_certificate = \"x\"", "the client certificate has no key"),
        (
            token,
            "token = \"abcdef.0123456789abcdef\"\nclient_key = \"x\"",
            "there are a token and a client certificate",
        ),
        (
            "abcdef.0",
            "abcdef0",
            "node.toml:5:9: cluster.token: it is not a bootstrap token; it is six characters, a dot and sixteen",
        ),
        ("abcdef.0", "ABCDEF.0", "it is not a bootstrap token"),
        ("abcdef.0", "abcde.f0", "it is not a bootstrap token"),
    ] {
        let error = error_of(&LEAST.replacen(from, to, 1));
        assert!(error.contains(expected), "{error}\nhas no\n{expected}");
    }
}

#[test]
fn a_client_certificate_of_a_machine_whose_name_is_not_known_here_is_taken() {
    parse(&changed("hostname = \"node-1.example\"\n", "")).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_machine_that_joined_before_needs_no_right_to_join() {
    let bare = LEAST.replace("token = \"abcdef.0123456789abcdef\"\n", "");
    let joined = NodeConfigPolicy { has_certificate: true, ..policy() };
    let read = |text: &str, policy: &NodeConfigPolicy| NodeConfig::parse(text.as_bytes(), "node.toml", policy);
    assert!(read(&bare, &joined).is_ok() && read(LEAST, &joined).is_ok());
    let error = read(&bare, &policy()).expect_err("of a new machine").to_string();
    assert!(error.contains("only a machine that joined before needs neither"), "{error}");
    // Half a right is a mistake all the same.
    assert!(read(&format!("{bare}client_key = \"x\"\n"), &joined).is_err());
}

#[test]
fn what_the_image_does_not_allow_is_refused_by_name() {
    let bare = NodeConfigPolicy { allow: Vec::new(), ..policy() };
    let error = NodeConfig::parse(FULL.as_bytes(), "node.toml", &bare).expect_err("allowed").to_string();
    for (what, count) in [("extra-cas", 2), ("registry-mirrors", 2), ("plain-http-mirrors", 1), ("static-pods", 1)] {
        let line = format!(
            "this image takes no {what} from its node config; leave it out, or build an image with \
             `node_config.allow = [\"{what}\"]`"
        );
        assert_eq!(error.matches(&line).count(), count, "{error}");
    }
    assert_eq!(error.lines().count(), 6, "{error}");
    assert!(NodeConfig::parse(LEAST.as_bytes(), "node.toml", &bare).is_ok(), "a cluster's own CA needs no leave");

    let mirrors = NodeConfigPolicy { allow: vec![Allowance::RegistryMirrors], ..policy() };
    let trusted = CA.trim_end().replace('\n', "\\n");
    let text =
        format!("{LEAST}[registries.\"*\"]\nmirrors = [{{ url = \"https://a.example\", ca = \"{trusted}\" }}]\n");
    let error = NodeConfig::parse(text.as_bytes(), "node.toml", &mirrors).expect_err("a mirror's CA").to_string();
    let says = ": registries.\"*\".mirrors[0].ca: this image takes no extra-cas from its node config; leave it out";
    assert!(error.contains(says) && error.lines().count() == 1, "{error}");
}

#[test]
fn registries_and_static_pods_are_counted() {
    let registries =
        |count: usize| (0..count).map(|number| format!("[registries.\"a{number}.b\"]\n")).collect::<String>();
    parse(&format!("{LEAST}{}", registries(256))).unwrap_or_else(|error| panic!("{error}"));
    let at = least_lines() + 1;
    assert_eq!(
        error_of_more(&registries(257)),
        format!(
            "node.toml:{at}:2: registries: 257 registries are named; name 256 at most; `\"*\"` stands for all others"
        )
    );
    let start = "apiVersion: v1\\nkind: Pod\\nspec:\\nmetadata:\\n  name";
    let pod = |number: usize| format!("a{number} = \"{start}: a{number}\"\n");
    let pods = |count: usize| format!("[static_pods]\n{}", (0..count).map(pod).collect::<String>());
    parse(&format!("{LEAST}{}", pods(64))).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        error_of_more(&pods(65)),
        format!(
            "node.toml:{at}:2: static_pods: there are 65 static pods; give 64 at most, and the others to the cluster"
        )
    );
}

#[test]
fn an_image_that_opens_ports_to_the_cluster_is_told_who_that_is() {
    let open_to_cluster = vec!["udp/8472".parse().expect("ports")];
    let opens = NodeConfigPolicy { firewall: Openings { open_to_cluster, ..Openings::default() }, ..policy() };
    let parse = |text: &str| NodeConfig::parse(text.as_bytes(), "node.toml", &opens);
    assert_eq!(
        parse(LEAST).expect_err("nobody").to_string(),
        "node.toml:3:2: cluster: this image opens udp/8472 to the cluster's networks, and none are named; name them: \
         `networks = [\"192.0.2.0/24\"]`"
    );
    let config = parse(FULL).unwrap_or_else(|error| panic!("{error}"));
    let rules: Vec<String> = config.firewall(&opens.firewall).iter().map(ToString::to_string).collect();
    for rule in ["tcp dport 10250 jump cluster", "udp dport 8472 jump cluster", "ip saddr 192.0.2.0/24 accept"] {
        assert!(rules.iter().any(|one| one == rule), "{rule}: {rules:?}");
    }
    let many: Vec<String> = (0..33).map(|number| format!("\"10.{number}.0.0/16\"")).collect();
    let error = error_of(&changed("\"192.0.2.0/24\", \"2001:db8::/32\"", &many.join(", ")));
    assert!(error.contains("33 networks are named; name 32 at most"), "{error}");
}

/// A node's consoles show 400 letters of a line of `orlop-net`: a long value must not push out what to do about it.
#[test]
fn a_long_value_leaves_room_for_what_to_do() {
    let long = "very-long.".repeat(1000);
    let more = |text: &str| format!("{LEAST}{}", text.replace("LONG", &long));
    for text in [
        changed("class = \"public\"", &format!("class = \"{long}\"")),
        changed("\"node-1.example\"", &format!("\"{long}\"")),
        changed("52:54:00:12:34:56", &long),
        changed("192.0.2.10/24", &long),
        changed("\"eth1\"", &format!("\"{long}\"")),
        changed("\"eth1\"", &format!("\"bond{long}\"")),
        changed("\"example.org\"]", &format!("\"{long}\"]")),
        changed("\"ntp.example.org\"", &format!("\"{long}\"")),
        changed("\".example.org\"]", &format!("\"{long}\"]")),
        changed("https://api.example.org:6443", &format!("http://{long}")),
        changed("https://api.example.org:6443", &format!("https://{long}")),
        changed("https://api.example.org:6443", &long),
        changed("\"cluster.example\"", &format!("\"{long}\"")),
        changed("\"topology.kubernetes.io/zone\"", &format!("\"{long}\"")),
        changed("\"topology.kubernetes.io/zone\"", &format!("\"{}.kubernetes.io/a\"", &long[..200])),
        changed("\"17\"", &format!("\"{long}\"")),
        changed("key = \"example.org/dedicated\"", &format!("key = \"{long}\"")),
        changed("value = \"gpu\"", &format!("value = \"{long}\"")),
        changed("effect = \"NoSchedule\"", &format!("effect = \"{long}\"")),
        changed("registries.\"docker.io\"", &format!("registries.\"{long}\"")),
        changed("https://mirror.example.org/hub", &format!("http://{long}")),
        changed("https://mirror.example.org/hub", &format!("https://{long}?")),
        changed("https://mirror.example.org/hub", &long),
        changed("agent = \"\"\"", &format!("\"{long}\" = \"\"\"")),
        changed("  name: agent\n", &format!("  name: {long}\n")),
        changed("\"net.core.somaxconn\"", &format!("\"{long}\"")),
        changed("8192", &format!("\"{long}\"")),
        more("[kubelet]\n\"LONG\" = 1\n"),
        more("[network]\n\"bond-LONG\" = 1\n"),
        more("[labels.\"LONG\"]\n"),
        format!("version = {}", "1".repeat(1000)),
        format!("{LEAST}[labels]\n\"{long}\" = 1\n\"{long}\" = 1\n"),
        LEAST.replace(" CERTIFICATE-", &format!(" {long}-")),
    ] {
        let error = error_of(&text);
        let start: String = text.chars().take(200).collect();
        for line in error.lines() {
            assert!(line.chars().count() <= 400, "{} letters: {line}\n{start}", line.chars().count());
        }
        assert!(error.contains('…'), "{error}\n{start}");
    }
    // Line breaks would be lines of their own, and a terminal obeys other such letters.
    let error = error_of(&changed("\"node-1.example\"", "\"a\\u001b[2J\\nb\""));
    assert!(
        error.contains("hostname: `a [2J b` is not a host name; it takes") && error.lines().count() == 1,
        "{error}"
    );
}

#[test]
fn every_kubelet_setting_has_a_range_that_holds_its_default() {
    for (key, least, most) in KUBELET_RANGES {
        for (value, good) in [(least, true), (most, true), (most + 1, false)] {
            // Its partner, so that the two agree.
            let partner = match key {
                "image_gc_low_percent" => "image_gc_high_percent = 95\n",
                "image_gc_high_percent" => "image_gc_low_percent = 5\n",
                "shutdown_grace_period_seconds" => "shutdown_grace_period_critical_pods_seconds = 5\n",
                "shutdown_grace_period_critical_pods_seconds" => "shutdown_grace_period_seconds = 600\n",
                _ => "",
            };
            let result = parse(&format!("{LEAST}[kubelet]\n{partner}{key} = {value}\n"));
            assert_eq!(result.is_ok(), good, "{key} = {value}: {result:?}");
        }
    }
    assert!(parse(LEAST).is_ok(), "the defaults");
}

#[test]
fn every_sysctl_of_the_list_can_be_set() {
    for rule in SYSCTLS {
        for (value, good) in [(rule.least, true), (rule.most, true), (rule.most + 1, false)] {
            let value = vec![value.to_string(); rule.numbers].join(" ");
            let result = parse(&format!("{LEAST}[sysctls]\n\"{}\" = \"{value}\"\n", rule.name));
            assert_eq!(result.is_ok(), good, "{} = {value}: {result:?}", rule.name);
        }
    }
    // The schema says the same (`schema/ranges.rs`).
    for (value, good) in [(" 8192 ", true), ("\\t8192\\r\\n", true), ("8 192", false), ("8192\\u00a0", false)] {
        let result = parse(&format!("{LEAST}[sysctls]\n\"net.core.somaxconn\" = \"{value}\"\n"));
        assert_eq!(result.is_ok(), good, "{value}: {result:?}");
    }
    let same = |number| format!("\"net.ipv4.neigh.default.gc_thresh{number}\" = \" 1024 \"\n");
    let neighbours = format!("{LEAST}[sysctls]\n{}{}", same(1), same(3));
    parse(&neighbours).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<&str> = SYSCTLS.iter().map(|rule| rule.name).collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn no_cut_of_a_document_panics() {
    for end in (0..FULL.len()).filter(|end| FULL.is_char_boundary(*end)) {
        if let Err(error) = parse(&FULL[..end]) {
            assert!(error.to_string().starts_with("node.toml:"), "{error}");
            assert!(error.0.iter().all(|mistake| mistake.next.is_some()), "what is to be done? {error}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = NodeConfig::parse(&bytes, "node.toml", &policy());
        let _ = NodeConfig::parse(&[LEAST.as_bytes(), &bytes].concat(), "node.toml", &policy());
    }

    #[test]
    fn mutated_documents_never_panic(
        at in 0..FULL.len(),
        length in 0..100usize,
        bytes in prop::collection::vec(any::<u8>(), 0..8),
        text in "[-0-9a-z./:@\"\\[\\]{}=,\n ]{0,12}",
    ) {
        let end = (at + length).min(FULL.len());
        for piece in [&bytes[..], text.as_bytes()] {
            let document = [&FULL.as_bytes()[..at], piece, &FULL.as_bytes()[end..]].concat();
            if let Err(error) = NodeConfig::parse(&document, "node.toml", &policy()) {
                prop_assert!(error.to_string().starts_with("node.toml:"));
                prop_assert!(error.0.iter().all(|mistake| mistake.next.is_some()), "what is to be done? {error}");
            }
        }
    }
}
