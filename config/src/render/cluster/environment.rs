//! What containerd and kubelet learn from their environment.

use super::EXTRA_CAS;
use crate::node_config::NodeConfig;

/// What no proxy could reach, or nobody wants it to see: this machine, link-local addresses (metadata).
const NEVER_BY_PROXY: [&str; 4] = ["localhost", "127.0.0.0/8", "::1", "169.254.0.0/16"];

pub(super) fn environment(config: &NodeConfig) -> Vec<(String, String)> {
    let proxy = &config.proxy;
    let mut all = Vec::new();
    for (name, url) in [("HTTP_PROXY", &proxy.http), ("HTTPS_PROXY", &proxy.https)] {
        all.extend(url.as_ref().map(|url| (name.to_owned(), url.expose().to_owned())));
    }
    if !all.is_empty() {
        let mut exceptions: Vec<String> = NEVER_BY_PROXY.map(str::to_owned).to_vec();
        exceptions.extend([".svc".to_owned(), format!(".{}", config.cluster.domain)]);
        exceptions.extend(proxy.exceptions.iter().cloned());
        all.push(("NO_PROXY".to_owned(), exceptions.join(",")));
    }
    if !config.extra_cas.is_empty() {
        // Go takes the bundle, and then every file of these folders.
        all.push(("SSL_CERT_DIR".to_owned(), format!("/etc/ssl/certs:{EXTRA_CAS}")));
    }
    all
}
