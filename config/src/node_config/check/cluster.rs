//! The cluster: where it is, whom to believe, by which right to join.

use super::super::network::{is_reachable, is_server, is_unicast};
use super::super::{Cluster, NodeConfig, pem};
use super::names::{address_of, is_authority, is_domain, is_hostname};
use super::{Report, excerpt, expect_once, expect_plain};
use crate::node::NodeConfigPolicy;

const MOST_DNS_ADDRESSES: usize = 3;
const MOST_NETWORKS: usize = 32;
/// A network that is larger is no cluster's: with [`MOST_NETWORKS`] of them it would be everybody.
const LEAST_BITS: u8 = 8;
const LEAST_BITS_IPV6: u8 = 16;
/// What stands before a node's name where it is a user's.
const NODE: &str = "system:node:";

pub(super) fn check(cluster: &Cluster, policy: &NodeConfigPolicy, report: &mut Report) {
    check_server(&cluster.server, report);
    let found = pem::certificates(&cluster.ca);
    let next = "give the cluster's CA as PEM, from `-----BEGIN CERTIFICATE-----` to its end";
    let message = format!("not the cluster's CA: {}", found.as_ref().err().map_or("", String::as_str));
    report.expect(found.is_ok(), &["cluster", "ca"], message, next);
    check_right_to_join(cluster, policy.has_certificate, report);
    let message = format!("{} addresses are named", cluster.dns.len());
    report.expect(cluster.dns.len() <= MOST_DNS_ADDRESSES, &["cluster", "dns"], message, "name three at most");
    for (index, address) in cluster.dns.iter().enumerate() {
        let path = ["cluster", "dns", &index.to_string()];
        expect_plain(*address, &path, report);
        let message = format!("`{address}` cannot be a service's address");
        report.expect(is_reachable(*address), &path, message, "name the address of the cluster's DNS service");
        expect_once(&cluster.dns, index, &path, report);
    }
    let domain = &cluster.domain;
    let message = format!("`{}` is not a domain", excerpt(domain));
    report.expect(
        is_domain(domain),
        &["cluster", "domain"],
        message,
        "write it as \"cluster.local\", the last part not a number",
    );
}

/// kubelet asks for the certificate of the host's name, and the cluster gives that to nobody who comes as another node.
pub(super) fn check_user(config: &NodeConfig, report: &mut Report) {
    let (Some(hostname), Some(certificate)) = (&config.hostname, &config.cluster.client_certificate) else { return };
    let user = pem::common_name(certificate);
    let Some(node) = user.as_deref().and_then(|user| user.strip_prefix(NODE)) else { return };
    let shown = excerpt(hostname);
    let message = format!("it is of the node `{}`, and this machine is `{shown}`", excerpt(node));
    let next = format!("give the one of `{NODE}{shown}`, or make `hostname` the certificate's");
    let good = node == hostname || !is_hostname(hostname);
    report.expect(good, &["cluster", "client_certificate"], message, &next);
}

/// From where the cluster comes.
pub(super) fn check_networks(cluster: &Cluster, policy: &NodeConfigPolicy, report: &mut Report) {
    let (at, networks) = (["cluster", "networks"], &cluster.networks);
    let message = format!("{} networks are named", networks.len());
    report.expect(networks.len() <= MOST_NETWORKS, &at, message, &format!("name {MOST_NETWORKS} at most"));
    for (index, network) in networks.iter().enumerate() {
        let path = [at[0], at[1], &index.to_string()];
        let (first, bits) = (network.network(), network.prefix);
        let message = format!("`{network}` has bits behind its prefix");
        report.expect(first == network.address, &path, message, &format!("write the network: \"{first}/{bits}\""));
        let least = if network.is_ipv4() { LEAST_BITS } else { LEAST_BITS_IPV6 };
        let message = format!("`{network}` is larger than any cluster");
        let next =
            format!("name the cluster's own networks, of /{least} at least; without any, kubelet is open to all");
        report.expect(bits >= least, &path, message, &next);
        let message = format!("`{network}` is no network of other machines");
        let others = bits < least || is_unicast(first);
        report.expect(others, &path, message, "name the networks of nodes, API servers, and pods that call kubelet");
        expect_once(networks, index, &path, report);
    }
    if let Some(ports) = policy.firewall.open_to_cluster.first().filter(|_| networks.is_empty()) {
        let message = format!("this image opens {ports} to the cluster's networks, and none are named");
        report.expect(false, &["cluster"], message, "name them: `networks = [\"192.0.2.0/24\"]`");
    }
}

fn check_server(server: &str, report: &mut Report) {
    let path = ["cluster", "server"];
    let next = "write it as \"https://api.example:6443\", without a path";
    if server.contains('@') {
        // What stands before it may be a password.
        return report.expect(false, &path, "a user does not belong into the server's address".into(), next);
    }
    let shown = excerpt(server);
    match server.split_once("://") {
        Some(("https", rest)) => {
            let message = format!("`{shown}` is not the address of an API server");
            report.expect(is_authority(rest), &path, message, next);
            let message = format!("`{shown}` cannot be an API server's address");
            let good = address_of(rest).is_none_or(is_server);
            report.expect(good, &path, message, "name one that this machine can reach");
        }
        Some(("http", _)) => {
            let message = format!("`{shown}` would send the token to anybody who asks");
            report.expect(false, &path, message, "the API server speaks https, and nothing else is taken");
        }
        _ => report.expect(false, &path, format!("`{shown}` does not begin with `https://`"), next),
    }
}

/// A token, or a certificate with its key; neither where kubelet has its certificate already.
fn check_right_to_join(cluster: &Cluster, has_certificate: bool, report: &mut Report) {
    let Cluster { token, client_certificate: certificate, client_key: key, .. } = cluster;
    let next = "give `token`, or `client_certificate` with `client_key`";
    match (token, certificate, key) {
        (Some(token), None, None) => {
            let next = "it is six characters, a dot and sixteen, of a-z and 0-9; `kubeadm token create` prints one";
            let good = is_token(token.expose());
            report.expect(good, &["cluster", "token"], "it is not a bootstrap token".into(), next);
        }
        (None, Some(certificate), Some(key)) => {
            let found = pem::certificates(certificate);
            let message = format!("not a client certificate: {}", found.as_ref().err().map_or("", String::as_str));
            report.expect(found.is_ok(), &["cluster", "client_certificate"], message, "give it as PEM");
            let found = pem::key(key.expose());
            let message = format!("not its key: {}", found.as_ref().err().map_or("", String::as_str));
            report.expect(found.is_ok(), &["cluster", "client_key"], message, "give it as PEM: PKCS#8, EC or RSA");
            let fits = pem::fit(certificate, key.expose()) != Some(false);
            let message = "it is not the key of `client_certificate`".to_owned();
            report.expect(fits, &["cluster", "client_key"], message, "give the key that the certificate was made for");
        }
        (None, None, None) => {
            let message = "nothing gives the node the right to join".to_owned();
            let next = format!("{next}; only a machine that joined before needs neither");
            report.expect(has_certificate, &["cluster"], message, &next);
        }
        (Some(_), ..) => {
            let message = "there are a token and a client certificate or its key".to_owned();
            report.expect(false, &["cluster", "token"], message, next);
        }
        (None, Some(_), None) => {
            let message = "the client certificate has no key".to_owned();
            report.expect(false, &["cluster", "client_certificate"], message, next);
        }
        (None, None, Some(_)) => {
            report.expect(false, &["cluster", "client_key"], "the key has no client certificate".into(), next);
        }
    }
}

fn is_token(token: &str) -> bool {
    let plain = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    token.split_once('.').is_some_and(|(id, secret)| plain(id, 6) && plain(secret, 16))
}
