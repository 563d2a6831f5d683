//! Where images come from.

use super::super::network::is_server;
use super::super::{Mirror, NodeConfig, Registry, Secret, pem};
use super::names::{address_of, is_authority, is_location};
use super::{Report, excerpt, expect_allowed, expect_once};
use crate::node::{Allowance, NodeConfigPolicy};

/// Each is a file of its own, and a file takes a page at least of the 4 MiB of `/etc/containerd/certs.d`, a certificate
/// one more: the most that a document can say then takes five sixths of them.
const MOST_REGISTRIES: usize = 256;
/// Stands for every registry that has no table of its own.
const ALL: &str = "*";
/// What is meant by an image without a host, and its old name.
const HUB: &str = "docker.io";
const OLD_HUB: &str = "index.docker.io";
const CREDENTIALS: &str = "give `username` and `password`, neither with a line break, and no `:` in the name";

pub(super) fn check(config: &NodeConfig, policy: &NodeConfigPolicy, report: &mut Report) {
    let count = config.registries.len();
    let next = format!("name {MOST_REGISTRIES} at most; `\"{ALL}\"` stands for all others");
    report.expect(count <= MOST_REGISTRIES, &["registries"], format!("{count} registries are named"), &next);
    for (host, registry) in &config.registries {
        let at = ["registries", host.as_str()];
        check_name(&at, host, report);
        let Registry { mirrors, ca, username, password } = registry;
        if host == ALL {
            let own = ca.is_some() || username.is_some() || password.is_some();
            let message = "certificates and credentials are of one registry".to_owned();
            report.expect(!own, &at, message, "name the registry, or give them to the mirror");
        }
        if ca.is_some() {
            expect_allowed(Allowance::ExtraCas, &[&at[..], &["ca"]].concat(), policy, report);
        }
        check_trust(&at, ca.as_deref(), report);
        check_credentials(&at, username.as_deref(), password.as_ref(), report);
        if !mirrors.is_empty() {
            expect_allowed(Allowance::RegistryMirrors, &[&at[..], &["mirrors"]].concat(), policy, report);
        }
        let places: Vec<String> = mirrors.iter().map(|mirror| place(&mirror.url)).collect();
        for (index, mirror) in mirrors.iter().enumerate() {
            let number = index.to_string();
            let at = [&at[..], &["mirrors", &number]].concat();
            check_mirror(&at, mirror, policy, report);
            // A second table of one name, and containerd takes nothing of the whole file.
            expect_once(&places, index, &[&at[..], &["url"]].concat(), report);
        }
    }
}

/// A name that no image has is refused: what is said of it would count for none.
fn check_name(at: &[&str], host: &str, report: &mut Report) {
    let shown = excerpt(host);
    if !is_registry(host) {
        let next =
            "write the registry as images name it: \"docker.io\", \"registry.example:5000\", or \"*\" for the others";
        return report.expect(false, at, format!("`{shown}` is not a registry"), next);
    }
    let message = format!("`{shown}` is no image's registry: `{shown}/app` is `docker.io/{shown}/app` to everybody");
    let next = "write the host's whole name, such as \"registry.example\", or its port behind it";
    report.expect(is_told(host), at, message, next);
    let message = format!("images of `{OLD_HUB}` are those of `{HUB}` to everybody");
    report.expect(host != OLD_HUB, at, message, &format!("write `[registries.\"{HUB}\"]`"));
}

/// The name becomes that of a folder, so it is held to what such a name may be.
fn is_registry(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    host == ALL || (host.bytes().all(plain) && is_authority(host))
}

/// As programs tell a host from the first part of a repository (`splitDockerDomain` of `distribution/reference`).
fn is_told(host: &str) -> bool {
    host == ALL || host == "localhost" || host.contains(['.', ':'])
}

/// Where a mirror's address leads, whichever way it is written.
fn place(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let authority = authority.to_ascii_lowercase();
    let port = if scheme == "http" { ":80" } else { ":443" };
    let authority = authority.strip_suffix(port).unwrap_or(&authority);
    format!("{scheme}://{authority}{}", path.trim_end_matches('/'))
}

fn check_mirror(at: &[&str], mirror: &Mirror, policy: &NodeConfigPolicy, report: &mut Report) {
    let Mirror { url, insecure, ca, username, password } = mirror;
    let path = [at, &["url"]].concat();
    let next = "write it as \"https://mirror.example:5000\"";
    let shown = excerpt(url);
    match url.split_once("://") {
        // What stands before an `@` may be a password.
        _ if url.contains('@') => report.expect(false, &path, "a user does not belong into the address".into(), next),
        Some((scheme @ ("http" | "https"), rest)) => {
            report.expect(is_location(rest), &path, format!("`{shown}` is not a mirror's address"), next);
            let good = address_of(rest).is_none_or(is_server);
            let next = "name one that this machine can reach";
            report.expect(good, &path, format!("`{shown}` cannot be a mirror's address"), next);
            let message = format!("`{shown}` is plain HTTP: anybody on the way can read and change what is pulled");
            let next = "write https, or add `insecure = true` if the image's definition allows plain-http-mirrors";
            report.expect(scheme == "https" || *insecure, &path, message, next);
            let message = format!("`{shown}` is not plain HTTP, so `insecure` means nothing");
            let next = "leave it out; for a CA of your own give `ca`";
            report.expect(scheme == "http" || !insecure, &[at, &["insecure"]].concat(), message, next);
            if scheme == "http" && *insecure {
                expect_allowed(Allowance::PlainHttpMirrors, &[at, &["insecure"]].concat(), policy, report);
                let message = "a password would be sent to anybody who asks".to_owned();
                let open = username.is_none() && password.is_none();
                report.expect(open, &[at, &["username"]].concat(), message, "leave it out, or write https");
            }
        }
        _ => report.expect(false, &path, format!("`{shown}` does not begin with `https://`"), next),
    }
    if ca.is_some() {
        expect_allowed(Allowance::ExtraCas, &[at, &["ca"]].concat(), policy, report);
    }
    check_trust(at, ca.as_deref(), report);
    check_credentials(at, username.as_deref(), password.as_ref(), report);
}

fn check_trust(at: &[&str], ca: Option<&str>, report: &mut Report) {
    if let Some(Err(why)) = ca.map(pem::certificates) {
        let next = "give certificates as PEM, from `-----BEGIN CERTIFICATE-----` to its end";
        report.expect(false, &[at, &["ca"]].concat(), format!("not a CA: {why}"), next);
    }
}

fn check_credentials(at: &[&str], username: Option<&str>, password: Option<&Secret>, report: &mut Report) {
    let message = "a user name needs a password, and a password a user name".to_owned();
    report.expect(username.is_some() == password.is_some(), at, message, CREDENTIALS);
    let plain = |text: &str| !text.is_empty() && !text.contains(char::is_control);
    let good = username.is_none_or(|name| plain(name) && !name.contains(':'));
    report.expect(good, &[at, &["username"]].concat(), "it is not a user name".into(), CREDENTIALS);
    let good = password.is_none_or(|password| plain(password.expose()));
    report.expect(good, &[at, &["password"]].concat(), "it is not a password".into(), CREDENTIALS);
}

#[cfg(test)]
mod tests {
    use super::{is_registry, is_told};

    #[test]
    fn registries_are_those_that_images_name() {
        for (host, registry, told) in [
            ("docker.io", true, true),
            ("registry:5000", true, true),
            ("localhost", true, true),
            ("192.0.2.1", true, true),
            ("[2001:db8::1]:5000", true, true),
            ("[2001:db8::1]", true, true),
            ("*", true, true),
            ("registry", true, false),
            ("2001:db8::1", false, true),
            ("[2001:db8::1", false, true),
            ("[registry]:5000", false, true),
            ("[2001:db8::1]:", false, true),
        ] {
            assert_eq!((is_registry(host), is_told(host)), (registry, told), "{host}");
        }
    }
}
