//! DHCP, router advertisements and their options: dnsmasq, a real server.

use std::path::PathBuf;

use super::network::{BRIDGE, DOMAIN, HOST, address};
use super::{Lab, Service};
use crate::{Card, Error, Result, program, within};

/// dnsmasq, which Debian has without its service in this package.
pub(super) const DNSMASQ: (&str, &str) = ("dnsmasq", "dnsmasq-base");
/// How many machines have an address of their own.
const MACHINES: u8 = 60;

/// What the server hands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// For how long, in seconds; dnsmasq takes 120 at least.
    pub seconds: u32,
    /// What is added to the last byte of each machine's usual address.
    pub shift: u8,
    /// The network's MTU, where it is told.
    pub mtu: Option<u16>,
    /// Whether routers are advertised, and addresses given by DHCPv6.
    pub ipv6: bool,
    /// Further options, as dnsmasq's `--dhcp-option` takes them.
    pub options: Vec<String>,
}

impl Default for Lease {
    fn default() -> Self {
        Lease { seconds: 3600, shift: 0, mtu: None, ipv6: false, options: Vec::new() }
    }
}

/// The DHCP server. It is gone when this is dropped; its leases are remembered in the lab's folder.
#[derive(Debug)]
pub struct Dhcp {
    /// Its process: each lease is a line.
    pub service: Service,
}

impl Dhcp {
    /// Starts it.
    pub fn start(lab: &Lab, lease: &Lease) -> Result<Dhcp> {
        let mut command = lab.namespace.command(program::find(DNSMASQ)?);
        // Debug mode: it neither forks nor gives up its user, which has no other in this namespace.
        command.args(["--no-daemon", "--conf-file=/dev/null", "--port=0", "--bind-dynamic", "--log-dhcp", "--no-ping"]);
        command.arg(format!("--interface={BRIDGE}")).arg(format!("--dhcp-leasefile={}", leases(lab).display()));
        let seconds = lease.seconds;
        command.arg(format!("--dhcp-range=192.0.2.0,static,{seconds}")).arg("--dhcp-authoritative");
        for number in 1..=MACHINES {
            let mut octets = address(number).octets();
            octets[3] = octets[3].saturating_add(lease.shift);
            let (address, mac) = (std::net::Ipv4Addr::from(octets), format!("52:54:00:12:34:{number:02x}"));
            command.arg(format!("--dhcp-host={mac},{address}"));
        }
        for option in ["router", "dns-server", "ntp-server"] {
            command.arg(format!("--dhcp-option=option:{option},{HOST}"));
        }
        command.arg(format!("--dhcp-option=option:domain-name,{DOMAIN}"));
        if let Some(mtu) = lease.mtu {
            command.arg(format!("--dhcp-option=option:mtu,{mtu}"));
        }
        if lease.ipv6 {
            command.arg(format!("--dhcp-range=::100,::1ff,constructor:{BRIDGE},slaac,64,{seconds}")).arg("--enable-ra");
        }
        command.args(lease.options.iter().map(|option| format!("--dhcp-option={option}")));
        let service = lab.serve("dhcp", command)?;
        service.wait_line("DHCP, sockets bound exclusively to interface", within(30))?;
        Ok(Dhcp { service })
    }

    /// Waits until it has given an address to a machine.
    pub fn wait_for(&self, card: &Card) -> Result<()> {
        self.service.wait_line(&format!("DHCPACK({BRIDGE}) {} {}", card.address, card.mac), within(120)).map(drop)
    }

    /// Forgets all leases, for the next server.
    pub fn forget(lab: &Lab) -> Result<()> {
        let path = leases(lab);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("removing", &path)(error)),
            _ => Ok(()),
        }
    }
}

fn leases(lab: &Lab) -> PathBuf {
    lab.folder.join("dhcp.leases")
}
