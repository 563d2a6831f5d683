//! By what right kubelet talks to the API server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{BOOTSTRAP_KUBECONFIG, CLUSTER_CA, KUBECONFIG, RenderedFile, quoted};
use crate::node::KUBELET_CERTIFICATE;
use crate::node_config::{Cluster, pem};

/// The bootstrap kubeconfig for a token or a client certificate; kubelet makes its own of it, with the certificate that it
/// then has or finds on the state partition. Were the document's certificate in kubelet's own, kubelet would ask for each
/// later one by it, long after it has run out (`buildClientCertificateManager` in `cmd/kubelet/app/server.go`).
/// For neither kubelet's own, with the certificate of an earlier boot.
pub(super) fn file(cluster: &Cluster) -> RenderedFile {
    let data = |text: &str| STANDARD.encode(pem::normalised(text));
    match (&cluster.token, &cluster.client_certificate, &cluster.client_key) {
        (None, Some(certificate), Some(key)) => {
            let (certificate, key) = (data(certificate), data(key.expose()));
            let user = format!("    client-certificate-data: {certificate}\n    client-key-data: {key}\n");
            RenderedFile::secret(BOOTSTRAP_KUBECONFIG, kubeconfig(cluster, &user))
        }
        (Some(token), ..) => {
            let user = format!("    token: {}\n", quoted(token.expose()));
            RenderedFile::secret(BOOTSTRAP_KUBECONFIG, kubeconfig(cluster, &user))
        }
        (None, ..) => {
            let user =
                format!("    client-certificate: {KUBELET_CERTIFICATE}\n    client-key: {KUBELET_CERTIFICATE}\n");
            RenderedFile::secret(KUBECONFIG, kubeconfig(cluster, &user))
        }
    }
}

fn kubeconfig(cluster: &Cluster, user: &str) -> String {
    let server = quoted(&cluster.server);
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: cluster
  cluster:
    certificate-authority: {CLUSTER_CA}
    server: {server}
users:
- name: node
  user:
{user}contexts:
- name: node
  context:
    cluster: cluster
    user: node
current-context: node
"
    )
}
