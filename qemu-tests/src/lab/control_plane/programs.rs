//! The control plane's processes and their arguments.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::super::network::{API_PORT, CLUSTER_DOMAIN, HOST, PODS, SERVICES};
use super::super::pki::Pair;
use super::super::{Lab, Service};
use super::ControlPlane;
use crate::{Result, within};

const ETCD: &str = "http://127.0.0.1:2379";
const ETCD_PEERS: &str = "http://127.0.0.1:2380";

impl ControlPlane {
    pub(super) fn start_etcd(&self, lab: &Lab) -> Result<Service> {
        let mut command = lab.namespace.command(lab.tools.program("etcd")?);
        let mut flags = Flags(&mut command);
        flags.set("name", "lab").set("data-dir", self.folder.join("etcd"));
        flags.set("listen-client-urls", ETCD).set("advertise-client-urls", ETCD);
        flags.set("listen-peer-urls", ETCD_PEERS).set("initial-advertise-peer-urls", ETCD_PEERS);
        flags.set("initial-cluster", format!("lab={ETCD_PEERS}"));
        // The data do not outlive this lab.
        flags.set("unsafe-no-fsync", "true").set("log-level", "warn");
        lab.serve("etcd", command)
    }

    pub(super) fn apiserver_command(&self, lab: &Lab) -> Result<Command> {
        let (keys, ca) = (&self.keys, &self.authority.pair.certificate);
        let mut command = lab.namespace.command(lab.tools.program("kube-apiserver")?);
        let mut flags = Flags(&mut command);
        flags.set("etcd-servers", ETCD).set("bind-address", "::").set("advertise-address", HOST);
        flags.set("secure-port", API_PORT.to_string()).set("client-ca-file", ca);
        flags.set("tls-cert-file", &keys.serving.certificate).set("tls-private-key-file", &keys.serving.key);
        flags.set("authorization-mode", "Node,RBAC").set("enable-admission-plugins", "NodeRestriction");
        flags.set("enable-bootstrap-token-auth", "true").set("allow-privileged", "true");
        flags.set("kubelet-client-certificate", &keys.kubelet_client.certificate);
        flags.set("kubelet-client-key", &keys.kubelet_client.key).set("kubelet-certificate-authority", ca);
        flags.set("kubelet-preferred-address-types", "InternalIP").set("service-cluster-ip-range", SERVICES);
        flags.set("service-account-issuer", format!("https://kubernetes.default.svc.{CLUSTER_DOMAIN}"));
        flags.set("service-account-key-file", &keys.accounts.certificate);
        flags.set("service-account-signing-key-file", &keys.accounts.key);
        Ok(command)
    }

    /// `life`: how long the certificates are good that it signs; absent: a year, which is its own default.
    pub(super) fn start_controllers(&self, lab: &Lab, life: Option<Duration>) -> Result<Service> {
        let ca = &self.authority.pair;
        let mut command = lab.namespace.command(lab.tools.program("kube-controller-manager")?);
        let mut flags = Flags(&mut command);
        flags.set("kubeconfig", self.keys.kubeconfig("controllers")).set("bind-address", "127.0.0.1");
        flags.set("controllers", "*,tokencleaner").set("use-service-account-credentials", "true");
        flags.set("cluster-signing-cert-file", &ca.certificate).set("cluster-signing-key-file", &ca.key);
        flags.set("root-ca-file", &ca.certificate);
        flags.set("service-account-private-key-file", &self.keys.accounts.key);
        flags.set("allocate-node-cidrs", "true").set("cluster-cidr", PODS);
        flags.set("service-cluster-ip-range", SERVICES).set("leader-elect", "false");
        if let Some(life) = life {
            flags.set("cluster-signing-duration", format!("{}s", life.as_secs()));
        }
        lab.serve("kube-controller-manager", command)
    }

    pub(super) fn start_scheduler(&self, lab: &Lab) -> Result<Service> {
        let mut command = lab.namespace.command(lab.tools.program("kube-scheduler")?);
        let mut flags = Flags(&mut command);
        flags.set("kubeconfig", self.keys.kubeconfig("scheduler")).set("bind-address", "127.0.0.1");
        flags.set("leader-elect", "false");
        let service = lab.serve("kube-scheduler", command)?;
        service.wait_line("Serving securely on", within(60))?;
        Ok(service)
    }
}

struct Flags<'c>(&'c mut Command);

impl Flags<'_> {
    fn set(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        let mut flag = std::ffi::OsString::from(format!("--{name}="));
        flag.push(value);
        self.0.arg(flag);
        self
    }
}

/// A kubeconfig with one client certificate, JSON (which is YAML).
pub(super) fn kubeconfig(server: &str, ca: &Path, client: &Pair) -> String {
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": "lab", "user": {"client-certificate": client.certificate, "client-key": client.key}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "current-context": "lab",
    })
    .to_string()
}
