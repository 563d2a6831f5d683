//! The lab: a network of its own, in which test machines meet real servers.
//!
//! A user and network namespace holds a bridge; each machine is a tap device in it. What a node expects of its network
//! is there as real processes on a real segment: DHCP, DNS, time, metadata, a registry, a whole control plane. No
//! privilege is needed beyond user namespaces and a usable `/dev/net/tun`; where they are not to be had, [`Lab::start`]
//! is an error that says so.
//!
//! | part | what it is |
//! |---|---|
//! | [`Lab`] | the namespace with its bridge; everything in it is killed when it is dropped or this process ends |
//! | [`Namespace`] | programs and sockets in it |
//! | [`Service`] | one server process: its lines are awaited, its log is kept |
//! | [`ControlPlane`] | etcd, kube-apiserver, kube-controller-manager, kube-scheduler, with everything that a node needs to join |
//! | [`Dhcp`], [`Dns`], [`TimeServer`], [`Metadata`], [`Registry`], [`Proxy`] | the other servers |
//! | [`cni`], [`services`] | the pods' network, Services and cluster DNS |
//! | [`Cluster`] | all of it for people |
//! | [`Approver`] | approves the serving certificates of kubelets, after a look at who asks for which names |

mod accepting;
mod affinity;
mod approver;
mod cluster;
pub mod cni;
mod control_plane;
mod dhcp;
mod dns;
mod forward;
mod guard;
mod holder;
mod kubectl;
mod metadata;
mod namespace;
pub mod network;
mod node_config;
mod ntp;
mod oci;
mod pki;
mod proxy;
mod registry;
mod service;
pub mod services;
mod status;
mod tls;
mod tools;
mod watch;

use std::path::{Path, PathBuf};

pub use approver::{Approver, subject};
pub use cluster::Cluster;
pub use control_plane::{ControlPlane, Token};
pub use dhcp::{Answer, Dhcp, Lease, RENEWED};
pub use dns::Dns;
pub use forward::Forward;
pub use holder::hold;
pub use kubectl::Kubectl;
pub use metadata::{Cloud, Metadata, Mood};
pub use namespace::Namespace;
pub use node_config::NodeConfig;
pub use ntp::TimeServer;
pub use oci::{Image, LayerFile};
pub use pki::{Authority, Pair, Subject};
pub use proxy::Proxy;
pub use registry::{PORT as REGISTRY_PORT, Pushed, Registry};
pub use service::Service;
pub use status::condition;
pub use tools::Tools;
pub use watch::{Seen, Watch};

use crate::{Card, Error, Result, program};

/// The network, and where its servers' programs and logs are.
#[derive(Debug)]
pub struct Lab {
    /// Programs and sockets in the network.
    pub namespace: Namespace,
    /// The servers' programs.
    pub tools: Tools,
    /// Logs, keys, kubeconfig.
    pub folder: PathBuf,
}

impl Lab {
    /// Makes the network. `folder` is emptied, and has every server's log afterwards; `helper` is the program `orlop-lab`.
    pub fn start(folder: &Path, helper: &Path) -> Result<Lab> {
        // First: where there can be none, the logs of an earlier one stay.
        program::find(dhcp::DNSMASQ)?;
        let namespace = Namespace::start(helper)?;
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(Error::file("emptying", folder))?;
        }
        std::fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
        Ok(Lab { namespace, tools: Tools::find(), folder: folder.to_owned() })
    }

    /// Starts a server process in the network; its log is `NAME.log` in the lab's folder.
    pub fn serve(&self, name: &str, command: std::process::Command) -> Result<Service> {
        Service::start(name, command, &self.folder.join(format!("{name}.log")))
    }

    /// Runs an applet of busybox at the lab's host; what it wrote.
    pub fn busybox(&self, words: &[&str]) -> Result<String> {
        let program = self.tools.program("busybox")?;
        self.namespace.run(&program.to_string_lossy(), words)
    }

    /// The network card of the lab's machine of this number (from 1), which has a tap device in the bridge.
    pub fn card(&self, number: u8) -> Result<Card> {
        let card = Card::of(number, &self.namespace);
        let tap = &card.tap;
        let lines = format!("tuntap add dev {tap} mode tap\nlink set dev {tap} master {} up\n", network::BRIDGE);
        self.namespace.ip(&lines)?;
        Ok(card)
    }
}
