//! The programs that PID 1 starts, opened while nothing but the verified root can be behind their
//! paths.

use crate::report::{Refusal, or_refuse};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use orlop_config::node::NodeSettings;
use std::os::fd::OwnedFd;

/// One descriptor each, for the file itself. A service's recipe takes its own.
#[derive(Debug)]
pub struct Programs {
    /// containerd.
    pub containerd: OwnedFd,
    /// kubelet.
    pub kubelet: OwnedFd,
    /// Speaks gRPC to containerd.
    pub cri: OwnedFd,
    /// This program.
    pub init: OwnedFd,
    /// Configures the network and fetches the node config, where the image asks for one.
    pub net: Option<OwnedFd>,
    /// Tells kubelet of the end, on a node of a cluster.
    pub logind: Option<OwnedFd>,
}

impl Programs {
    /// Opens all of them.
    pub fn open(settings: &NodeSettings) -> Result<Self, Refusal> {
        let of_clusters = |name: &str| settings.node_config.as_ref().map(|_| path(name)).transpose();
        let first = |arguments: &[String]| arguments.first().cloned().unwrap_or_default();
        Ok(Programs {
            containerd: path(&first(&settings.containerd))?,
            kubelet: path(&first(&settings.kubelet))?,
            cri: path("/usr/libexec/orlop/cri")?,
            init: path("/usr/libexec/orlop/init")?,
            net: of_clusters("/usr/libexec/orlop/net")?,
            logind: of_clusters("/usr/libexec/orlop/logind")?,
        })
    }
}

fn path(path: &str) -> Result<OwnedFd, Refusal> {
    or_refuse(open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()), "root", format!("program `{path}`"))
}
