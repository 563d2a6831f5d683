//! What names, addresses and URLs may look like.

use std::net::{IpAddr, Ipv6Addr};

use crate::definition::is_port;

pub(super) const HOSTNAME_RULE: &str = "it takes lowercase letters, digits and `-`, in parts with `.` between them, the \
     last part not a number, at most 63 characters, and not `localhost`";
/// Every machine calls itself so already: all that were given such a name would be one and the same Node.
const LOCAL_NAMES: [&str; 2] = ["localhost", "localhost.localdomain"];

/// One part of a host name (RFC 1123), lowercase as Kubernetes wants it.
fn is_part(part: &str) -> bool {
    let inner = part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    inner && (1..=63).contains(&part.len()) && !part.starts_with('-') && !part.ends_with('-')
}

/// A DNS name. One whose last part is a number would be read as an address.
pub(super) fn is_domain(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253 && name.split('.').all(is_part) && !number
}

/// A host's name: it is the value of a label too, and Linux takes 64 bytes.
pub(super) fn is_hostname(name: &str) -> bool {
    name.len() <= 63 && is_domain(name) && !LOCAL_NAMES.contains(&name)
}

/// A name or an address, without brackets.
pub(super) fn is_host(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok() || is_domain(&host.to_ascii_lowercase())
}

/// `HOST` or `HOST:PORT`; IPv6 in brackets.
pub(super) fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => ("localhost", port),
        Some(_) => return false,
        None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    let port_good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    port_good && is_host(host)
}

/// The address that stands for the host in `HOST[:PORT][/PATH]`, if one does.
pub(super) fn address_of(location: &str) -> Option<IpAddr> {
    let (authority, _) = location.split_once('/').unwrap_or((location, ""));
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    };
    host.parse().ok()
}

/// `HOST[:PORT][/PATH]`: what follows a scheme.
pub(super) fn is_location(rest: &str) -> bool {
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._~-%".contains(&byte);
    is_authority(authority) && path.bytes().all(plain) && is_escaped(path)
}

/// Who logs in at a URL, as Go's `net/url` takes it (`validUserinfo`), without an `@`, which is its end.
pub(super) fn is_user_info(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte);
    text.bytes().all(plain) && is_escaped(text)
}

/// Whether two hexadecimal digits follow each `%`. Go takes no URL in which they do not.
fn is_escaped(text: &str) -> bool {
    let is_code = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    text.split('%').skip(1).all(is_code)
}

/// A qualified name, as labels and taints have it: `[PREFIX/]NAME`.
pub(super) fn is_qualified_name(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefix_good = prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_part));
    prefix_good && !name.is_empty() && is_label_value(name)
}

/// A label's value: empty, or letters, digits, `-`, `_` and `.` between letters or digits.
pub(super) fn is_label_value(value: &str) -> bool {
    let ends = |end: Option<&u8>| end.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    let inner = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    inner && ends(bytes.first()) && ends(bytes.last()) && bytes.len() <= 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_what_is_none() {
        let long = format!("{}.{}", "a".repeat(40), "b".repeat(23));
        for (name, good) in [
            ("node-1", true),
            ("node-1.example", true),
            ("1node", true),
            (&long[..63], true),
            (&long, false),
            ("Node", false),
            ("node_1", false),
            ("-node", false),
            ("node-", false),
            ("node.", false),
            ("", false),
            ("192.0.2.1", false),
            ("node.1", false),
            ("123", false),
            ("rack.12", false),
            ("12.rack", true),
            ("localhost", false),
            ("localhost.localdomain", false),
            ("localhost-1", true),
            ("knöten", false),
        ] {
            assert_eq!(is_hostname(name), good, "{name}");
        }
        for (authority, good) in [
            ("api.example:6443", true),
            ("192.0.2.1", true),
            ("[2001:db8::1]:443", true),
            ("[2001:db8::1]", true),
            ("2001:db8::1", false),
            ("[x]:1", false),
            ("a:0", false),
            ("a:0443", false),
            ("a:65536", false),
            ("a:+1", false),
            ("a:", false),
            ("user@a", false),
            (":1", false),
        ] {
            assert_eq!(is_authority(authority), good, "{authority}");
        }
        for (location, good) in [
            ("a/b/c", true),
            ("a/", true),
            ("a/%2fb%C3", true),
            ("a/%zz", false),
            ("a/%2", false),
            ("a/%%20", false),
            ("a/?q", false),
            ("a#f", false),
            ("/a", false),
        ] {
            assert_eq!(is_location(location), good, "{location}");
        }
    }

    #[test]
    fn an_address_is_found_where_a_host_may_stand() {
        for (location, address) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:443/a", Some("192.0.2.1")),
            ("[2001:db8::1]:443/a", Some("2001:db8::1")),
            ("[::]", Some("::")),
            ("api.example:443", None),
            ("192.0.2.1.example", None),
            ("", None),
        ] {
            let expected: Option<IpAddr> = address.map(|address| address.parse().expect(address));
            assert_eq!(address_of(location), expected, "{location}");
        }
    }

    /// `url.Parse` of Go 1.26 says the same of each but the one with an `@`, which it takes.
    #[test]
    fn who_logs_in_is_written_as_go_reads_it() {
        for (text, good) in [
            ("", true),
            ("builder:hunter2", true),
            ("a:b:c-._~!$&'()*+,;=", true),
            ("a:%40%23%25", true),
            ("a:50%off", false),
            ("a:100%", false),
            ("a:p#w", false),
            ("a:p?w", false),
            ("a:p/w", false),
            ("a:p^w", false),
            ("a:p@w", false),
            ("a:p w", false),
            ("a:p\"w", false),
            ("a:ä", false),
        ] {
            assert_eq!(is_user_info(text), good, "{text}");
        }
    }

    #[test]
    fn labels_are_told_from_what_is_none() {
        for (key, good) in [
            ("zone", true),
            ("example.com/Zone_1", true),
            ("a/b/c", false),
            ("/b", false),
            ("a/", false),
            ("A.com/b", false),
            ("-a", false),
            ("a b", false),
            ("", false),
        ] {
            assert_eq!(is_qualified_name(key), good, "{key}");
        }
        assert!(is_label_value("") && is_label_value("a") && is_label_value(&"a".repeat(63)));
        assert!(!is_label_value(&"a".repeat(64)) && !is_label_value("a=b") && !is_label_value("a,"));
    }
}
