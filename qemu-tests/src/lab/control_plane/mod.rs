//! A control plane of real processes: etcd, kube-apiserver, kube-controller-manager, kube-scheduler; and what a node needs
//! to join it.

mod objects;
mod programs;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::forward::Forward;
use super::network::{API_PORT, API_SERVICE, host};
use super::pki::{Authority, Pair, Subject};
use super::{Kubectl, Lab, Service, network};
use crate::{Error, Result, within};

pub use objects::Token;

/// The control plane's processes and what to ask them by. They are stopped in the right order when it is dropped.
#[derive(Debug)]
pub struct ControlPlane {
    /// A client with all rights.
    pub kubectl: Kubectl,
    /// The token that nodes join by.
    pub token: Token,
    /// The cluster's authority.
    pub authority: Authority,
    /// What the API server is asked by.
    pub server: String,
    folder: PathBuf,
    keys: Keys,
    // What answers Services before there is a kube-proxy.
    _service: Forward,
    scheduler: Option<Service>,
    controllers: Option<Service>,
    // An API server whose etcd is gone waits for it for many minutes: it goes first.
    apiserver: Option<Service>,
    etcd: Option<Service>,
}

/// Keys and certificates of the control plane.
#[derive(Debug)]
struct Keys {
    admin: Pair,
    serving: Pair,
    kubelet_client: Pair,
    accounts: Pair,
    kubeconfigs: Vec<(&'static str, PathBuf)>,
}

impl ControlPlane {
    /// Starts all of it, and waits until nodes may join.
    pub fn start(lab: &Lab) -> Result<ControlPlane> {
        ControlPlane::start_for(lab, None)
    }

    /// The same. Certificates that it signs are good for so long, and not for a year.
    pub fn start_signing(lab: &Lab, life: Duration) -> Result<ControlPlane> {
        ControlPlane::start_for(lab, Some(life))
    }

    fn start_for(lab: &Lab, life: Option<Duration>) -> Result<ControlPlane> {
        let folder = lab.folder.join("cluster");
        std::fs::create_dir_all(&folder).map_err(Error::file("making", &folder))?;
        let authority = Authority::new(&folder, "ca")?;
        let server = format!("https://{}:{API_PORT}", network::HOST);
        let keys = Keys::make(&authority, &folder, &server)?;
        let kubectl = Kubectl::new(lab, keys.kubeconfig("admin"))?;
        let token = Token::new("lab001", "0123456789abcdef");
        let listener = lab.namespace.listen(std::net::SocketAddr::new(parse(API_SERVICE)?, 443))?;
        let service = Forward::start(listener, &lab.namespace, std::net::SocketAddr::new(host(), API_PORT))?;
        let mut plane = ControlPlane {
            kubectl,
            token,
            authority,
            server,
            folder,
            keys,
            _service: service,
            scheduler: None,
            controllers: None,
            apiserver: None,
            etcd: None,
        };
        plane.etcd = Some(plane.start_etcd(lab)?);
        plane.start_apiserver(lab)?;
        plane.controllers = Some(plane.start_controllers(lab, life)?);
        plane.scheduler = Some(plane.start_scheduler(lab)?);
        plane.kubectl.apply(&objects::joining(&plane.token))?;
        // Pods are refused until their service account exists.
        plane.kubectl.wait("serviceaccount/default", "jsonpath={.metadata.name}=default", within(120))?;
        Ok(plane)
    }

    /// Starts kube-apiserver (again), and waits until it is ready.
    pub fn start_apiserver(&mut self, lab: &Lab) -> Result<()> {
        let service = lab.serve("kube-apiserver", self.apiserver_command(lab)?)?;
        let deadline = Instant::now() + within(120);
        service.wait_line("Serving securely on", within(120))?;
        self.apiserver = Some(service);
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        let ready = self.kubectl.until("ready kube-apiserver", left, |kubectl| {
            kubectl.run(&["get", "--raw", "/readyz"]).map(|answer| (answer == "ok").then_some(()))
        });
        ready.map_err(|error| match &self.apiserver {
            Some(service) => service.error(&error.to_string()),
            None => error,
        })
    }

    /// Kills kube-apiserver; etcd keeps what there is.
    pub fn stop_apiserver(&mut self) {
        self.apiserver = None;
    }

    /// Certificate and key of the user with all rights.
    #[must_use]
    pub fn admin(&self) -> Pair {
        self.keys.admin.clone()
    }

    /// The file of the kubeconfig with all rights.
    #[must_use]
    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.kubectl.kubeconfig
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        for service in [&mut self.scheduler, &mut self.controllers, &mut self.apiserver, &mut self.etcd] {
            *service = None;
        }
    }
}

impl Keys {
    fn make(authority: &Authority, folder: &std::path::Path, server: &str) -> Result<Keys> {
        let api = format!("api.{}", network::DOMAIN);
        let names = [
            network::HOST,
            network::HOST6,
            API_SERVICE,
            "127.0.0.1",
            "localhost",
            &api,
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        let issue = |file: &str, subject: &Subject<'_>| authority.issue(folder, file, subject);
        let serving =
            issue("kube-apiserver", &Subject { name: "kube-apiserver", names: &names, ..Subject::default() })?;
        let client = Subject { name: objects::KUBELET_CLIENT, ..Subject::default() };
        let kubelet_client = issue("kubelet-client", &client)?;
        let accounts = Pair::bare(folder, "service-accounts")?;
        let admin = issue("admin", &Subject { name: "admin", group: Some("system:masters"), ..Subject::default() })?;
        let mut kubeconfigs = Vec::new();
        for (file, name) in
            [("admin", ""), ("controllers", "system:kube-controller-manager"), ("scheduler", "system:kube-scheduler")]
        {
            let issued = || issue(file, &Subject { name, ..Subject::default() });
            let pair = if file == "admin" { admin.clone() } else { issued()? };
            let path = folder.join(format!("{file}.kubeconfig"));
            let text = programs::kubeconfig(server, &authority.pair.certificate, &pair);
            std::fs::write(&path, text).map_err(Error::file("writing", &path))?;
            kubeconfigs.push((file, path));
        }
        Ok(Keys { admin, serving, kubelet_client, accounts, kubeconfigs })
    }

    fn kubeconfig(&self, name: &str) -> &std::path::Path {
        let found = self.kubeconfigs.iter().find(|(file, _)| *file == name);
        found.map_or(std::path::Path::new(""), |(_, path)| path)
    }
}

fn parse(address: &str) -> Result<std::net::IpAddr> {
    address.parse().map_err(|error| Error::Lab(format!("{address}: {error}")))
}
