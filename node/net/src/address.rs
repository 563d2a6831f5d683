//! Which addresses a host may have that is named by the network: a server's, a router's, this machine's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Of either family.
pub fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_host4(address),
        IpAddr::V6(address) => is_host6(address),
    }
}

/// Neither "this network" nor loopback, multicast, the reserved ones with broadcast (RFC 6890 §2.2.2). Link-local ones are:
/// clouds have their name and time servers there.
pub fn is_host4(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

/// Neither unspecified nor loopback or multicast. An IPv4-mapped one is an IPv4 address past the checks of those, and the
/// answers come from another address than was asked; a link-local one says nothing without its link, for which neither
/// `resolv.conf` nor a name's record has a place.
pub fn is_host6(address: Ipv6Addr) -> bool {
    !address.is_unspecified()
        && !address.is_loopback()
        && !address.is_multicast()
        && !address.is_unicast_link_local()
        && address.to_ipv4_mapped().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_no_address_of_many_and_none_of_another_family_in_disguise() {
        let host = |text: &str| is_host(text.parse().expect("an address"));
        for good in ["192.0.2.1", "10.0.0.1", "169.254.169.123", "223.255.255.1", "2001:db8::1", "fd00::1"] {
            assert!(host(good), "{good}");
        }
        for bad in ["0.0.0.0", "0.0.0.1", "127.0.0.53", "224.0.0.1", "240.0.0.1", "255.255.255.255"] {
            assert!(!host(bad), "{bad}");
        }
        for bad in ["::", "::1", "ff02::1", "fe80::1", "::ffff:192.0.2.1", "::ffff:127.0.0.1"] {
            assert!(!host(bad), "{bad}");
        }
    }
}
