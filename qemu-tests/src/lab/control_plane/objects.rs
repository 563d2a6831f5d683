//! The objects by which a node may join: the token, and who may ask for certificates and have them approved.

use serde_json::{Value, json};

/// The user that the API server asks kubelets as.
pub(super) const KUBELET_CLIENT: &str = "kube-apiserver-kubelet-client";

/// A bootstrap token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The public part, six characters.
    pub id: String,
    secret: String,
}

impl Token {
    pub(super) fn new(id: &str, secret: &str) -> Token {
        Token { id: id.into(), secret: secret.into() }
    }

    /// As a node is given it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}.{}", self.id, self.secret)
    }

    /// Its Secret's name, in `kube-system`.
    #[must_use]
    pub fn object(&self) -> String {
        format!("bootstrap-token-{}", self.id)
    }
}

/// What is applied for nodes to join with this token.
pub(super) fn joining(token: &Token) -> String {
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": token.object(), "namespace": "kube-system"},
        "stringData": {
            "token-id": token.id,
            "token-secret": token.secret,
            "usage-bootstrap-authentication": "true",
            "auth-extra-groups": "system:bootstrappers:worker",
        },
    });
    let csr = "system:certificates.k8s.io:certificatesigningrequests";
    let items = [
        secret,
        binding("lab:bootstrap", "system:node-bootstrapper", "Group", "system:bootstrappers"),
        binding("lab:approve-bootstrap", &format!("{csr}:nodeclient"), "Group", "system:bootstrappers"),
        binding("lab:approve-renewal", &format!("{csr}:selfnodeclient"), "Group", "system:nodes"),
        binding("lab:kubelet-client", "system:kubelet-api-admin", "User", KUBELET_CLIENT),
    ];
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn binding(name: &str, role: &str, kind: &str, subject: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": subject}],
    })
}
