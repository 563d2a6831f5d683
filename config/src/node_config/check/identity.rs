//! Who the machine is, where its time comes from, how it reaches what is outside.

use std::net::IpAddr;

use super::super::{Cidr, NodeConfig, Proxy, Secret, Time};
use super::names::{HOSTNAME_RULE, is_authority, is_domain, is_host, is_hostname};
use super::{Report, excerpt, expect_once};
use crate::node::NodeConfigPolicy;

/// More servers make the time no better.
const MOST_TIME_SERVERS: usize = 8;

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
        expect_once(&time.servers, index, &path, report);
    }
}

pub(super) fn check_proxy(proxy: &Proxy, report: &mut Report) {
    for (key, url) in [("http", &proxy.http), ("https", &proxy.https)] {
        let good = url.as_ref().is_none_or(is_proxy);
        let next = "write it as \"http://proxy.example:3128\", with `user:password@` before the host if need be";
        report.expect(good, &["proxy", key], "it is not a proxy's address".into(), next);
    }
    for (index, exception) in proxy.exceptions.iter().enumerate() {
        let message = format!("`{}` is not an exception that programs understand", excerpt(exception));
        let next = "write a name, `.domain`, an address or a network, such as \"10.0.0.0/8\"";
        report.expect(is_exception(exception), &["proxy", "exceptions", &index.to_string()], message, next);
    }
    let message = "there are exceptions, and no proxy".to_owned();
    let used = proxy.exceptions.is_empty() || proxy.http.is_some() || proxy.https.is_some();
    report.expect(used, &["proxy", "exceptions"], message, "name the proxy: `http`, `https` or both");
}

fn is_proxy(url: &Secret) -> bool {
    let url = url.expose();
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else { return false };
    let (user, authority) = rest.rsplit_once('@').unwrap_or(("", rest));
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"/@\"'\\".contains(&byte);
    user.bytes().all(plain) && is_authority(authority.strip_suffix('/').unwrap_or(authority))
}

fn is_exception(text: &str) -> bool {
    let domain = text.strip_prefix('.').unwrap_or(text);
    text.parse::<IpAddr>().is_ok() || text.parse::<Cidr>().is_ok() || is_domain(domain) || is_authority(text)
}
