//! Services and cluster DNS: kube-proxy in nftables mode and CoreDNS, from images made of their programs.

use std::path::Path;

use serde_json::{Value, json};

use super::affinity::but_for_nodes_with;
use super::network::{API_PORT, CLUSTER_DNS, CLUSTER_DOMAIN, HOST, PODS};
use super::oci::{Image, LayerFile};
use super::{ControlPlane, Lab, Registry, cni};
use crate::{Error, Result};

/// A node with this label, of any value, gets neither kube-proxy nor CoreDNS: it saves pulling them to where no Service is
/// asked.
pub const WITHOUT: &str = "lab.test/without-services";
const NAMESPACE: &str = "kube-system";
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// Pushes both images and creates their objects.
pub fn start(lab: &Lab, plane: &ControlPlane, registry: &Registry) -> Result<()> {
    let proxy = registry.push(lab, "kube-proxy:1", &proxy_image(lab)?)?;
    let dns = registry.push(lab, "coredns:1", &program_image(lab, "coredns")?)?;
    plane.kubectl.apply(&proxy_objects(&proxy.digest).to_string())?;
    plane.kubectl.apply(&dns_objects(&dns.digest).to_string())
}

fn program_image(lab: &Lab, name: &str) -> Result<Image> {
    let path = lab.tools.program(name)?;
    let bytes = std::fs::read(&path).map_err(Error::file("reading", &path))?;
    let file = LayerFile::File(format!("/{name}"), 0o755, bytes);
    Ok(Image { files: vec![file], entrypoint: vec![format!("/{name}")], user: String::new() })
}

/// kube-proxy with the `nft` that it runs.
fn proxy_image(lab: &Lab) -> Result<Image> {
    let mut image = program_image(lab, "kube-proxy")?;
    add_nft(lab, &mut image)?;
    Ok(image)
}

/// busybox with `nft`, for who looks at a node's rules.
pub fn nft_image(lab: &Lab) -> Result<Image> {
    let mut image = cni::busybox(lab)?;
    add_nft(lab, &mut image)?;
    Ok(image)
}

/// `/usr/sbin/nft`, its libraries, and the names of protocols: without them `nft` lists `6` for `tcp`, and a kube-proxy that
/// starts anew takes what the last one made for something else, and deletes it.
fn add_nft(lab: &Lab, image: &mut Image) -> Result<()> {
    let nft = lab.tools.program("nft/usr/sbin/nft")?;
    let root = nft.ancestors().nth(3).unwrap_or(&nft).to_owned();
    for folder in ["lib64", "usr/lib/x86_64-linux-gnu", "usr/sbin"] {
        add(image, &root, folder)?;
    }
    const PROTOCOLS: &str = "icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\nsctp 132 SCTP\n";
    image.files.push(LayerFile::File("/etc/protocols".into(), 0o644, PROTOCOLS.into()));
    // Where the loader looks.
    image.files.push(LayerFile::Link("/lib".into(), "usr/lib".into()));
    Ok(())
}

fn add(image: &mut Image, root: &Path, folder: &str) -> Result<()> {
    let path = root.join(folder);
    let entries = std::fs::read_dir(&path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries = entries.map_err(Error::file("reading", &path))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        // Links to the cache: the image gets what they lead to.
        let bytes = std::fs::read(entry.path()).map_err(Error::file("reading", &entry.path()))?;
        let name = format!("/{folder}/{}", entry.file_name().to_string_lossy());
        image.files.push(LayerFile::File(name, 0o755, bytes));
    }
    Ok(())
}

fn proxy_objects(image: &str) -> Value {
    let name = "kube-proxy";
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {
            // Not by the Service: who makes Services work cannot ask by one.
            "server": format!("https://{HOST}:{API_PORT}"),
            "certificate-authority": format!("{ACCOUNT}/ca.crt"),
        }}],
        "users": [{"name": "lab", "user": {"tokenFile": format!("{ACCOUNT}/token")}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "current-context": "lab",
    });
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": PODS,
        "clientConnection": {"kubeconfig": "/config/kubeconfig"},
        // The sysctls of connection tracking are the node's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    });
    let container = json!({
        "name": name,
        "image": image,
        "command": ["/kube-proxy", "--config=/config/config", "--hostname-override=$(NODE)", "-v=2"],
        "env": [
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "PATH", "value": "/usr/sbin"},
        ],
        "securityContext": {"privileged": true},
        // The node's own as `kubeadm` mounts them, needed or not: a cluster's kube-proxy does not start without them.
        "volumeMounts": [
            {"name": "config", "mountPath": "/config"},
            {"name": "xtables-lock", "mountPath": "/run/xtables.lock"},
            {"name": "lib-modules", "mountPath": "/lib/modules", "readOnly": true},
        ],
    });
    let pod = json!({
        "serviceAccountName": name,
        "affinity": but_for_nodes_with(WITHOUT),
        "hostNetwork": true,
        "priorityClassName": "system-node-critical",
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [
            {"name": "config", "configMap": {"name": name}},
            {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}},
            {"name": "lib-modules", "hostPath": {"path": "/lib/modules"}},
        ],
    });
    let mut items = account(name, "system:node-proxier").to_vec();
    items.push(config_map(name, &[("kubeconfig", kubeconfig.to_string()), ("config", config.to_string())]));
    items.push(json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": template(name, &pod),
    }));
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn dns_objects(image: &str) -> Value {
    let name = "coredns";
    let corefile = format!(
        ".:53 {{\n errors\n log\n health\n ready\n kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa\n \
         forward . {HOST}\n cache 5\n}}\n"
    );
    let container = json!({
        "name": name,
        "image": image,
        "args": ["-conf", "/config/Corefile"],
        "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}],
    });
    let pod = json!({
        "serviceAccountName": name,
        // It asks the lab's own server for the rest, and never itself.
        "dnsPolicy": "Default",
        "affinity": but_for_nodes_with(WITHOUT),
        "priorityClassName": "system-cluster-critical",
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": name}}],
    });
    let rules = json!([
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]);
    let mut items = account(name, "lab:coredns").to_vec();
    items.push(json!({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": "lab:coredns"}, "rules": rules}));
    items.push(config_map(name, &[("Corefile", corefile)]));
    items.push(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": template(name, &pod),
    }));
    let ports =
        ["UDP", "TCP"].map(|protocol| json!({"name": protocol.to_lowercase(), "port": 53, "protocol": protocol}));
    items.push(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": NAMESPACE},
        "spec": {"clusterIP": CLUSTER_DNS, "selector": {"app": name}, "ports": ports},
    }));
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn account(name: &str, role: &str) -> [Value; 2] {
    let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE});
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}}),
        json!({
            "apiVersion": RBAC,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("lab:{name}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }),
    ]
}

fn config_map(name: &str, files: &[(&str, String)]) -> Value {
    let data: serde_json::Map<_, _> = files.iter().map(|(file, text)| (file.to_string(), json!(text))).collect();
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": data,
    })
}

fn template(name: &str, pod: &Value) -> Value {
    let labels = json!({"app": name});
    json!({"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}})
}
