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
            if has_root_of_its_own(&mirror.url) {
                text.push_str("override_path = true\n");
            }
            trust(format!("mirror-{number}"), &mirror.ca, &mut text);
            text.push_str(&header(&format!("{table}.header"), mirror.username.as_deref(), mirror.password.as_ref()));
        }
        files.push(RenderedFile::secret(format!("{folder}/hosts.toml"), text));
    }
    files
}

/// Whether a mirror's path is where its API is: Harbor has that of a proxy cache at `/v2/PROJECT`. Behind any other path
/// containerd puts `/v2`, and behind this one it would ask for what is not there.
fn has_root_of_its_own(url: &str) -> bool {
    let location = url.split_once("://").map_or(url, |(_, location)| location);
    let path = location.split_once('/').map_or("", |(_, path)| path);
    path.strip_prefix("v2/").is_some_and(|project| !project.trim_matches('/').is_empty())
}

fn header(table: &str, username: Option<&str>, password: Option<&Secret>) -> String {
    let (Some(username), Some(password)) = (username, password) else { return String::new() };
    let basic = STANDARD.encode(format!("{username}:{}", password.expose()));
    format!("[{table}]\nAuthorization = \"Basic {basic}\"\n")
}

#[cfg(test)]
mod tests {
    use super::has_root_of_its_own;

    #[test]
    fn a_path_below_v2_is_where_the_api_is() {
        for (url, own) in [
            ("https://harbor.example/v2/hub", true),
            ("http://harbor.example:5000/v2/team/hub/", true),
            ("https://harbor.example/v2", false),
            ("https://harbor.example/v2/", false),
            ("https://harbor.example/v2x/hub", false),
            ("https://mirror.example/hub/v2/team", false),
            ("https://v2/hub", false),
            ("https://mirror.example", false),
        ] {
            assert_eq!(has_root_of_its_own(url), own, "{url}");
        }
    }
}
