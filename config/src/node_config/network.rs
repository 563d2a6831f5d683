//! Interfaces, addresses, routes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

use crate::text::shown;

/// Interfaces and name servers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Those that are used; empty: every Ethernet interface, by DHCP and router advertisements.
    pub interfaces: Vec<Interface>,
    /// Name servers, three at most; empty: those that the network names.
    pub dns: Vec<IpAddr>,
    /// Search domains; empty: those that the network names.
    pub search: Vec<String>,
}

/// One interface: found by its name or by its hardware address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Interface {
    /// Name, as the kernel gives it.
    pub name: Option<String>,
    /// Hardware address.
    pub mac: Option<Mac>,
    /// Where IPv4 addresses come from; absent: `dhcp` without addresses, with some `static`, or `off` if none is IPv4.
    pub ipv4: Option<Ipv4Method>,
    /// Where IPv6 addresses come from; absent: `auto` without addresses, with some `static`, or `off` if none is IPv6.
    pub ipv6: Option<Ipv6Method>,
    /// Static addresses with their prefixes.
    pub addresses: Vec<Cidr>,
    /// IPv4 default route.
    pub gateway4: Option<Ipv4Addr>,
    /// IPv6 default route.
    pub gateway6: Option<Ipv6Addr>,
    /// Whether a default route that DHCP or a router offers is taken; absent: yes.
    pub default_route: Option<bool>,
    /// Largest packet; absent: what the network says, else the driver's.
    pub mtu: Option<u16>,
    /// Further routes.
    pub routes: Vec<Route>,
}

impl Interface {
    /// Where its IPv4 addresses come from. An interface without addresses asks; one with addresses has those.
    pub fn ipv4_method(&self) -> Ipv4Method {
        self.ipv4.unwrap_or(match (self.addresses.is_empty(), self.addresses.iter().any(Cidr::is_ipv4)) {
            (true, _) => Ipv4Method::Dhcp,
            (_, true) => Ipv4Method::Static,
            _ => Ipv4Method::Off,
        })
    }

    /// Where its IPv6 addresses come from.
    pub fn ipv6_method(&self) -> Ipv6Method {
        self.ipv6.unwrap_or(match (self.addresses.is_empty(), self.addresses.iter().all(Cidr::is_ipv4)) {
            (true, _) => Ipv6Method::Auto,
            (_, false) => Ipv6Method::Static,
            _ => Ipv6Method::Off,
        })
    }

    /// Whether it may set the default route that the network offers.
    pub fn takes_default_route(&self) -> bool {
        self.default_route.unwrap_or(true)
    }
}

/// Where IPv4 addresses come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Ipv4Method {
    /// DHCP.
    Dhcp,
    /// `addresses`.
    Static,
    /// Nowhere.
    Off,
}

/// Where IPv6 addresses come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Ipv6Method {
    /// Router advertisements, and DHCPv6 where they say so.
    Auto,
    /// `addresses`.
    Static,
    /// Nowhere.
    Off,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The network that it leads to.
    pub to: Cidr,
    /// The next router; absent: the network is on this link.
    pub via: Option<IpAddr>,
}

impl Route {
    /// Whether it is a default route.
    pub fn is_default(&self) -> bool {
        self.to.prefix == 0
    }
}

/// An address with the length of its network's prefix: `192.0.2.10/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Cidr {
    /// The address, with its host's bits.
    pub address: IpAddr,
    /// Bits of the network.
    pub prefix: u8,
}

impl Cidr {
    /// Whether it is of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// The network's first address.
    pub fn network(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & mask4(self.prefix)).into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & mask6(self.prefix)).into(),
        }
    }

    /// Whether an address is of this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.is_ipv4() == address.is_ipv4() && Cidr { address, ..*self }.network() == self.network()
    }

    /// Whether an address is this network's first or last, which no host has. Only networks of IPv4 have such ends, and
    /// none of two addresses (RFC 3021) or of one.
    pub(super) fn is_end(&self, address: IpAddr) -> bool {
        let IpAddr::V4(bits) = address else { return false };
        let host = bits.to_bits() & !mask4(self.prefix);
        self.prefix < 31 && self.contains(address) && (host == 0 || host == !mask4(self.prefix))
    }

    /// Whether the address is one that a host of its network may have.
    pub(super) fn is_host(&self) -> bool {
        let link_local = match self.address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        !link_local && !self.is_end(self.address) && self.prefix > 0 && is_unicast(self.address)
    }
}

/// Whether a host elsewhere may have this address.
pub(super) fn is_unicast(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !broadcast && !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
}

/// Whether this machine may ask a host by this address alone. A link-local address of IPv6 names a host only together with
/// the link, for which a document has no place; at one of IPv4 the clouds have their name and time servers.
pub(super) fn is_reachable(address: IpAddr) -> bool {
    is_unicast(address) && !matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// Whether a server may be asked at this address: another machine's, or this one's, where a pod listens on the host.
pub(super) fn is_server(address: IpAddr) -> bool {
    is_reachable(address) || address.to_canonical().is_loopback()
}

/// The address of IPv4 that one of IPv6 stands for (RFC 4291 §2.5.5.2). Programs hand such addresses to the kernel; on a
/// wire there are none, and for a rule or a route they are of the other family.
pub(super) fn mapped(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => address.to_ipv4_mapped(),
    }
}

fn mask4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

fn mask6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// What is wrong with an address that is [`mapped`].
pub(super) const MAPPED: &str = "an address of IPv4 in the form of IPv6";

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is not an address with its prefix; write it as `192.0.2.10/24`", shown(text));
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let digits = !prefix.is_empty() && prefix.len() <= 3 && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|prefix| digits && *prefix <= most).ok_or_else(wrong)?;
        let Some(plain) = mapped(address) else { return Ok(Cidr { address, prefix }) };
        // Of 128 bits, or of the 32 that were meant.
        let prefix = prefix.checked_sub(96).unwrap_or(prefix.min(32));
        Err(format!("`{}` is {MAPPED}; write it as `{plain}/{prefix}`", shown(text)))
    }
}

impl TryFrom<String> for Cidr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{}` is not a hardware address; write it as `52:54:00:12:34:56`", shown(&text));
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && !part.starts_with('+')).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        // The lowest bit of the first byte is a group's.
        if parts.next().is_some() || bytes[0] & 1 == 1 || bytes == [0; 6] { Err(wrong()) } else { Ok(Mac(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_know_their_hosts() {
        for (text, network, host) in [
            ("192.0.2.10/24", "192.0.2.0", true),
            ("192.0.2.0/24", "192.0.2.0", false),
            ("192.0.2.255/24", "192.0.2.0", false),
            ("192.0.2.0/31", "192.0.2.0", true),
            ("192.0.2.1/32", "192.0.2.1", true),
            ("10.1.2.3/0", "0.0.0.0", false),
            ("169.254.1.1/16", "169.254.0.0", false),
            ("127.0.0.2/8", "127.0.0.0", false),
            ("224.0.0.5/24", "224.0.0.0", false),
            ("2001:db8::5/64", "2001:db8::", true),
            ("2001:db8::/128", "2001:db8::", true),
            ("fe80::1/64", "fe80::", false),
            ("::1/128", "::1", false),
        ] {
            let cidr: Cidr = text.parse().expect(text);
            assert_eq!((cidr.network().to_string().as_str(), cidr.is_host()), (network, host), "{text}");
            assert_eq!(cidr.to_string(), text);
        }
        let cidr: Cidr = "192.0.2.10/25".parse().expect("sound");
        assert!(cidr.contains([192, 0, 2, 1].into()) && !cidr.contains([192, 0, 2, 129].into()));
        assert!(!cidr.contains("2001:db8::1".parse().expect("an address")));
        for (address, end) in [("192.0.2.0", true), ("192.0.2.127", true), ("192.0.2.1", false), ("192.0.2.255", false)]
        {
            assert_eq!(cidr.is_end(address.parse().expect(address)), end, "{address}");
        }
    }

    #[test]
    fn addresses_that_no_host_has_are_known() {
        for (address, unicast, reachable) in [
            ("192.0.2.1", true, true),
            ("2001:db8::1", true, true),
            ("169.254.169.254", true, true),
            ("fe80::1", true, false),
            ("255.255.255.255", false, false),
            ("::ffff:255.255.255.255", false, false),
            ("0.0.0.0", false, false),
            ("::", false, false),
            ("127.0.0.1", false, false),
            ("::ffff:127.0.0.1", false, false),
            ("224.0.0.1", false, false),
            ("ff02::1", false, false),
        ] {
            let parsed = address.parse().expect(address);
            assert_eq!((is_unicast(parsed), is_reachable(parsed)), (unicast, reachable), "{address}");
            assert_eq!(is_server(parsed), reachable || address.ends_with("127.0.0.1"), "{address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["192.0.2.1", "192.0.2.1/33", "192.0.2.1/+4", "192.0.2.1/", "::/129", "x/24", "192.0.2.1/24/1", ""]
        {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        for (text, next) in [
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:c000:20a/24", "192.0.2.10/24"),
            ("::ffff:0.0.0.0/64", "0.0.0.0/32"),
        ] {
            let error = text.parse::<Cidr>().expect_err(text);
            assert_eq!(error, format!("`{text}` is an address of IPv4 in the form of IPv6; write it as `{next}`"));
        }
        assert!("::ffff:0:192.0.2.1/128".parse::<Cidr>().is_ok(), "another form");
        for text in
            ["52:54:00:12:34", "52:54:00:12:34:56:78", "53:54:00:12:34:56", "52:54:00:12:34:+6", "", "0:0:0:0:0:0"]
        {
            assert!(Mac::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(Mac::try_from("52:54:00:AB:cd:56".to_owned()).expect("sound").to_string(), "52:54:00:ab:cd:56");
    }
}
