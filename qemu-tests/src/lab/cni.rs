//! The cluster's network between nodes, as plain as can be: a DaemonSet of busybox that writes the node's CNI
//! configuration out of its `podCIDR`, and a route to each other node's pods. A real cluster brings its own.

use serde_json::{Value, json};

use super::affinity::but_for_nodes_with;
use super::network::{API_PORT, HOST};
use super::oci::{Image, LayerFile};
use super::registry::Pushed;
use super::status::internal_address;
use super::{ControlPlane, Lab, Registry};
use crate::{Error, Result};

/// A node with this label, of any value, gets no network of ours.
pub const WITHOUT: &str = "lab.test/without-cni";
/// The DaemonSet, its namespace.
const NAME: &str = "lab-cni";
const NAMESPACE: &str = "kube-system";

/// What each node's pod does: the same again whenever a node changes, and every 20 seconds, so that it does not matter what
/// happened to this one. Its TLS checks no certificate (busybox cannot); what it asks for is no secret, and the lab is
/// closed.
const SCRIPT: &str = r#"
account=/var/run/secrets/kubernetes.io/serviceaccount
ask() {
  wget --no-check-certificate -T 30 -qO- --header "Authorization: Bearer $(cat $account/token)" "https://HOST:PORT/api/v1/nodes?$1"
}
apply() {
  ask pretty=true | awk -F'"' '/"kubernetes.io\/hostname":/ { node = $4 } /"podCIDR":/ { pods = $4 }
      /"address":/ && $4 ~ /^[0-9.]+$/ && pods { print node, pods, $4; pods = "" }' >/run/nodes
  while read -r node pods address; do
    if [ "$node" = "$NODE" ]; then
      echo "$CONFLIST" | sed "s|PODS|$pods|" >/run/new
      cmp -s /run/new /cni/10-lab.conflist || { cp /run/new /cni/.new; mv /cni/.new /cni/10-lab.conflist; echo "pods $pods"; }
    else
      ip route replace "$pods" via "$address" || echo "no route to $pods by $address"
    fi
  done </run/nodes
}
while :; do
  apply
  # A line for each node there is, and for each change of one. Each question costs a processor of the emulator 0.1 s.
  ask 'watch=true&timeoutSeconds=20' | while read -r change; do apply; done
  sleep 1
done
"#;

/// The applets of busybox that the images of the lab name.
const APPLETS: &str = "awk cat chroot cmp cp date df dd echo env false find grep head hostname httpd id ip kill ls md5sum mkdir \
    mount mv nc nslookup ping printf ps rm sed seq sh sleep stat tail touch tr true umount uname wc wget";

/// The image of busybox: a shell and what it needs.
pub fn busybox(lab: &Lab) -> Result<Image> {
    let path = lab.tools.program("busybox")?;
    let bytes = std::fs::read(&path).map_err(Error::file("reading", &path))?;
    let links = APPLETS.split_whitespace().map(|applet| LayerFile::Link(format!("/bin/{applet}"), "busybox".into()));
    let mut files = vec![LayerFile::File("/bin/busybox".into(), 0o755, bytes)];
    files.extend(links);
    let passwd = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n";
    files.push(LayerFile::File("/etc/passwd".into(), 0o644, passwd.into()));
    Ok(Image { files, entrypoint: vec!["/bin/sh".into()], user: String::new() })
}

/// Pushes the image, starts the DaemonSet. The host of the lab gets its own routes by [`route`].
pub fn start(lab: &Lab, plane: &ControlPlane, registry: &Registry) -> Result<Pushed> {
    let pushed = registry.push(lab, "busybox:1", &busybox(lab)?)?;
    plane.kubectl.apply(&objects(&pushed.tag).to_string())?;
    Ok(pushed)
}

/// Lets the host of the lab reach a node's pods.
pub fn route(lab: &Lab, plane: &ControlPlane, node: &str) -> Result<()> {
    let found = plane.kubectl.get(&["node", node])?;
    let missing = |what: &str| Error::Lab(format!("the node {node} has no {what}"));
    let pods = found["spec"]["podCIDR"].as_str().ok_or_else(|| missing("podCIDR"))?;
    let address = internal_address(&found).ok_or_else(|| missing("InternalIP"))?;
    lab.namespace.ip(&format!("route replace {pods} via {address}\n"))
}

fn objects(image: &str) -> Value {
    let labels = json!({"app": NAME});
    let conflist = json!({
        "cniVersion": "1.0.0",
        "name": "lab",
        "plugins": [{
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "ipMasq": false,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni/networks",
                "ranges": [[{"subnet": "PODS"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    });
    let script = SCRIPT.replace("HOST", HOST).replace("PORT", &API_PORT.to_string());
    let node = json!({"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}});
    let container = json!({
        "name": "cni",
        "image": image,
        "command": ["/bin/sh", "-c", script],
        "env": [node, {"name": "CONFLIST", "value": conflist.to_string()}],
        "securityContext": {"privileged": true},
        "volumeMounts": [{"name": "cni", "mountPath": "/cni"}, {"name": "run", "mountPath": "/run"}],
    });
    let pod = json!({
        "serviceAccountName": NAME,
        "affinity": but_for_nodes_with(WITHOUT),
        "hostNetwork": true,
        "priorityClassName": "system-node-critical",
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [
            {"name": "cni", "hostPath": {"path": "/etc/cni/net.d"}},
            {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        ],
    });
    let rules = [json!({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]})];
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME});
    let account = json!({"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE});
    let rbac = "rbac.authorization.k8s.io/v1";
    let named = json!({"name": NAME, "namespace": NAMESPACE});
    let template = json!({"metadata": {"labels": labels}, "spec": pod});
    let items = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named}),
        json!({"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": NAME}, "rules": rules}),
        json!({
            "apiVersion": rbac,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "roleRef": role,
            "subjects": [account],
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": named,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }),
    ];
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}
