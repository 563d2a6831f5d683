//! Who this machine is: its id, its name, and the files that say so.

use super::Node;
use crate::report::{Refusal, or_refuse};
use orlop_config::node::{NET_FOLDER, RESOLV_CONF};
use std::fs;
use std::io::{self, Read};

/// The folder behind `/etc/{hosts,resolv.conf,machine-id,hostname}`.
const FOLDER: &str = "/run/etc";

/// A machine id as `machine-id(5)` wants it: 32 hexadecimal digits, not all zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineId(String);

impl MachineId {
    /// A new one: random, and marked as a version 4 UUID as systemd marks its own.
    pub fn random() -> io::Result<Self> {
        let mut bytes = random()?;
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Ok(MachineId(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// One that was written down.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (digits && text.bytes().any(|b| b != b'0')).then(|| MachineId(text.to_owned()))
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The machine's name as long as no configuration gives it one.
    pub fn host_name(&self) -> String {
        format!("orlop-{}", &self.0[..8])
    }
}

/// Sixteen random bytes of the kernel.
pub fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Gives the machine an id for the time until the state partition says which one it has.
pub fn start(node: &mut Node) -> Result<(), Refusal> {
    let id = or_refuse(MachineId::random(), "identity", "/dev/urandom")?;
    apply(node, &id)
}

/// Sets the host name and renders the files.
pub fn apply(node: &mut Node, id: &MachineId) -> Result<(), Refusal> {
    or_refuse(fs::create_dir_all(FOLDER), "identity", FOLDER)?;
    write("machine-id", &format!("{}\n", id.as_str()))?;
    node.report.set("machine_id", id.as_str().into());
    let name = id.host_name();
    set_name(node, &name)?;
    write("hostname", &format!("{name}\n"))?;
    write("hosts", &hosts(&name))?;
    match node.settings.node_config {
        None => write("resolv.conf", ""),
        Some(_) => link_resolv_conf(),
    }
}

/// Sets the host name. Of a cluster's node it is the node config that says it, which renders its files too.
pub fn set_name(node: &mut Node, name: &str) -> Result<(), Refusal> {
    or_refuse(nix::unistd::sethostname(name), "identity", format!("host name {name}"))?;
    node.report.set("hostname", name.into());
    Ok(())
}

/// `orlop-net` writes the file behind it.
fn link_resolv_conf() -> Result<(), Refusal> {
    let path = format!("{FOLDER}/resolv.conf");
    match std::os::unix::fs::symlink(format!("{NET_FOLDER}/{RESOLV_CONF}"), &path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => or_refuse(linked, "identity", path),
    }
}

fn write(file: &str, text: &str) -> Result<(), Refusal> {
    let path = format!("{FOLDER}/{file}");
    or_refuse(fs::write(&path, text), "identity", path)
}

/// The host's own name is in it: without it kubelet waits 30 s for DNS.
fn hosts(name: &str) -> String {
    format!("127.0.0.1 localhost {name}\n::1 localhost\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let id = MachineId::random().expect("random");
        assert_eq!(MachineId::parse(id.as_str()), Some(id.clone()));
        assert_ne!(MachineId::random().expect("random"), id);
        assert_eq!(id.host_name().len(), 14);
        for bad in ["", "0123", &"0".repeat(32), &"A".repeat(32), "../../../../../../../../../../..x"] {
            assert_eq!(MachineId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_host_name_is_in_hosts() {
        let id = MachineId::parse("0123456789abcdef0123456789abcdef").expect("an id");
        assert!(hosts(&id.host_name()).contains("127.0.0.1 localhost orlop-01234567\n"));
    }
}
