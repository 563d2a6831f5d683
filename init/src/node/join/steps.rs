//! The steps of joining, what a person does when one of them does not work, and by which words of kubelet's log each is
//! known. The words are kubelet 1.37's: a new minor release is held against them by the lab's tests, which have a real
//! kubelet fail at each step.

use super::line::Line;

/// A step of joining, in the order in which they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The API server's name → an address.
    Resolve,
    /// An address → somebody who answers.
    Connect,
    /// Who answers → the API server, by its certificate.
    Tls,
    /// The right to ask for a client certificate.
    Token,
    /// The request → a client certificate.
    Certificate,
    /// The client certificate → a user that the API server knows.
    Identity,
    /// The user → a Node object.
    Register,
    /// The Node object → a node that pods can run on.
    Network,
    /// What the API server needs to reach kubelet.
    Serving,
    /// Not joined, and kubelet says nothing of why.
    Unknown,
}

/// All of them, in order.
pub const STEPS: [Step; 10] = [
    Step::Resolve,
    Step::Connect,
    Step::Tls,
    Step::Token,
    Step::Certificate,
    Step::Identity,
    Step::Register,
    Step::Network,
    Step::Serving,
    Step::Unknown,
];

impl Step {
    /// Its name on the consoles.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What to do, in a line. The whole of it is `docs/joining.md`.
    pub fn remedy(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Step::Resolve => {
                ("resolve", "check the name in `cluster.server`, and the name servers in `network.dns` or DHCP")
            }
            Step::Connect => {
                ("connect", "check address and port in `cluster.server`, the API server, firewalls, `proxy`")
            }
            Step::Tls => ("tls", "check `cluster.ca`, the names in the API server's certificate, the clocks"),
            Step::Token => ("token", "give a token (or client certificate) that is good: `kubeadm token create`"),
            Step::Certificate => {
                ("certificate", "approve the request: `kubectl get csr`, `kubectl certificate approve NAME`")
            }
            Step::Identity => {
                ("identity", "give the machine its former name and cluster, or wipe its state and give it a token")
            }
            Step::Register => ("register", "see what the API server refuses: admission, the authorization mode `Node`"),
            Step::Network => {
                ("network", "install the cluster's CNI plugin, or see why its pod on this node does not run")
            }
            Step::Serving => {
                ("serving", "approve the request for a serving certificate: `kubectl get csr`, docs/lab.md")
            }
            Step::Unknown => ("unknown", "see kubelet's log, /var/log/kubelet.log"),
        }
    }

    /// Whether the node joined when this is what is left.
    pub fn follows_joining(self) -> bool {
        matches!(self, Step::Network | Step::Serving)
    }
}

/// `pkg/kubelet/kubelet_node_status.go`: registration.
const STATUS: &str = "kubelet_node_status.go";
/// `client-go/util/certificate/certificate_manager.go`: requests for certificates.
const MANAGER: &str = "certificate_manager.go";
/// `pkg/kubelet/kubelet.go`.
const KUBELET: &str = "kubelet.go";
/// What net/http says of a handshake, by `component-base/logs`: the file is the one that called Go's `log`, which 1.37 finds no
/// more.
const HTTP: [&str; 2] = ["???", "log.go"];
/// `pkg/kubelet/kubelet.go`, says it to who calls while nobody has approved its request.
const NO_SERVING: &str = "no serving certificate available for the kubelet";
/// `component-base/cli/run.go`: why kubelet ends.
const RUN: &str = "run.go";
/// Who tells the error of a call to the API server, besides: `client-go/tools/cache/reflector.go` (each watch),
/// `component-helpers/apimachinery/lease/controller.go`, `client-go/tools/record/event.go`.
const CALLERS: [&str; 5] = [STATUS, MANAGER, "reflector.go", "controller.go", "event.go"];

/// Who says it.
#[derive(Debug, Clone, Copy)]
enum By {
    /// This source file.
    File(&'static str),
    /// Whoever calls the API server.
    Caller,
}

/// A line by one of them that has these words is of this step. The first that fits counts.
const RULES: &[(By, &str, Step)] = &[
    // Go's net: `dial tcp: lookup api.example on 192.0.2.1:53: no such host`, and whatever else a lookup ends by.
    (By::Caller, "dial tcp: lookup ", Step::Resolve),
    // Go's crypto: of the server's certificate, of a protocol that nobody speaks.
    (By::Caller, "x509: ", Step::Tls),
    (By::Caller, "tls: ", Step::Tls),
    (By::Caller, "server gave HTTP response to HTTPS client", Step::Tls),
    // Go's net and net/http.
    (By::Caller, "connection refused", Step::Connect),
    (By::Caller, "connection reset by peer", Step::Connect),
    (By::Caller, "no route to host", Step::Connect),
    (By::Caller, "network is unreachable", Step::Connect),
    (By::Caller, "i/o timeout", Step::Connect),
    (By::Caller, "TLS handshake timeout", Step::Connect),
    (By::Caller, "Client.Timeout exceeded", Step::Connect),
    (By::Caller, "context deadline exceeded", Step::Connect),
    (By::Caller, "proxyconnect ", Step::Connect),
    (By::Caller, ": EOF", Step::Connect),
    // apimachinery's errors: HTTP 503.
    (By::Caller, "currently unable to handle the request", Step::Connect),
    // plugin/pkg/admission/noderestriction: a certificate of another node's name.
    (By::File(MANAGER), "can only create a node CSR with CN=", Step::Identity),
    (By::File(STATUS), "is not allowed to modify node", Step::Identity),
    // HTTP 401 and 403 to the request for a certificate.
    (By::File(MANAGER), "Unauthorized", Step::Token),
    (By::File(MANAGER), "forbidden", Step::Token),
    (By::File(MANAGER), "is denied, reason", Step::Certificate),
    (By::File(MANAGER), "request failed, reason", Step::Certificate),
    (By::File(MANAGER), "Certificate request was not signed", Step::Certificate),
    // Without a certificate kubelet asks as nobody.
    (By::Caller, "system:anonymous", Step::Certificate),
    (By::Caller, "Unauthorized", Step::Identity),
    // cmd/kubelet/app/server.go cannot read the certificate of an earlier boot.
    (By::File(RUN), "kubelet-client-current.pem", Step::Identity),
    (By::File(STATUS), "Unable to register node with API server", Step::Register),
    (By::File(KUBELET), "Container runtime network not ready", Step::Network),
    (By::File(HTTP[0]), NO_SERVING, Step::Serving),
    (By::File(HTTP[1]), NO_SERVING, Step::Serving),
];

/// What a line of kubelet's means for joining.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The node, of this name, is registered.
    Joined(String),
    /// A step does not work; kubelet's words for it.
    Fails(Step, String),
}

/// What a line means; `None` for all but a few.
pub fn meaning(line: &[u8], has_certificate: impl FnOnce() -> bool) -> Option<Meaning> {
    let text = String::from_utf8_lossy(line);
    let line = Line::parse(&text)?;
    if line.file == STATUS && line.rest.starts_with("\"Successfully registered node\"") {
        return Some(Meaning::Joined(line.value("node").unwrap_or_default()));
    }
    // The request for a serving certificate comes after joining, and says the same words.
    if line.rest.contains("kubelet-serving") {
        return None;
    }
    let says = |by: &By, words: &str| {
        let speaks = match by {
            By::File(file) => line.file == *file,
            By::Caller => CALLERS.contains(&line.file),
        };
        speaks && line.rest.contains(words)
    };
    let step = RULES.iter().find(|(by, words, _)| says(by, words))?.2;
    // An API server without anonymous requests says 401 to a kubelet that waits for its first certificate, too.
    let step = if step == Step::Identity && line.rest.contains("Unauthorized") && !has_certificate() {
        Step::Certificate
    } else {
        step
    };
    Some(Meaning::Fails(step, line.reason()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(line: &str, has_certificate: bool) -> Option<Step> {
        match meaning(line.as_bytes(), || has_certificate)? {
            Meaning::Fails(step, _) => Some(step),
            Meaning::Joined(_) => None,
        }
    }

    /// Lines as kubelet 1.37.2 writes them, and one of before. That a node says each step is shown in the lab
    /// (`qemu-tests/tests/lab/joining.rs`).
    const SAID: &[(&str, Step)] = &[
        (
            r#"E1128 21:13:00.123456     188 certificate_manager.go:605] "Failed while requesting a signed certificate from the control plane" err="cannot create certificate signing request: Post \"https://api.nowhere.test:6443/apis/certificates.k8s.io/v1/certificatesigningrequests\": dial tcp: lookup api.nowhere.test on 192.0.2.1:53: no such host" logger="kubernetes.io/kube-apiserver-client-kubelet.UnhandledError""#,
            Step::Resolve,
        ),
        (
            r#"E1128 21:13:00.1     188 reflector.go:227] "Failed to watch" err="failed to list *v1.Node: Get \"https://192.0.2.1:6444/api/v1/nodes\": dial tcp 192.0.2.1:6444: connect: connection refused" logger="UnhandledError""#,
            Step::Connect,
        ),
        (
            r#"E1128 21:13:00.1     188 controller.go:208] "Failed to ensure lease exists, will retry" err="Get \"https://192.0.2.1:6443/\": net/http: TLS handshake timeout" interval="200ms""#,
            Step::Connect,
        ),
        (
            r#"E1128 21:13:00.1     188 kubelet_node_status.go:108] "Unable to register node with API server" err="Post \"https://192.0.2.1:6443/api/v1/nodes\": tls: failed to verify certificate: x509: certificate signed by unknown authority" node="one""#,
            Step::Tls,
        ),
        (
            r#"E1128 21:13:00.1     188 certificate_manager.go:605] "Failed while requesting a signed certificate from the control plane" err="cannot create certificate signing request: Unauthorized" logger="kubernetes.io/kube-apiserver-client-kubelet.UnhandledError""#,
            Step::Token,
        ),
        (
            r#"E1128 21:13:00.1     188 reflector.go:227] "Failed to watch" err="failed to list *v1.Node: nodes \"one\" is forbidden: User \"system:anonymous\" cannot list resource \"nodes\" in API group \"\" at the cluster scope" logger="UnhandledError""#,
            Step::Certificate,
        ),
        (
            r#"E1128 21:13:00.1     188 kubelet_node_status.go:108] "Unable to register node with API server" err="nodes \"one\" is forbidden: node \"two\" is not allowed to modify node \"one\"" node="one""#,
            Step::Identity,
        ),
        (
            r#"E1128 21:13:00.1     188 kubelet_node_status.go:108] "Unable to register node with API server" err="admission webhook \"no.example\" denied the request" node="one""#,
            Step::Register,
        ),
        (
            r#"I1128 21:13:00.1     188 kubelet.go:3343] "Container runtime network not ready" networkReady="NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized""#,
            Step::Network,
        ),
        (
            r#"I1130 14:26:54.452758   24625 ???:1] "http: TLS handshake error from 192.0.2.1:37816: no serving certificate available for the kubelet""#,
            Step::Serving,
        ),
        (
            "I1128 21:13:00.1     188 log.go:245] http: TLS handshake error from 192.0.2.1:40000: no serving certificate available for the kubelet",
            Step::Serving,
        ),
    ];

    #[test]
    fn each_step_is_known_by_kubelets_words() {
        for (line, want) in SAID {
            assert_eq!(step(line, false), Some(*want), "{line}");
        }
        let of = SAID.iter().map(|(_, step)| *step);
        let missing: Vec<_> = STEPS.iter().filter(|step| !of.clone().any(|it| it == **step)).collect();
        assert_eq!(missing, [&Step::Unknown]);
    }

    #[test]
    fn unauthorized_is_the_certificates_fault_only_where_there_is_one() {
        let line = r#"E1128 21:13:00.1     188 reflector.go:227] "Failed to watch" err="failed to list *v1.Node: Unauthorized""#;
        assert_eq!((step(line, true), step(line, false)), (Some(Step::Identity), Some(Step::Certificate)));
    }

    #[test]
    fn words_of_others_mean_nothing() {
        for line in [
            // A pod's image.
            r#"E1128 21:13:00.1     188 pod_workers.go:1324] "Error syncing pod, skipping" err="x509: certificate signed by unknown authority""#,
            // A request for a serving certificate.
            r#"E1128 21:13:00.1     188 certificate_manager.go:622] "Certificate request was not signed" err="timed out" logger="kubernetes.io/kubelet-serving.UnhandledError""#,
            // What a pod can bring into a line.
            r#"I1128 21:13:00.1     188 event.go:389] "Event occurred" message="kubelet_node_status.go:78] \"Successfully registered node\" node=\"evil\"""#,
            "\"Successfully registered node\" node=\"one\"",
        ] {
            assert_eq!(meaning(line.as_bytes(), || true), None, "{line}");
        }
    }

    #[test]
    fn a_registered_node_has_joined() {
        let line = br#"I1128 21:13:00.1     188 kubelet_node_status.go:78] "Successfully registered node" node="one""#;
        assert_eq!(meaning(line, || false), Some(Meaning::Joined("one".into())));
    }

    #[test]
    fn the_manual_names_each_step_with_its_remedy() {
        let manual = include_str!("../../../../docs/joining.md");
        for step in STEPS {
            let row = manual.lines().find(|line| line.starts_with(&format!("| `{}` |", step.name())));
            let row = row.unwrap_or_else(|| panic!("docs/joining.md has no row for {}", step.name()));
            assert!(row.contains(step.remedy()), "{row}\nhas not: {}", step.remedy());
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(bytes: Vec<u8>, text in "\\PC*") {
            let _ = meaning(&bytes, || true);
            let _ = meaning(format!("E1128 21:13:00.1 188 reflector.go:227] {text}").as_bytes(), || true);
        }
    }
}
