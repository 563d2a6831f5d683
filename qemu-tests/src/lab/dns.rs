//! DNS: dnsmasq with the lab's own names, and nobody behind it.

use super::dhcp::DNSMASQ;
use super::network::{DOMAIN, HOST, HOST6};
use super::{Lab, Service};
use crate::{Result, program, within};

/// The DNS server at the lab's host. It is gone when this is dropped.
#[derive(Debug)]
pub struct Dns {
    /// Its process: each question is a line.
    pub service: Service,
}

impl Dns {
    /// Starts it. `api`, `registry` and `time` below `lab.test` are the lab's host; `names` are further ones, with their
    /// addresses.
    pub fn start(lab: &Lab, names: &[(&str, &str)]) -> Result<Dns> {
        let mut command = lab.namespace.command(program::find(DNSMASQ)?);
        command.args(["--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--log-queries"]);
        command.arg("--bind-interfaces").arg(format!("--listen-address={HOST}"));
        // What nobody here knows does not exist, and no other server is asked.
        command.arg("--address=/#/").arg(format!("--local=/{DOMAIN}/"));
        for name in ["api", "registry", "time"] {
            command.arg(format!("--host-record={name}.{DOMAIN},{HOST},{HOST6}"));
        }
        command.args(names.iter().map(|(name, address)| format!("--host-record={name},{address}")));
        let service = lab.serve("dns", command)?;
        service.wait_line("started, version", within(30))?;
        Ok(Dns { service })
    }
}
