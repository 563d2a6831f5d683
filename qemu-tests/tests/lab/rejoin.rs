//! The second boot of a node.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use orlop_machine::lab::Token;
use orlop_machine::{turn, within};

use crate::joining::{failing, joined, uid};
use crate::segment::{Segment, segment};

/// First without a good token, then with one, then (booted again) with none at all. Beside it another one, with the public part of
/// a good token and not the secret one, never joins.
#[test]
fn a_machine_waits_for_its_token_joins_and_rejoins_without_one() -> Result<()> {
    let segment = segment()?;
    let kubectl = &segment.kubectl;
    let token = Token::new("again1", "0123456789abcdef");
    let mut expired = token.secret();
    expired["stringData"]["expiration"] = "2020-01-01T00:00:00Z".into();
    kubectl.apply(&expired.to_string())?;
    let wrong = Token::new(&segment.plane().token.id, "fedcba9876543210");
    let turn = Arc::new(turn::take()?);
    let mut guesses = segment.told("guesses", &turn, |config| config.token = Some(wrong.text()))?;
    guesses.machine.memory_mib = 1024;
    let guessing = guesses.start()?;
    let mut node = segment.told("rejoins", &turn, |config| config.token = Some(token.text()))?;
    let running = node.start()?;
    for (name, running) in [("guesses", &guessing), ("rejoins", &running)] {
        let reason = failing(running, "token").context(name)?;
        ensure!(reason.contains("Unauthorized") && reason.contains("kubeadm token create"), "{name}: {reason}");
        ensure!(kubectl.run(&["get", "node", name]).is_err(), "{name} has joined without a right to");
    }
    drop(guessing);

    // What cleans up tokens may have been faster; and a Secret keeps the keys that a later `apply` leaves out.
    kubectl.run(&["delete", "secret", "--namespace=kube-system", "--ignore-not-found", &token.object()])?;
    kubectl.apply(&token.secret().to_string())?;
    joined(&running, "rejoins")?;
    node.ready(&running)?;
    let (before, requests) = (uid(segment, "rejoins")?, requests(segment)?);
    ensure!(requests.len() == 1, "one request, by its token: {requests:?}");
    running.power_off(within(180))?;

    kubectl.run(&["delete", "secret", "--namespace=kube-system", &token.object()])?;
    node.tell(|config| config.token = None);
    let running = node.start()?;
    joined(&running, "rejoins")?;
    node.ready(&running)?;
    ensure!(uid(segment, "rejoins")? == before, "it is another node now");
    ensure!(self::requests(segment)? == requests, "it asked for another certificate");
    running.power_off(within(180))?;
    kubectl.run(&["delete", "node/rejoins"])?;
    Ok(())
}

/// The requests for a client certificate of this node.
fn requests(segment: &Segment) -> Result<BTreeSet<String>> {
    let all = segment.kubectl.get(&["csr"])?;
    let ours = all["items"].as_array().context("requests")?.iter().filter(|request| {
        let user = request["spec"]["username"].as_str().unwrap_or_default();
        let client = request["spec"]["signerName"] == "kubernetes.io/kube-apiserver-client-kubelet";
        client && (user == "system:bootstrap:again1" || user == "system:node:rejoins")
    });
    Ok(ours.filter_map(|request| request["metadata"]["name"].as_str().map(str::to_owned)).collect())
}
