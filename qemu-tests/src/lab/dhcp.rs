//! DHCP, router advertisements and their options: dnsmasq, a real server.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::network::{BRIDGE, DOMAIN, HOST, address};
use super::{Lab, Namespace, Service};
use crate::feed::Mark;
use crate::{Card, Error, Result, program, within};

/// dnsmasq, which Debian has without its service in this package.
pub(super) const DNSMASQ: (&str, &str) = ("dnsmasq", "dnsmasq-base");
/// Starts dnsmasq again each time that it ended as it was told, and leaves its process number (that of the namespace) in the
/// file that comes first. It ends with the shell. Told to read its files again (SIGHUP) dnsmasq 2.90 may crash.
const AGAIN: &str = "while :; do setpriv --pdeathsig KILL \"$@\" & echo $! >\"$0\"; wait $! || exit 1; done";
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
    /// Whether a router is advertised, of whose network machines make themselves an address, and another one is given by
    /// DHCPv6.
    pub ipv6: bool,
    /// Further options, as dnsmasq's `--dhcp-option` takes them.
    pub options: Vec<String>,
}

impl Default for Lease {
    fn default() -> Self {
        Lease { seconds: 3600, shift: 0, mtu: None, ipv6: false, options: Vec::new() }
    }
}

/// What one machine gets, other than all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This address, for two minutes; it is renewed after [`RENEWED`] seconds.
    Brief(Ipv4Addr),
    /// None: as if the server were gone.
    Nothing,
}

/// Seconds until a machine asks again that has its address by [`Answer::Brief`], and until it asks any server.
pub const RENEWED: (u32, u32) = (10, 16);
/// The tag of those machines.
const BRIEF: &str = "brief";
/// The shortest that dnsmasq gives.
const SECONDS: u32 = 120;

/// The DHCP server. It is gone when this is dropped; its leases are remembered in the lab's folder.
#[derive(Debug)]
pub struct Dhcp {
    /// Its process: each lease is a line.
    pub service: Service,
    namespace: Namespace,
    folder: PathBuf,
    usual: BTreeMap<String, Ipv4Addr>,
    others: Mutex<BTreeMap<String, Answer>>,
}

impl Dhcp {
    /// Starts it.
    pub fn start(lab: &Lab, lease: &Lease) -> Result<Dhcp> {
        let mut command = lab.namespace.command("sh");
        command.args(["-c", AGAIN]).arg(process(&lab.folder)).arg(program::find(DNSMASQ)?);
        // Debug mode: it neither forks nor gives up its user, which has no other in this namespace.
        command.args(["--no-daemon", "--conf-file=/dev/null", "--port=0", "--bind-dynamic", "--log-dhcp", "--no-ping"]);
        command.arg(format!("--interface={BRIDGE}")).arg(format!("--dhcp-leasefile={}", leases(lab).display()));
        let seconds = lease.seconds;
        command.arg(format!("--dhcp-range=192.0.2.0,static,{seconds}")).arg("--dhcp-authoritative");
        let usual = (1..=MACHINES).map(|number| {
            let mut octets = address(number).octets();
            octets[3] = octets[3].saturating_add(lease.shift);
            (format!("52:54:00:12:34:{number:02x}"), Ipv4Addr::from(octets))
        });
        let (usual, others) = (usual.collect(), Mutex::default());
        let path = hosts(&lab.folder);
        std::fs::write(&path, hosts_text(&usual, &BTreeMap::new())).map_err(Error::file("writing", &path))?;
        command.arg(format!("--dhcp-hostsfile={}", path.display()));
        for (option, seconds) in [("T1", RENEWED.0), ("T2", RENEWED.1)] {
            command.arg(format!("--dhcp-option=tag:{BRIEF},option:{option},{seconds}"));
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
        Ok(Dhcp { service, namespace: lab.namespace.clone(), folder: lab.folder.clone(), usual, others })
    }

    /// From now on a machine gets this; with none, what all machines get.
    pub fn answer(&self, card: &Card, answer: Option<Answer>) -> Result<()> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Some(answer) => others.insert(card.mac.clone(), answer),
            None => others.remove(&card.mac),
        };
        let path = hosts(&self.folder);
        std::fs::write(&path, hosts_text(&self.usual, &others)).map_err(Error::file("writing", &path))?;
        let (mark, process) = (self.service.mark(), process(&self.folder));
        self.namespace.run("sh", &["-c", &format!("kill $(cat {})", process.display())])?;
        self.service.wait_line_since(mark, &format!("read {}", path.display()), within(30)).map(drop)
    }

    /// Waits until it gives this address to a machine once more.
    pub fn acknowledged(&self, card: &Card, address: IpAddr, limit: Duration) -> Result<()> {
        let line = format!("DHCPACK({BRIDGE}) {address} {}", card.mac);
        self.service.wait_line_since(self.service.mark(), &line, limit).map(drop)
    }

    /// The address of IPv6 that it gives to a machine, or gave.
    pub fn given6(&self, card: &Card, limit: Duration) -> Result<Ipv6Addr> {
        let awaited = format!("address of IPv6 for {}", card.mac);
        self.service.wait_for(Mark::default(), &awaited, limit, |line| reply6(line, &card.mac))
    }
}

/// The address in a line about an answer to a machine, whose name by DHCPv6 is its hardware address behind two numbers (RFC
/// 8415 §11.4).
fn reply6(line: &str, mac: &str) -> Option<Ipv6Addr> {
    let (_, answer) = line.split_once(&format!("DHCPREPLY({BRIDGE}) "))?;
    let (address, name) = answer.trim_end().split_once(' ')?;
    (name.strip_prefix("00:03:00:01:")? == mac).then(|| address.parse().ok())?
}

fn leases(lab: &Lab) -> PathBuf {
    lab.folder.join("dhcp.leases")
}

fn hosts(folder: &Path) -> PathBuf {
    folder.join("dhcp.hosts")
}

fn process(folder: &Path) -> PathBuf {
    folder.join("dhcp.pid")
}

/// Lines of `--dhcp-hostsfile`.
fn hosts_text(usual: &BTreeMap<String, Ipv4Addr>, others: &BTreeMap<String, Answer>) -> String {
    let line = |(mac, address): (&String, &Ipv4Addr)| match others.get(mac) {
        None => format!("{mac},{address}\n"),
        Some(Answer::Brief(address)) => format!("{mac},set:{BRIEF},{address},{SECONDS}\n"),
        Some(Answer::Nothing) => format!("{mac},ignore\n"),
    };
    usual.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_ipv6_is_one_machines() {
        let line = "dnsmasq-dhcp: 1909054 DHCPREPLY(br0) 2001:db8::167 00:03:00:01:52:54:00:12:34:02";
        assert_eq!(reply6(line, "52:54:00:12:34:02"), Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x167)));
        assert_eq!(reply6(line, "52:54:00:12:34:03"), None);
        assert_eq!(reply6(&line.replace("REPLY", "ADVERTISE"), "52:54:00:12:34:02"), None);
    }

    #[test]
    fn each_machine_has_its_line() {
        let mac = |last: u8| format!("52:54:00:12:34:0{last}");
        let usual = (1..=3).map(|last| (mac(last), Ipv4Addr::new(192, 0, 2, last))).collect();
        let others = [(mac(1), Answer::Brief(Ipv4Addr::new(192, 0, 2, 9))), (mac(3), Answer::Nothing)].into();
        assert_eq!(
            hosts_text(&usual, &others),
            "52:54:00:12:34:01,set:brief,192.0.2.9,120\n52:54:00:12:34:02,192.0.2.2\n52:54:00:12:34:03,ignore\n"
        );
    }
}
