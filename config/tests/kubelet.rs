//! kubelet's configuration: of a node without a cluster, and of one with.

use orlop_config::node::{CRI_SOCKET, NodeConfigPolicy, NodeSettings, OnDamage};
use orlop_config::node_config::NodeConfig;
use orlop_config::render::{self, Facts, Rendered};

const LEAST: &str = include_str!("node_config/least.toml");
const FULL: &str = include_str!("node_config/full.toml");

/// Out of `k8s.io/kubelet/config/v1beta1/types.go`: kubelet ignores a key that it does not know.
const KNOWN: &[&str] = &[
    "apiVersion",
    "authentication",
    "authentication.anonymous",
    "authentication.anonymous.enabled",
    "authentication.webhook",
    "authentication.webhook.enabled",
    "authentication.x509",
    "authentication.x509.clientCAFile",
    "authorization",
    "authorization.mode",
    "cgroupDriver",
    "cgroupRoot",
    "clusterDNS",
    "clusterDomain",
    "containerLogMaxFiles",
    "containerLogMaxSize",
    "containerRuntimeEndpoint",
    "enableDebugFlagsHandler",
    "enableProfilingHandler",
    "enableServer",
    "enableSystemLogHandler",
    "enableSystemLogQuery",
    "eventRecordQPS",
    "evictionHard",
    "failCgroupV1",
    "failSwapOn",
    "healthzBindAddress",
    "healthzPort",
    "imageGCHighThresholdPercent",
    "imageGCLowThresholdPercent",
    "imagePullCredentialsVerificationPolicy",
    "kind",
    "kubeReserved",
    "kubeletCgroups",
    "makeIPTablesUtilChains",
    "maxParallelImagePulls",
    "maxPods",
    "podCIDR",
    "podPidsLimit",
    "preloadedImagesVerificationAllowlist",
    "protectKernelDefaults",
    "readOnlyPort",
    "registerWithTaints",
    "registerWithTaints.effect",
    "registerWithTaints.key",
    "registerWithTaints.value",
    "resolvConf",
    "rotateCertificates",
    "seccompDefault",
    "serializeImagePulls",
    "serverTLSBootstrap",
    "shutdownGracePeriod",
    "shutdownGracePeriodCriticalPods",
    "staticPodPath",
    "streamingConnectionIdleTimeout",
    "systemReserved",
    "tlsCipherSuites",
    "tlsMinVersion",
];
const RESERVED: &[&str] = &["cpu", "memory", "pid", "ephemeral-storage"];
const SIGNALS: &[&str] =
    &["memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree"];

fn settings() -> NodeSettings {
    NodeSettings {
        version: 1,
        image: "cluster".into(),
        image_version: "1".into(),
        class: "public".into(),
        on_damage: OnDamage::Refuse,
        sysctls: Vec::new(),
        containerd: Vec::new(),
        kubelet: vec!["/usr/bin/kubelet".into(), "--config=/etc/kubernetes/kubelet.yaml".into()],
        node_config: None,
    }
}

fn config(text: &str) -> NodeConfig {
    use orlop_config::node::Allowance::{ExtraCas, PlainHttpMirrors, RegistryMirrors, StaticPods};
    let allow = vec![StaticPods, ExtraCas, RegistryMirrors, PlainHttpMirrors];
    let policy = NodeConfigPolicy { class: "public".into(), allow, ..NodeConfigPolicy::default() };
    NodeConfig::parse(text.as_bytes(), "node.toml", &policy).unwrap_or_else(|error| panic!("{error}"))
}

fn rendered(text: &str) -> Rendered {
    render(&config(text))
}

fn render(config: &NodeConfig) -> Rendered {
    let facts = Facts { hostname: "orlop-0123abcd".into(), addresses: vec![[192, 0, 2, 77].into()] };
    render::cluster(&settings(), config, &facts)
}

fn file(rendered: &Rendered, path: &str) -> String {
    let file = rendered.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(file.bytes.clone()).expect("text")
}

fn kubelet_yaml(text: &str) -> String {
    file(&rendered(text), "/etc/kubernetes/kubelet.yaml")
}

/// The keys of a YAML text in block style, each with those above it; items of lists are keys' own lines or none.
fn keys(yaml: &str) -> Vec<String> {
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut keys = Vec::new();
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let Some((key, value)) = line[indent..].split_once(':') else {
            assert!(line.trim_start().starts_with("- "), "neither key nor item: {line}");
            continue;
        };
        if line.trim_start().starts_with("- \"") {
            continue;
        }
        assert!(value.is_empty() || value.starts_with(' '), "{line}");
        while above.last().is_some_and(|(other, _)| *other >= indent) {
            above.pop();
        }
        above.push((indent, key.to_owned()));
        let path: Vec<&str> = above.iter().map(|(_, key)| key.as_str()).collect();
        keys.push(path.join("."));
    }
    keys
}

/// Keys that kubelet would take without a word, and go by a default.
fn unknown(yaml: &str) -> Vec<String> {
    let is_known = |key: &String| {
        let known = |table: &str, names: &[&str]| key.strip_prefix(table).is_some_and(|name| names.contains(&name));
        let resource = ["kubeReserved.", "systemReserved."].iter().any(|table| known(table, RESERVED));
        KNOWN.contains(&key.as_str()) || resource || known("evictionHard.", SIGNALS)
    };
    keys(yaml).into_iter().filter(|key| !is_known(key)).collect()
}

#[test]
fn a_misspelt_key_is_found_however_deep_it_stands() {
    let yaml = kubelet_yaml(FULL);
    for (right, wrong, named) in [
        ("maxPods:", "maxPod:", "maxPod"),
        ("    enabled: true\n", "    enable: true\n", "authentication.webhook.enable"),
        ("    clientCAFile:", "    clientCaFile:", "authentication.x509.clientCaFile"),
        ("  nodefs.inodesFree:", "  nodefs.inodeFree:", "evictionHard.nodefs.inodeFree"),
        ("  ephemeral-storage:", "  ephemeralStorage:", "kubeReserved.ephemeralStorage"),
        ("    effect: NoSchedule", "    effects: NoSchedule", "registerWithTaints.effects"),
    ] {
        assert!(yaml.contains(right), "{right}");
        assert_eq!(unknown(&yaml.replacen(right, wrong, 1)), [named]);
    }
}

#[test]
fn images_of_the_root_that_are_a_registrys_run_without_its_password() {
    let mut settings = settings();
    let preload = vec!["registry.example:5000/team/app".to_owned()];
    settings.node_config = Some(NodeConfigPolicy { preload, ..NodeConfigPolicy::default() });
    let yaml = file(&render::cluster(&settings, &config(LEAST), &Facts::default()), "/etc/kubernetes/kubelet.yaml");
    let list = "preloadedImagesVerificationAllowlist:\n  - localhost/*\n  - \"registry.example:5000/team/app\"\n";
    assert!(yaml.contains(list), "{yaml}");
    assert_eq!(unknown(&yaml), [""; 0]);
}

#[test]
fn kubelets_keys_are_keys_that_kubelet_knows() {
    for yaml in [render::kubelet(), kubelet_yaml(LEAST), kubelet_yaml(FULL)] {
        assert_eq!(unknown(&yaml), [""; 0]);
        let keys = keys(&yaml);
        let mut once: Vec<&String> = keys.iter().collect();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), keys.len(), "a key twice in\n{yaml}");
    }
}

#[test]
fn without_a_cluster_kubelet_listens_on_loopback_only() {
    let config = render::kubelet();
    for line in [
        "enableServer: false",
        "serverTLSBootstrap: true",
        "readOnlyPort: 0",
        "healthzBindAddress: 127.0.0.1",
        "healthzPort: 10248",
    ] {
        assert!(config.lines().any(|other| other == line), "{line}");
    }
}

/// CIS 4.2, and what else lets nobody in.
#[test]
fn in_a_cluster_kubelet_lets_in_whom_the_cluster_lets_in() {
    for text in [LEAST, FULL] {
        let config = kubelet_yaml(text);
        for part in [
            "  anonymous:\n    enabled: false\n  webhook:\n    enabled: true\n",
            "    clientCAFile: /etc/kubernetes/pki/ca.crt\n",
            "authorization:\n  mode: Webhook\n",
            "readOnlyPort: 0\n",
            "streamingConnectionIdleTimeout: 5m\n",
            "makeIPTablesUtilChains: true\n",
            "eventRecordQPS: 50\n",
            "rotateCertificates: true\n",
            "serverTLSBootstrap: true\n",
            "tlsMinVersion: VersionTLS13\n",
            "seccompDefault: true\n",
            "protectKernelDefaults: true\n",
            "enableDebugFlagsHandler: false\n",
            "healthzBindAddress: 127.0.0.1\n",
        ] {
            assert!(config.contains(part), "{part}");
        }
        assert!(config.contains(&format!("containerRuntimeEndpoint: unix://{CRI_SOCKET}\n")));
        let arguments = rendered(text).kubelet;
        assert!(arguments.iter().all(|argument| !argument.starts_with("--hostname-override")), "{arguments:?}");
    }
}

#[test]
fn kubelet_gets_what_the_document_says() {
    let config = kubelet_yaml(FULL);
    for part in [
        "clusterDomain: \"cluster.example\"\nclusterDNS:\n  - \"10.96.0.10\"\n",
        "registerWithTaints:\n  - key: \"example.org/dedicated\"\n    value: \"gpu\"\n    effect: NoSchedule\n",
        "maxPods: 60\n",
        "shutdownGracePeriod: 60s\nshutdownGracePeriodCriticalPods: 10s\n",
        "kubeReserved:\n  cpu: 200m\n  memory: 300Mi\n  ephemeral-storage: 1024Mi\n",
        "evictionHard:\n  memory.available: 200Mi\n  nodefs.available: 10%\n",
    ] {
        assert!(config.contains(part), "{part}\nis not in\n{config}");
    }
    let least = kubelet_yaml(LEAST);
    assert!(!least.contains("clusterDNS") && !least.contains("registerWithTaints"), "{least}");
    assert!(least.contains("maxPods: 110\npodPidsLimit: 4096\n"), "{least}");
}

#[test]
fn kubelet_joins_by_token_or_certificate() {
    let by_token = rendered(LEAST);
    assert_eq!(
        by_token.kubelet[1..],
        [
            "--config=/etc/kubernetes/kubelet.yaml",
            "--kubeconfig=/etc/kubernetes/kubelet.conf",
            "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
        ]
    );
    let kubeconfig = file(&by_token, "/etc/kubernetes/bootstrap-kubelet.conf");
    assert!(kubeconfig.contains("    server: \"https://192.0.2.1:6443\"\n"), "{kubeconfig}");
    assert!(kubeconfig.contains("    token: \"abcdef.0123456789abcdef\"\n"), "{kubeconfig}");
    assert!(by_token.files.iter().all(|file| file.path != "/etc/kubernetes/kubelet.conf"), "kubelet writes it itself");

    let by_certificate = rendered(FULL);
    assert_eq!(
        by_certificate.kubelet[2..],
        [
            "--kubeconfig=/etc/kubernetes/kubelet.conf",
            "--node-ip=192.0.2.10,2001:db8::10",
            "--node-labels=example.org/rack=17,topology.kubernetes.io/zone=a",
        ]
    );
    let kubeconfig = file(&by_certificate, "/etc/kubernetes/kubelet.conf");
    for key in
        ["client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0t", "client-key-data: LS0tLS1CRUdJTiBQUklWQVRF"]
    {
        assert!(kubeconfig.contains(key), "{kubeconfig}");
    }
    let mut again = config(LEAST);
    again.cluster.token = None;
    let again = render(&again);
    assert_eq!(again.kubelet[2..], ["--kubeconfig=/etc/kubernetes/kubelet.conf"], "by an earlier boot's certificate");
    let kubeconfig = file(&again, "/etc/kubernetes/kubelet.conf");
    for key in ["client-certificate", "client-key"] {
        let line = format!("    {key}: /var/lib/kubelet/pki/kubelet-client-current.pem\n");
        assert!(kubeconfig.contains(&line), "{kubeconfig}");
    }
    for rendered in [by_token, by_certificate, again] {
        assert_eq!(file(&rendered, "/etc/kubernetes/pki/ca.crt"), include_str!("node_config/ca.pem"));
    }
}
