//! One machine that is told nearly all that a node config can say: on two cards without DHCP, by a client certificate,
//! through a proxy. Each key is asked for where it is in force, and all that are not are named at once.

mod pulls;
mod secrets;

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use orlop_config::node_config::{KUBELET_RANGES, Kubelet};
use orlop_machine::feed::Mark;
use orlop_machine::lab::network::{API_PORT, DOMAIN, HOST, HOST6};
use orlop_machine::lab::{Kubectl, NodeConfig, Proxy, REGISTRY_PORT, Subject, TimeServer};
use orlop_machine::{Event, Happening, Running, within};
use serde_json::{Value, json};

use crate::configz;
use crate::joining::joined;
use crate::segment::{ELSEWHERE, Node, Segment, segment};

use secrets::{CONSOLE, Secret};

const NAME: &str = "told";
const USER: &str = "system:node:told";

/// The first card's addresses. DHCP would give it another one of IPv4.
const IPV4: &str = "192.0.2.77";
const IPV6: &str = "2001:db8::77";

/// The second card's network, where there is no DHCP: its bridge, the lab's host in it, the node's address.
const BRIDGE: &str = "told0";
const ROUTER: &str = "198.51.100.1";
const SECOND: &str = "198.51.100.2";
const MTU: u16 = 1400;
/// Behind that router: a network, and an address of the lab's host, where a time server is.
const BEHIND: &str = "203.0.113.0/24";
const FAR: &str = "203.0.113.1";

const SEARCH: &str = "told.example";
/// The cluster's domain, as this node is told it. No pod here asks for a name of the cluster's.
const CLUSTER: &str = "told.internal";
const ZONE: &str = "topology.kubernetes.io/zone";
const TAINT: &str = "lab.test/told";
const MAX_PODS: u64 = 42;
/// All of `[kubelet]`, nothing as it is by default, and nothing that the other checks would feel.
const SETTINGS: [(&str, u64); KUBELET_RANGES.len()] = [
    ("max_pods", MAX_PODS),
    ("pod_pids_limit", 2048),
    ("max_parallel_image_pulls", 3),
    ("container_log_max_size_mib", 7),
    ("container_log_max_files", 3),
    ("image_gc_high_percent", 90),
    ("image_gc_low_percent", 75),
    ("shutdown_grace_period_seconds", 40),
    ("shutdown_grace_period_critical_pods_seconds", 15),
    ("kube_reserved.cpu_millis", 110),
    ("kube_reserved.memory_mib", 200),
    ("kube_reserved.ephemeral_storage_mib", 512),
    ("system_reserved.cpu_millis", 90),
    ("system_reserved.memory_mib", 100),
    ("eviction.memory_available_mib", 60),
    ("eviction.nodefs_available_percent", 8),
    ("eviction.nodefs_inodes_free_percent", 4),
    ("eviction.imagefs_available_percent", 12),
    ("eviction.imagefs_inodes_free_percent", 3),
];
const SYSCTLS: [(&str, &str); 3] =
    [("net.core.somaxconn", "8192"), ("net.ipv4.ip_local_port_range", "36000 60000"), ("vm.max_map_count", "300000")];

/// The static pod, and what the cluster calls it. It runs in the host's network, and looks around.
const POD: &str = "eyes";
const EYES: &str = "eyes-told";

/// Where the lab's registry asks who pulls, and what it wants to hear: as `qemu-tests/images/lab.toml` has it.
const GUARDED: u16 = 8443;
const LOGIN: (&str, &str) = ("lab", "open sesame");

/// A registry that there is not: in its place one is asked that speaks plain HTTP, and is no exception of the proxy's.
const PLAIN: &str = "plain.example";

/// Shows that a key is in force.
type Check = fn(&Told<'_>) -> Result<()>;

const CHECKS: [(&str, Check); 21] = [
    ("cluster.client_certificate", joins_by_its_certificate),
    ("labels", has_its_label),
    ("taints", has_its_taint),
    ("kubelet.max_pods", has_room_for_so_many_pods),
    ("extra_cas", trusts_the_registry),
    ("static_pods", runs_its_own_pod),
    ("kubelet and taints, by kubelet's own word", goes_by_its_settings),
    ("cluster.domain", tells_its_pods_the_clusters_domain),
    ("network.interfaces.addresses", has_its_addresses),
    ("network.interfaces.gateway4, gateway6 and routes", has_its_routes),
    ("network.interfaces.mtu", has_its_mtu),
    ("network.dns and search", asks_its_name_servers),
    ("time.servers", asks_its_time_server),
    ("sysctls", has_its_sysctls),
    ("registries.mirrors.username", pulls::by_a_mirrors_password),
    ("registries.username", pulls::by_a_registrys_password),
    ("proxy.http", pulls::plain_http_through_the_proxy),
    ("proxy.https", pulls::goes_through_the_proxy),
    ("proxy.exceptions", pulls::goes_past_the_proxy),
    ("secrets in files", keeps_its_secrets_with_root_alone),
    ("secrets in logs and on the console", says_no_secret),
];

/// A setting that is told as it is anyhow shows nothing.
#[test]
fn each_setting_of_kubelet_is_told_otherwise_than_by_default() -> Result<()> {
    ensure!(SETTINGS.map(|(key, _)| key) == KUBELET_RANGES.map(|(key, ..)| key), "{SETTINGS:?}");
    for (key, value) in SETTINGS {
        let table = match key.split_once('.') {
            Some((table, key)) => json!({ table: { key: value } }),
            None => json!({ key: value }),
        };
        ensure!(serde_json::from_value::<Kubelet>(table)? != Kubelet::default(), "{key} = {value}");
    }
    Ok(())
}

#[test]
fn a_node_goes_by_all_that_it_is_told() -> Result<()> {
    let segment = segment()?;
    let proxy = Proxy::start(&segment.lab)?;
    let mut node = segment.machine(NAME)?;
    add_network(&mut node)?;
    let time = TimeServer::start_at(&segment.lab, format!("{FAR}:123").parse()?)?;
    let key = tell(&mut node, &proxy)?;
    let running = node.start()?;
    joined(&running, NAME)
        .with_context(|| format!("it joins through the proxy, which was asked {:?}", proxy.asked()))?;
    let told = Told { node: &node, running: &running, proxy: &proxy, time: &time, key: &key };
    let wrong = |(key, check): &(&str, Check)| check(&told).err().map(|why| format!("{key}: not in force: {why:#}"));
    let wrong: Vec<String> = CHECKS.iter().filter_map(wrong).collect();
    ensure!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), running.kept_log());
    running.power_off(within(180))?;
    segment.kubectl.run(&["delete", "node", NAME])?;
    Ok(segment.lab.namespace.ip(&format!("link delete {BRIDGE}\n"))?)
}

/// The node, and what it was led to.
struct Told<'t> {
    node: &'t Node,
    running: &'t Running,
    proxy: &'t Proxy,
    time: &'t TimeServer,
    /// That of its client certificate.
    key: &'t str,
}

impl Told<'_> {
    fn segment(&self) -> &'static Segment {
        self.node.segment
    }

    fn kubectl(&self) -> &'static Kubectl {
        &self.node.segment.kubectl
    }

    /// The Node object.
    fn object(&self) -> Result<Value> {
        Ok(self.kubectl().get(&["node", NAME])?)
    }

    /// What a line of shell says in the host's network.
    fn seen(&self, line: &str) -> Result<String> {
        Ok(self.kubectl().run(&["exec", EYES, "--", "/bin/sh", "-c", line])?)
    }

    /// Runs a pod of an image to its end, which says what is in it.
    fn pulls(&self, name: &str, image: &str) -> Result<()> {
        let log = self.shows(name, image, "/mark")?;
        ensure!(log.trim() == name, "{log}");
        Ok(())
    }

    /// A file, as a pod of an image has it.
    fn shows(&self, name: &str, image: &str, file: &str) -> Result<String> {
        let container = json!({"name": "it", "image": image, "command": ["/bin/cat", file]});
        let spec = json!({"nodeName": NAME, "restartPolicy": "Never", "containers": [container]});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
        self.kubectl().apply(&pod.to_string())?;
        self.kubectl().wait(&format!("pod/{name}"), "jsonpath={.status.phase}=Succeeded", within(180))?;
        let log = self.kubectl().run(&["logs", name])?;
        self.kubectl().run(&["delete", "pod", name])?;
        Ok(log)
    }
}

/// Gives the machine a second card, in a network of its own.
fn add_network(node: &mut Node) -> Result<()> {
    let tap = node.add_card()?.tap;
    let lines = [
        format!("link add name {BRIDGE} type bridge"),
        format!("address add {ROUTER}/24 dev {BRIDGE}"),
        format!("address add {FAR}/32 dev {BRIDGE}"),
        format!("link set dev {BRIDGE} up"),
        format!("link set dev {tap} master {BRIDGE}"),
        String::new(),
    ];
    Ok(node.segment.lab.namespace.ip(&lines.join("\n"))?)
}

/// Tells it; the key of its client certificate.
fn tell(node: &mut Node, proxy: &Proxy) -> Result<String> {
    let segment = node.segment;
    let subject = Subject { name: USER, group: Some("system:nodes"), ..Subject::default() };
    let pair = segment.plane().authority.issue(&segment.lab.folder, NAME, &subject)?;
    let key = std::fs::read_to_string(pair.key)?;
    let client = (std::fs::read_to_string(pair.certificate)?, key.clone());
    let ca = segment.registry.authority.certificate()?;
    let cards: Vec<String> = node.machine.cards.iter().map(|card| card.mac.clone()).collect();
    let tables = [network(&cards), settings(proxy), pulling(), static_pod(segment)].concat();
    node.tell(|config: &mut NodeConfig| {
        config.server = format!("https://api.{DOMAIN}:{API_PORT}");
        config.domain = CLUSTER.into();
        (config.token, config.client) = (None, Some(client));
        // The registry is trusted by this alone.
        (config.registry_ca, config.top) = (None, format!("extra_cas = ['''\n{ca}''']\n"));
        config.labels.insert(ZONE.into(), "a".into());
        config.tables += &tables;
    });
    Ok(key)
}

fn network(cards: &[String]) -> String {
    format!(
        r#"
[network]
dns = ["{HOST}"]
search = ["{SEARCH}"]

[[network.interfaces]]
mac = "{}"
addresses = ["{IPV4}/24", "{IPV6}/64"]
gateway4 = "{HOST}"
gateway6 = "{HOST6}"

[[network.interfaces]]
mac = "{}"
addresses = ["{SECOND}/24"]
mtu = {MTU}
routes = [{{ to = "{BEHIND}", via = "{ROUTER}" }}]

[time]
servers = ["{FAR}"]
"#,
        cards[0], cards[1]
    )
}

fn settings(proxy: &Proxy) -> String {
    let sysctls: String = SYSCTLS.iter().map(|(name, value)| format!("{name:?} = {value:?}\n")).collect();
    let url = proxy.url();
    let kubelet: String = SETTINGS.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!(
        r#"
[proxy]
http = "{url}"
https = "{url}"
exceptions = ["{HOST}/32"]

[[taints]]
key = "{TAINT}"
value = "yes"
effect = "NoSchedule"

[kubelet]
{kubelet}
[sysctls]
{sysctls}"#
    )
}

/// The mirrors of registries that there are not are the lab's: by its address, which is an exception of the proxy's, and by
/// its name.
fn pulling() -> String {
    let (name, password) = LOGIN;
    let login = format!("username = {name:?}, password = {password:?}");
    format!(
        r#"
[registries]
"{ELSEWHERE}" = {{ mirrors = [{{ url = "https://{HOST}:{GUARDED}", {login} }}] }}
"{PLAIN}" = {{ mirrors = [{{ url = "http://registry.{DOMAIN}:{REGISTRY_PORT}", insecure = true }}] }}
"registry.{DOMAIN}:{GUARDED}" = {{ {login} }}
"#
    )
}

fn static_pod(segment: &Segment) -> String {
    let image = &segment.busybox.digest;
    let container = json!({"name": "it", "image": image, "command": ["/bin/sleep", "1000000"],
        "volumeMounts": secrets::mounts()});
    let spec = json!({"hostNetwork": true, "terminationGracePeriodSeconds": 1, "containers": [container],
        "volumes": secrets::volumes()});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec});
    format!("\n[static_pods]\n{POD} = '''{pod}'''\n")
}

/// kubelet asks for a certificate of its own by the one that it was given. That it goes by that from then on: `rotation.rs`.
fn joins_by_its_certificate(told: &Told<'_>) -> Result<()> {
    const SIGNER: &str = "kubernetes.io/kube-apiserver-client-kubelet";
    told.kubectl().until("request by the client certificate for one of its own", within(120), |kubectl| {
        let requests = kubectl.get(&["csr"])?;
        let is_its = |one: &Value| one["spec"]["username"] == USER && one["spec"]["signerName"] == SIGNER;
        Ok(requests["items"].as_array().is_some_and(|all| all.iter().any(is_its)).then_some(()))
    })?;
    Ok(())
}

fn has_its_label(told: &Told<'_>) -> Result<()> {
    let object = told.object()?;
    let labels = &object["metadata"]["labels"];
    ensure!(labels[ZONE] == "a", "{labels}");
    Ok(())
}

fn has_its_taint(told: &Told<'_>) -> Result<()> {
    let object = told.object()?;
    let taints = &object["spec"]["taints"];
    let is_it = |one: &Value| one["key"] == TAINT && one["value"] == "yes" && one["effect"] == "NoSchedule";
    ensure!(taints.as_array().is_some_and(|all| all.iter().any(is_it)), "{taints}");
    Ok(())
}

fn has_room_for_so_many_pods(told: &Told<'_>) -> Result<()> {
    let object = told.object()?;
    let capacity = &object["status"]["capacity"];
    ensure!(capacity["pods"].as_str() == Some(MAX_PODS.to_string().as_str()), "{capacity}");
    Ok(())
}

/// The pods' network comes with an image of that registry.
fn trusts_the_registry(told: &Told<'_>) -> Result<()> {
    told.node.ready(told.running)
}

fn runs_its_own_pod(told: &Told<'_>) -> Result<()> {
    let is_it = |event: &Event| matches!(event, Event::Pod { name, .. } if name == POD);
    told.running.wait_event(&format!("pod={POD} state=running"), within(300), is_it)?;
    told.kubectl().wait(&format!("pod/{EYES}"), "condition=Ready", within(120))?;
    let pod = told.kubectl().get(&["pod", EYES])?;
    let annotations = &pod["metadata"]["annotations"];
    ensure!(annotations["kubernetes.io/config.source"] == "file", "{annotations}");
    // Those that follow look through it, which needs kubelet's certificate.
    Ok(told.segment().approver.approved(NAME, within(120))?)
}

/// Its configuration has what it was told, and kubelet goes by all of that.
fn goes_by_its_settings(told: &Told<'_>) -> Result<()> {
    let file = told.seen(&format!("cat {}/etc/kubernetes/kubelet.yaml", secrets::HOST))?;
    let rendered = configz::compare(told.segment(), NAME, &file)?.rendered;
    let taint = json!([{"key": TAINT, "value": "yes", "effect": "NoSchedule"}]);
    ensure!(rendered["registerWithTaints"] == taint && rendered["clusterDomain"] == CLUSTER, "{file}");
    ensure!(rendered["maxPods"] == MAX_PODS && rendered["evictionHard"]["imagefs.inodesFree"] == "3%", "{file}");
    Ok(())
}

/// Of a pod with a network of its own: one of the host's network has the host's.
fn tells_its_pods_the_clusters_domain(told: &Told<'_>) -> Result<()> {
    let has = told.shows("told-domain", &told.segment().busybox.digest, "/etc/resolv.conf")?;
    let wanted = format!("search default.svc.{CLUSTER} svc.{CLUSTER} {CLUSTER} {SEARCH}");
    ensure!(has.lines().any(|line| line.trim() == wanted), "no `{wanted}` in {has}");
    Ok(())
}

fn has_its_addresses(told: &Told<'_>) -> Result<()> {
    let object = told.object()?;
    let known = object["status"]["addresses"].as_array().context("the cluster knows no addresses")?;
    let internal = known.iter().filter(|one| one["type"] == "InternalIP");
    let internal: Vec<&str> = internal.filter_map(|one| one["address"].as_str()).collect();
    ensure!(internal == [IPV4, IPV6], "the cluster knows it by {internal:?}");
    let has = told.seen("ip address show")?;
    for address in [IPV4, IPV6, SECOND] {
        ensure!(has.contains(&format!(" {address}/")), "no {address} in {has}");
    }
    let dhcps = told.node.machine.cards[0].address;
    ensure!(!has.contains(&format!(" {dhcps}/")), "{dhcps} is DHCP's: {has}");
    let kubelet = SocketAddr::new(IPV6.parse()?, 10250);
    let namespace = &told.segment().lab.namespace;
    namespace.connect_from(Some(HOST6.parse()?), kubelet, within(20))?.context("kubelet by IPv6")?;
    let said = told.segment().lab.busybox(&["ping", "-c", "1", "-W", "20", SECOND])?;
    ensure!(said.contains(" 0% packet loss"), "{SECOND}: {said}");
    Ok(())
}

fn has_its_routes(told: &Told<'_>) -> Result<()> {
    let has = told.seen("ip route; ip -6 route")?;
    for (network, router) in [("default", HOST), ("default", HOST6), (BEHIND, ROUTER)] {
        ensure!(has.contains(&format!("{network} via {router} ")), "no route to {network} by {router}: {has}");
    }
    let said = told.seen(&format!("ping -c 1 -W 20 {FAR}"))?;
    ensure!(said.contains(" 0% packet loss"), "{FAR}: {said}");
    Ok(())
}

fn has_its_mtu(told: &Told<'_>) -> Result<()> {
    let line = "for card in /sys/class/net/*; do echo $(cat $card/address) $(cat $card/mtu); done";
    let has = told.seen(line)?;
    let wanted = format!("{} {MTU}", told.node.machine.cards[1].mac);
    ensure!(has.lines().any(|line| line == wanted), "no `{wanted}` in {has}");
    Ok(())
}

fn asks_its_name_servers(told: &Told<'_>) -> Result<()> {
    // A pod of the host's network has the host's.
    let has = told.seen("cat /etc/resolv.conf")?;
    for wanted in [format!("nameserver {HOST}"), format!("search {SEARCH}")] {
        ensure!(has.lines().any(|line| line.trim() == wanted), "no `{wanted}` in {has}");
    }
    Ok(())
}

fn asks_its_time_server(told: &Told<'_>) -> Result<()> {
    told.time.wait_asked(Mark::default(), within(60))?;
    Ok(())
}

fn has_its_sysctls(told: &Told<'_>) -> Result<()> {
    for (name, wanted) in SYSCTLS {
        let has = told.seen(&format!("cat /proc/sys/{}", name.replace('.', "/")))?;
        ensure!(has.split_whitespace().eq(wanted.split(' ')), "{name} is {has}");
    }
    Ok(())
}

const KEY: &str = "the client certificate's key";
const LOGINS: &str = "the registries' password";
const PROXYS: &str = "the proxy's password";

/// Those of its document.
fn its_secrets(told: &Told<'_>) -> Result<[Secret; 3]> {
    let url = told.proxy.url();
    let user = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
    let (name, password) = user.and_then(|user| user.split_once(':')).context("the proxy wants no password")?;
    let logins = Secret::password(LOGINS, LOGIN.0, LOGIN.1);
    Ok([Secret::key(KEY, told.key), logins, Secret::password(PROXYS, name, password)])
}

fn keeps_its_secrets_with_root_alone(told: &Told<'_>) -> Result<()> {
    let document = "/run/orlop/net/config.toml";
    let hosts = |name: &str| format!("/etc/containerd/certs.d/{name}/hosts.toml");
    let holders = [
        (document.to_owned(), KEY),
        (document.to_owned(), LOGINS),
        (document.to_owned(), PROXYS),
        ("/etc/kubernetes/bootstrap-kubelet.conf".to_owned(), KEY),
        (hosts(ELSEWHERE), LOGINS),
        (hosts(&format!("registry.{DOMAIN}:{GUARDED}")), LOGINS),
    ];
    secrets::lie_with_root_alone(&|line| told.seen(line), &its_secrets(told)?, &holders)
}

fn says_no_secret(told: &Told<'_>) -> Result<()> {
    let console = std::fs::read(told.running.log())?;
    let report = |happening: &Happening| happening.port("orlop.report").map(str::to_owned);
    let report = told.running.feed().collect(Mark::default(), report).join("\n");
    let said = vec![(CONSOLE, String::from_utf8_lossy(&console).into_owned()), ("the report", report)];
    secrets::stand_in_no_log(&|line| told.seen(line), &its_secrets(told)?, said)
}
