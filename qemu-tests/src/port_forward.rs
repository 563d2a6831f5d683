//! A port of this host that leads to one of the machine's.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::str::FromStr;

use crate::{Error, Result};

/// A port of this host (TCP) that QEMU's own network leads to one of the machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortForward {
    /// Where this host listens.
    pub host: SocketAddrV4,
    /// The machine's port.
    pub guest: u16,
}

impl PortForward {
    /// An error that names the port, where this host cannot listen there.
    pub fn check_free(&self) -> Result<()> {
        let taken = |error: std::io::Error| {
            let why = match error.kind() {
                std::io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
                _ => error.to_string(),
            };
            Error::Machine(format!("{} of this host cannot be forwarded: {why}; name another port", self.host))
        };
        TcpListener::bind(self.host).map(drop).map_err(taken)
    }

    /// As QEMU's user network takes it.
    pub(crate) fn argument(&self) -> String {
        format!("hostfwd=tcp:{}:{}-:{}", self.host.ip(), self.host.port(), self.guest)
    }
}

impl FromStr for PortForward {
    type Err = String;

    /// `PORT:GUEST`, on loopback, or `ADDRESS:PORT:GUEST`.
    fn from_str(text: &str) -> Result<Self, String> {
        const NEXT: &str = "write PORT:GUEST, such as 8080:80, or ADDRESS:PORT:GUEST with an IPv4 address of this host";
        let port = |text: &str| match text.parse::<u16>() {
            Ok(port @ 1..) => Ok(port),
            _ => Err(format!("`{text}` is not a port (1 to 65535); {NEXT}")),
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (address, host, guest) = match parts.as_slice() {
            [host, guest] => (Ipv4Addr::LOCALHOST, host, guest),
            [address, host, guest] => {
                let address = address.parse().map_err(|_| format!("`{address}` is not an IPv4 address; {NEXT}"))?;
                (address, host, guest)
            }
            _ => return Err(format!("`{text}` is no pair of ports; {NEXT}")),
        };
        Ok(PortForward { host: SocketAddrV4::new(address, port(host)?), guest: port(guest)? })
    }
}

impl fmt::Display for PortForward {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} leads to port {} of the machine", self.host, self.guest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_is_two_ports_and_perhaps_an_address() {
        let argument = |text: &str| text.parse::<PortForward>().unwrap().argument();
        assert_eq!(argument("8080:10250"), "hostfwd=tcp:127.0.0.1:8080-:10250");
        assert_eq!(argument("0.0.0.0:1:65535"), "hostfwd=tcp:0.0.0.0:1-:65535");
        for (wrong, says) in [
            ("8080", "`8080` is no pair of ports"),
            ("8080:", "`` is not a port"),
            ("0:80", "`0` is not a port (1 to 65535)"),
            ("80:65536", "`65536` is not a port"),
            ("localhost:80:80", "`localhost` is not an IPv4 address"),
            ("[::1]:80:80", "is no pair of ports"),
            ("80:80,id=x", "`80,id=x` is not a port"),
        ] {
            let error = wrong.parse::<PortForward>().unwrap_err();
            assert!(error.contains(says) && error.contains("PORT:GUEST"), "{error}");
        }
    }

    #[test]
    fn a_taken_port_is_named() {
        // Addresses at which nobody else asks for a port: what is free there stays so.
        let listener = TcpListener::bind("127.0.0.2:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let at = |host: &str| format!("{host}:{port}:80").parse::<PortForward>().unwrap();
        let error = at("127.0.0.2").check_free().unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.2:{port}")) && error.contains("another program"), "{error}");
        at("127.0.0.3").check_free().unwrap();
    }
}
