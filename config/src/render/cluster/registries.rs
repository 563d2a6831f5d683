//! What containerd is told of registries: `certs.d/HOST/hosts.toml` (containerd's docs/hosts.md).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{CERTS_D, RenderedFile, quoted};
use crate::node_config::{Registry, Secret, pem};

/// A folder for each registry. Credentials are a header: containerd sends it to the registry, and to the server that
/// gives out its tokens, and to nobody else; those that kubelet may hand over with a pull go to every mirror.
pub(super) fn files(registries: &BTreeMap<String, Registry>) -> Vec<RenderedFile> {
    let mut files = Vec::new();
    for (host, registry) in registries {
        let folder = format!("{CERTS_D}/{}", if host == "*" { "_default" } else { host });
        let mut text = String::new();
        let mut trust = |name: String, ca: &Option<String>, text: &mut String| {
            let Some(ca) = ca else { return };
            let path = format!("{folder}/{name}.crt");
            let _ = writeln!(text, "ca = {}", quoted(&path));
            files.push(RenderedFile::public(path, pem::normalised(ca)));
        };
        trust("ca".into(), &registry.ca, &mut text);
        text.push_str(&header("header", registry.username.as_deref(), registry.password.as_ref()));
        for (number, mirror) in (1..).zip(&registry.mirrors) {
            let table = format!("host.{}", quoted(&mirror.url));
            let _ = writeln!(text, "[{table}]\ncapabilities = [\"pull\", \"resolve\"]");
            trust(format!("mirror-{number}"), &mirror.ca, &mut text);
            text.push_str(&header(&format!("{table}.header"), mirror.username.as_deref(), mirror.password.as_ref()));
        }
        files.push(RenderedFile::secret(format!("{folder}/hosts.toml"), text));
    }
    files
}

fn header(table: &str, username: Option<&str>, password: Option<&Secret>) -> String {
    let (Some(username), Some(password)) = (username, password) else { return String::new() };
    let basic = STANDARD.encode(format!("{username}:{}", password.expose()));
    format!("[{table}]\nAuthorization = \"Basic {basic}\"\n")
}
