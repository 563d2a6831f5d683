//! Who the machine is, where its time comes from, how it reaches what is outside.

use std::net::{IpAddr, Ipv6Addr};

use crate::definition::is_port;

use super::super::network::{is_reachable, is_server};
use super::super::{Cidr, NodeConfig, Proxy, Secret, Time};
use super::names::{HOSTNAME_RULE, address_of, is_authority, is_domain, is_host, is_hostname, is_user_info};
use super::{Report, excerpt, expect_once, expect_plain};
use crate::node::NodeConfigPolicy;

/// More servers make the time no better.
const MOST_TIME_SERVERS: usize = 8;
const PROXY_RULE: &str = "write it as \"http://proxy.example:3128\", with `user:password@` before the host if need be";
const USER_RULE: &str = "write all but letters, digits and -._~!$&'()*+,;= as `%` and two hexadecimal digits: `%40` for \
                         `@`, `%23` for `#`, `%25` for `%`";

pub(super) fn check(config: &NodeConfig, policy: &NodeConfigPolicy, report: &mut Report) {
    if let Some(class) = &config.class {
        let asked = excerpt(class);
        let message = format!("`{asked}` is asked for, and this image is of class `{}`", policy.class);
        let next = "give the machine an image of that class, or take the key out";
        report.expect(policy.class.is_empty() || *class == policy.class, &["class"], message, next);
    }
    if let Some(name) = &config.hostname {
        let message = format!("`{}` is not a host name", excerpt(name));
        report.expect(is_hostname(name), &["hostname"], message, HOSTNAME_RULE);
    }
}

pub(super) fn check_time(time: &Time, report: &mut Report) {
    let message = format!("{} time servers are named", time.servers.len());
    let next = format!("name {MOST_TIME_SERVERS} at most");
    report.expect(time.servers.len() <= MOST_TIME_SERVERS, &["time", "servers"], message, &next);
    for (index, server) in time.servers.iter().enumerate() {
        let path = ["time", "servers", &index.to_string()];
        let message = format!("`{}` is neither a name nor an address", excerpt(server));
        report.expect(is_host(server), &path, message, "write it as \"ntp.example\" or \"192.0.2.1\", without a port");
        if let Ok(address) = server.parse::<IpAddr>() {
            expect_plain(address, &path, report);
            let message = format!("`{}` cannot be a time server's address", excerpt(server));
            report.expect(is_reachable(address), &path, message, "name one that this machine can reach");
        }
        expect_once(&time.servers, index, &path, report);
    }
}

pub(super) fn check_proxy(proxy: &Proxy, report: &mut Report) {
    for (key, url) in [("http", &proxy.http), ("https", &proxy.https)] {
        let Some((user, host)) = url.as_ref().map(parts) else { continue };
        report.expect(is_authority(host), &["proxy", key], "it is not a proxy's address".into(), PROXY_RULE);
        let good = address_of(host).is_none_or(is_server);
        let next = "name one that this machine can reach";
        report.expect(good, &["proxy", key], "it cannot be a proxy's address".into(), next);
        let message = "its user name or password is not written as a URL has it".to_owned();
        report.expect(is_user_info(user), &["proxy", key], message, USER_RULE);
    }
    for (index, exception) in proxy.exceptions.iter().enumerate() {
        let message = format!("`{}` is not an exception that programs understand", excerpt(exception));
        let next = match in_brackets(exception) {
            Some(address) => format!("write it without brackets: \"{address}\""),
            None => "write a name, `.domain`, an address or a network, such as \"10.0.0.0/8\"".to_owned(),
        };
        report.expect(is_exception(exception), &["proxy", "exceptions", &index.to_string()], message, &next);
    }
    let message = "there are exceptions, and no proxy".to_owned();
    let used = proxy.exceptions.is_empty() || proxy.http.is_some() || proxy.https.is_some();
    report.expect(used, &["proxy", "exceptions"], message, "name the proxy: `http`, `https` or both");
}

/// Who logs in at a proxy, and its host with its port: nothing, where the URL is of another kind.
fn parts(url: &Secret) -> (&str, &str) {
    let url = url.expose();
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or_default();
    let (user, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    (user, host.strip_suffix('/').unwrap_or(host))
}

/// Whether Go understands it (`golang.org/x/net/http/httpproxy`), which asks for no case and reads `*.domain` as `.domain`.
fn is_exception(text: &str) -> bool {
    let name = text.to_ascii_lowercase();
    if let Some(domain) = name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        let (domain, port) = domain.split_once(':').map_or((domain, None), |(domain, port)| (domain, Some(port)));
        return is_domain(domain) && port.is_none_or(is_port);
    }
    let address = text.parse::<IpAddr>().is_ok() || text.parse::<Cidr>().is_ok();
    address || (is_authority(text) && in_brackets(text).is_none())
}

/// An address of IPv6 in brackets, with no port behind them. Go would take the whole for a name, which nothing has.
fn in_brackets(text: &str) -> Option<Ipv6Addr> {
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::is_exception;

    #[test]
    fn exceptions_are_those_that_go_understands() {
        for (text, good) in [
            ("registry.example", true),
            ("registry.example:5000", true),
            ("Registry.Example", true),
            (".example", true),
            (".EXAMPLE.org", true),
            ("*.example.org", true),
            (".example.org:8443", true),
            ("*.example.org:8443", true),
            (".example.org:+1", false),
            ("192.0.2.1", true),
            ("192.0.2.0/24", true),
            ("2001:db8::1", true),
            ("2001:DB8::/32", true),
            ("[2001:db8::1]:443", true),
            ("[2001:db8::1]", false),
            ("*", false),
            ("*.", false),
            ("*example.org", false),
            ("a.*.example", false),
            ("..example", false),
            (".192.0.2.1", false),
            ("https://registry.example", false),
            ("a,b", false),
            ("", false),
        ] {
            assert_eq!(is_exception(text), good, "{text}");
        }
    }
}
