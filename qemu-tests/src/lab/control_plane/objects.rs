//! The objects by which a node may join: the token, and who may ask for certificates and have them approved.

use serde_json::{Value, json};

/// The user that the API server asks kubelets as.
pub(super) const KUBELET_CLIENT: &str = "kube-apiserver-kubelet-client";

/// The group of tokens whose requests for a client certificate are approved.
const APPROVED: &str = "system:bootstrappers:worker";

/// A bootstrap token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The public part, six characters.
    pub id: String,
    secret: String,
}

impl Token {
    /// A token of these parts: six and sixteen characters. The cluster knows it once [`Token::secret`] was applied.
    #[must_use]
    pub fn new(id: &str, secret: &str) -> Token {
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

    /// The Secret by which the cluster knows it. Requests by it are approved as long as nobody puts it into another group
    /// (`auth-extra-groups`), and it is good until its `expiration`, both in `stringData`.
    #[must_use]
    pub fn secret(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "bootstrap.kubernetes.io/token",
            "metadata": {"name": self.object(), "namespace": "kube-system"},
            "stringData": {
                "token-id": self.id,
                "token-secret": self.secret,
                "usage-bootstrap-authentication": "true",
                "auth-extra-groups": APPROVED,
            },
        })
    }
}

/// What is applied for nodes to join with this token.
pub(super) fn joining(token: &Token) -> String {
    let csr = "system:certificates.k8s.io:certificatesigningrequests";
    let items = [
        token.secret(),
        binding("lab:bootstrap", "system:node-bootstrapper", "Group", "system:bootstrappers"),
        binding("lab:approve-bootstrap", &format!("{csr}:nodeclient"), "Group", APPROVED),
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
