//! kubelet's certificates are renewed before they end: its client's and its server's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_machine::lab::{ControlPlane, Watch};
use orlop_machine::{Running, turn, within};
use serde_json::Value;
use x509_cert::Certificate;
use x509_cert::der::DecodePem;

use crate::joining::client_certificate;
use crate::segment::{Node, alone_with};

/// How long certificates are good. The signer has them begin five minutes earlier, and kubelet renews them when 70 to 90 % of all
/// that time is over: two to four minutes after it got them.
const LIFE: Duration = Duration::from_secs(300);
/// Seconds from one certificate to the next; some are left for clocks that do not agree. A second request that comes sooner is for
/// another reason (other addresses), and one that comes later left the node without.
const RENEWED: std::ops::Range<u64> = 110..LIFE.as_secs();
/// Who signs: for the client, and for the server.
const SIGNERS: [&str; 2] = ["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"];
/// The node as a user.
const ITSELF: &str = "system:node:renews";

/// The other node, which was given a certificate in place of a token.
const GIVEN: &str = "given";
/// Where the API server says by which certificate somebody has asked (`CredentialIDKey` of k8s.io/apiserver).
const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

/// When each certificate of a signer ends, in seconds since 1970, and who asked for it; in order.
type Signed = BTreeMap<u64, String>;

#[test]
fn a_node_renews_both_of_its_certificates_and_outlives_the_first_ones() -> Result<()> {
    let segment = alone_with("rotation", |lab| ControlPlane::start_signing(lab, LIFE))?;
    let kubectl = &segment.kubectl;
    let watch = kubectl.watch(&["csr"])?;
    let turn = Arc::new(turn::take()?);
    let pair = client_certificate(segment, &segment.plane().authority, GIVEN, None)?;
    let given = segment.told(GIVEN, &turn, |config| (config.token, config.client) = (None, Some(pair)))?;
    let running_too = given.start()?;
    let node = segment.told("renews", &turn, |_| ())?;
    let running = node.join()?;
    let by_token = format!("system:bootstrap:{}", segment.plane().token.id);
    let mut last = 0;
    for (signed, users) in two_of_each(&watch)?.iter().zip([[by_token.as_str(), ITSELF], [ITSELF, ITSELF]]) {
        let (ends, asked): (Vec<u64>, Vec<&str>) =
            signed.iter().map(|(end, user)| (*end, user.as_str())).take(2).unzip();
        ensure!(asked == users, "{signed:?}");
        ensure!(RENEWED.contains(&(ends[1] - ends[0])), "{signed:?}");
        last = last.max(ends[0]);
    }

    // With the first ones nobody would take what kubelet says of its pods, nor what it serves.
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let limit = within(2 * LIFE.as_secs());
    kubectl.until("end of the first certificates", limit, |_| Ok((now() > last).then_some(())))?;
    let image = &segment.busybox.digest;
    kubectl.apply(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: later}}, spec: {{nodeName: renews, restartPolicy: Never, \
         containers: [{{name: it, image: \"{image}\", command: [/bin/echo, still here]}}]}}}}"
    ))?;
    kubectl.wait("pod/later", "jsonpath={.status.phase}=Succeeded", within(180))?;
    ensure!(kubectl.run(&["logs", "later"])?.trim() == "still here", "logs");
    segment.ready_since("renews")?;
    asks_by_its_own(&given, &running_too)?;
    drop((running, running_too));
    Ok(())
}

/// The node asks for its first certificate by the one that it was given, and for the next one by its first: the given one may
/// have run out by then.
fn asks_by_its_own(given: &Node, running: &Running) -> Result<()> {
    given.ready(running)?;
    let user = format!("system:node:{GIVEN}");
    let asked =
        given.segment.kubectl.until("two certificates of the other node", within(2 * LIFE.as_secs()), |kubectl| {
            let all = kubectl.get(&["csr", "--sort-by=.metadata.creationTimestamp"])?;
            let its = |one: &&Value| {
                let spec = &one["spec"];
                spec["username"] == user && spec["signerName"] == SIGNERS[0] && one["status"]["certificate"].is_string()
            };
            let by = |one: &Value| one["spec"]["extra"][CREDENTIAL][0].as_str().map(str::to_owned);
            let asked: Vec<Option<String>> =
                all["items"].as_array().into_iter().flatten().filter(its).map(by).collect();
            Ok((asked.len() >= 2).then_some(asked))
        })?;
    ensure!(asked.iter().all(Option::is_some), "by which certificates it asked: {asked:?}");
    ensure!(asked[0] != asked[1], "it asked for both by the one that it was given: {asked:?}");
    Ok(())
}

/// Waits until each signer has signed two.
fn two_of_each(watch: &Watch) -> Result<[Signed; 2]> {
    let deadline = Instant::now() + within(2 * LIFE.as_secs());
    let mut all = [Signed::new(), Signed::new()];
    while all.iter().any(|signed| signed.len() < 2) {
        let seen = watch.next(deadline).with_context(|| format!("no two of each of {SIGNERS:?}: {all:?}"))?;
        let (spec, status) = (&seen.object["spec"], &seen.object["status"]);
        if spec["username"] == format!("system:node:{GIVEN}") {
            continue;
        }
        let signer = SIGNERS.iter().position(|signer| spec["signerName"] == *signer);
        let (Some(signer), Some(text)) = (signer, status["certificate"].as_str()) else { continue };
        let user = spec["username"].as_str().context("who asks")?;
        all[signer].insert(end(text)?, user.to_owned());
    }
    Ok(all)
}

/// When a certificate ends that a request has: PEM in base64.
fn end(text: &str) -> Result<u64> {
    let certificate = Certificate::from_pem(STANDARD.decode(text)?)?;
    Ok(certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
}
