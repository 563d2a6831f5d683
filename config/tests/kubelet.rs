//! kubelet's configuration: of a node without a cluster, and of one with.

mod shipped;

use std::collections::BTreeSet;

use orlop_config::node::{CRI_SOCKET, NodeConfigPolicy, NodeSettings, OnDamage};
use orlop_config::node_config::NodeConfig;
use orlop_config::render::{self, Facts, Rendered};
use shipped::{CLUSTER, STANDALONE, resolve};

const LEAST: &str = include_str!("node_config/least.toml");
const FULL: &str = include_str!("node_config/full.toml");

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

/// Each key with those above it.
fn keys(yaml: &str) -> Vec<String> {
    let keys = render::kubelet_keys(yaml).unwrap_or_else(|error| panic!("{error} in\n{yaml}"));
    keys.iter().map(|path| path.join("/")).collect()
}

#[test]
fn keys_are_found_however_deep_they_stand() {
    let yaml =
        "a: 1\nb:\n  c:\n    - d: \"x: y\"\n      e: 2\n  f:\n    - \"g:1\"\n    - h/*\n  i.j: 3\nk: unix:///l\n";
    assert_eq!(keys(yaml), ["a", "b", "b/c", "b/c/d", "b/c/e", "b/f", "b/i.j", "k"]);
    for wrong in ["a 1", "a:1", "a: 1\n\nb: 2", "\"a\": 1"] {
        let error = render::kubelet_keys(wrong).expect_err(wrong);
        assert!(error.contains("neither a key nor an item"), "{error}");
    }
}

/// The builder holds the widest configuration against kubelet's types (`builder/src/sources/kubelet`): a key that is not in it
/// nobody looks at.
#[test]
fn the_widest_configuration_has_every_key_that_a_document_brings() {
    let cluster = resolve(CLUSTER).expect("shipped").definition;
    let widest: BTreeSet<String> = keys(&render::widest_kubelet(&cluster)).into_iter().collect();
    let full: BTreeSet<String> = keys(&kubelet_yaml(FULL)).into_iter().collect();
    assert_eq!(widest, full);
    assert!(keys(&kubelet_yaml(LEAST)).iter().all(|key| widest.contains(key)));
    let standalone = resolve(STANDALONE).expect("shipped").definition;
    assert_eq!(render::widest_kubelet(&standalone), render::kubelet());
}

#[test]
fn images_of_the_root_that_are_a_registrys_run_without_its_password() {
    let mut settings = settings();
    let preload = vec!["registry.example:5000/team/app".to_owned()];
    settings.node_config = Some(NodeConfigPolicy { preload, ..NodeConfigPolicy::default() });
    let yaml = file(&render::cluster(&settings, &config(LEAST), &Facts::default()), "/etc/kubernetes/kubelet.yaml");
    let list = "preloadedImagesVerificationAllowlist:\n  - localhost/*\n  - \"registry.example:5000/team/app\"\n";
    assert!(yaml.contains(list), "{yaml}");
}

#[test]
fn no_key_stands_there_twice() {
    for yaml in [render::kubelet(), kubelet_yaml(LEAST), kubelet_yaml(FULL)] {
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

/// The defaults of docs/node-config.md, `[kubelet]`, which also says why `ephemeral-storage` is so low.
const KEPT_BACK: &str = "kubeReserved:
  cpu: 100m
  memory: 256Mi
  ephemeral-storage: 256Mi
  pid: \"1000\"
systemReserved:
  cpu: 100m
  memory: 128Mi
  pid: \"1000\"
evictionHard:
  memory.available: 100Mi
  nodefs.available: 10%
  nodefs.inodesFree: 5%
  imagefs.available: 15%
  imagefs.inodesFree: 5%
";

#[test]
fn so_much_is_kept_back_where_the_document_says_nothing() {
    let least = kubelet_yaml(LEAST);
    assert!(least.ends_with(KEPT_BACK), "{least}");
}

/// kubelet does not start where more is reserved than there is: on a disk that is no bigger than the image, the state
/// partition is as small as the image's, and its journal takes 64 MiB of it.
#[test]
fn what_is_reserved_of_the_disk_is_there_on_the_shipped_image() {
    let reserved = config(LEAST).kubelet.kube_reserved.ephemeral_storage_mib;
    let state = resolve(CLUSTER).expect("shipped").definition.partitions.state_mib;
    assert!(reserved <= (state - 64) * 2 / 3, "{reserved} of {state} MiB");
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
    let renders_kubelets = |all: &Rendered| all.files.iter().any(|file| file.path == "/etc/kubernetes/kubelet.conf");
    assert!(!renders_kubelets(&by_token), "kubelet writes it itself");

    let by_certificate = rendered(FULL);
    assert_eq!(
        by_certificate.kubelet[2..],
        [
            "--kubeconfig=/etc/kubernetes/kubelet.conf",
            "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
            "--node-ip=192.0.2.10,2001:db8::10",
            "--node-labels=example.org/rack=17,topology.kubernetes.io/zone=a",
        ]
    );
    let kubeconfig = file(&by_certificate, "/etc/kubernetes/bootstrap-kubelet.conf");
    for key in
        ["client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0t", "client-key-data: LS0tLS1CRUdJTiBQUklWQVRF"]
    {
        assert!(kubeconfig.contains(key), "{kubeconfig}");
    }
    assert!(!renders_kubelets(&by_certificate), "kubelet would renew by the document's certificate for ever");
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
