//! When joining does not work: the consoles say which step, the machine stays up, and joins when what is wrong was mended.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use orlop_machine::feed::Mark;
use orlop_machine::lab::{Authority, NodeConfig, Subject, Token, cni};
use orlop_machine::turn::{self, Turn};
use orlop_machine::{Event, Running, within};

use crate::segment::{Node, Segment, segment};

/// Until a machine beside others, under emulation, has booted and failed for the half minute after which it says so.
const SAID: u64 = 300;

/// What each step that does not work is said by.
const STEP: &str = "orlop: join step=";

/// Waits until the console says that this step does not work; its reason and remedy. The end of kubelet's log stands below it.
pub fn failing(running: &Running, step: &str) -> Result<String> {
    let awaited = format!("join step={step}");
    let wanted = |event: &Event| matches!(event, Event::Join { step: found, .. } if found == step);
    // The console's line: the report port has the remedy in a key of its own.
    let said = format!("{STEP}{step} reason=");
    let line = running.wait_line(&said, within(SAID))?;
    running.wait_event(&awaited, within(10), wanted)?;
    // Other lines are quoted before, and the lines below another step are that one's.
    let mut below = false;
    running.wait_since(Mark::default(), &format!("kubelet's log below `{said}`"), within(10), |happening| {
        let line = happening.console()?;
        if line.contains(STEP) {
            below = line.contains(&said);
        }
        (below && quotes_kubelet(line)).then_some(())
    })?;
    line.split_once("reason=").map(|(_, reason)| reason.to_owned()).ok_or_else(|| anyhow!("{line}"))
}

/// Whether the console quotes a line of kubelet's log: klog's begin with how bad it is, month and day (`E1128 `). `orlop-net` and
/// PID 1's own jobs are quoted in the same way, and say other words.
fn quotes_kubelet(line: &str) -> bool {
    let quoted = line.split_once("orlop: | ").map_or("", |(_, quoted)| quoted);
    let Some((header, _)) = quoted.split_once(' ') else { return false };
    let day = header.strip_prefix(['I', 'W', 'E', 'F']);
    day.is_some_and(|day| day.len() == 4 && day.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Waits until the console says that the machine has joined as this node.
pub fn joined(running: &Running, node: &str) -> Result<()> {
    let wanted = |event: &Event| matches!(event, Event::Joined { .. });
    let event = running.wait_event(&format!("joined node={node}"), within(SAID), wanted)?;
    ensure!(matches!(&event, Event::Joined { node: found, .. } if found == node), "{event:?}");
    Ok(())
}

/// What a machine is told otherwise than one that joins.
type Change<'c> = Box<dyn FnOnce(&mut NodeConfig) + 'c>;

fn told<'c>(name: &'static str, change: impl FnOnce(&mut NodeConfig) + 'c) -> (&'static str, Change<'c>) {
    (name, Box::new(change))
}

/// Starts machines at once: they mostly wait.
fn start(machines: Vec<(&'static str, Change<'_>)>) -> Result<Vec<(Node, Running)>> {
    start_in(&Arc::new(turn::take()?), machines)
}

/// The same, in this turn. Who has one and waits for another may wait for ever: the node `one` keeps the second of two.
fn start_in(turn: &Arc<Turn>, machines: Vec<(&'static str, Change<'_>)>) -> Result<Vec<(Node, Running)>> {
    let segment = segment()?;
    let started = machines.into_iter().map(|(name, change)| {
        let mut node = segment.told(name, turn, change)?;
        node.machine.memory_mib = 1024;
        let running = node.start()?;
        Ok((node, running))
    });
    started.collect()
}

/// Waits until a machine says that this step does not work, in these words of kubelet's; the node does not exist.
fn ends_at(segment: &Segment, (node, running): &(Node, Running), step: &str, words: &str) -> Result<()> {
    let reason = failing(running, step).with_context(|| node.name.clone())?;
    ensure!(reason.contains(words), "{}: no `{words}` in {reason}", node.name);
    ensure!(segment.kubectl.run(&["get", "node", &node.name]).is_err(), "{} has joined", node.name);
    Ok(())
}

#[test]
fn an_api_server_that_is_not_there_or_not_the_one_is_named_by_its_step() -> Result<()> {
    let segment = segment()?;
    let other = segment.registry.authority.certificate()?;
    let machines = start(vec![
        told("nowhere", |config| config.server = "https://api.nowhere.test:6443".into()),
        told("refused", |config| config.server = "https://192.0.2.1:6444".into()),
        told("stranger", |config| config.ca = other),
    ])?;
    ends_at(segment, &machines[0], "resolve", "no such host")?;
    ends_at(segment, &machines[1], "connect", "connection refused")?;
    ends_at(segment, &machines[2], "tls", "x509: ")
}

#[test]
fn a_silent_api_server_an_old_certificate_and_an_unapproved_request_are_named_by_their_step() -> Result<()> {
    let segment = segment()?;
    let kubectl = &segment.kubectl;
    // Connections are made by the kernel, and nobody ever says a word on them.
    let _silent = segment.lab.namespace.listen(SocketAddr::from(([192, 0, 2, 1], 6445)))?;
    let old = old_certificate(segment, "outdated")?;
    let token = Token::new("alone1", "0123456789abcdef");
    let mut secret = token.secret();
    secret["stringData"]["auth-extra-groups"] = "system:bootstrappers:unapproved".into();
    kubectl.apply(&secret.to_string())?;
    kubectl.apply(&unwanted("pending"))?;
    let machines = start(vec![
        told("silent", |config| config.server = "https://192.0.2.1:6445".into()),
        told("outdated", |config| (config.token, config.client) = (None, Some(old))),
        told("pending", |config| config.token = Some(token.text())),
    ])?;
    ends_at(segment, &machines[0], "connect", "timeout")?;
    ends_at(segment, &machines[1], "token", "Unauthorized")?;
    ends_at(segment, &machines[2], "certificate", "system:anonymous")?;
    approve(segment, "system:bootstrap:alone1")?;
    // With its certificate it asks for a Node object.
    ends_at(segment, &machines[2], "register", "denied request: nobody wants it")?;
    kubectl.run(&["delete", "validatingadmissionpolicybinding/unwanted", "validatingadmissionpolicy/unwanted"])?;
    joined(&machines[2].1, "pending")?;
    kubectl.run(&["delete", "node/pending"])?;
    Ok(())
}

/// The policy of a cluster that takes no node of this name.
fn unwanted(node: &str) -> String {
    format!(
        r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: unwanted}}
spec:
  matchConstraints:
    resourceRules: [{{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [nodes]}}]
  validations: [{{expression: "object.metadata.name != '{node}'", message: nobody wants it}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: unwanted}}
spec: {{policyName: unwanted, validationActions: [Deny]}}
"#
    )
}

/// A client certificate of the cluster's own authority that was good until 2021, with its key.
pub fn old_certificate(segment: &Segment, node: &str) -> Result<(String, String)> {
    client_certificate(segment, &segment.plane().authority, node, Some(2021))
}

/// A node's client certificate that this authority has issued, with its key: good to the end of that year, or for long.
pub fn client_certificate(
    segment: &Segment,
    authority: &Authority,
    node: &str,
    until: Option<i32>,
) -> Result<(String, String)> {
    let user = format!("system:node:{node}");
    let subject = Subject { name: &user, group: Some("system:nodes"), until, ..Subject::default() };
    let pair = authority.issue(&segment.lab.folder, node, &subject)?;
    Ok((std::fs::read_to_string(pair.certificate)?, std::fs::read_to_string(pair.key)?))
}

/// As an administrator does it.
fn approve(segment: &Segment, user: &str) -> Result<()> {
    let all = segment.kubectl.get(&["csr"])?;
    let ours = all["items"].as_array().into_iter().flatten().filter(|one| one["spec"]["username"] == user);
    for name in ours.filter_map(|one| one["metadata"]["name"].as_str()) {
        segment.kubectl.run(&["certificate", "approve", name])?;
    }
    Ok(())
}

#[test]
fn a_node_without_a_network_or_a_serving_certificate_a_renamed_one_and_a_wiped_one() -> Result<()> {
    let segment = segment()?;
    let kubectl = &segment.kubectl;
    let unconnected = |config: &mut NodeConfig| {
        config.labels.insert(cni::WITHOUT.into(), "yes".into());
    };
    segment.approver.leave("netless");
    let turn = Arc::new(turn::take()?);
    let mut machines = start_in(&turn, vec![told("netless", unconnected), told("before", |_| ())])?;
    let (mut before, running) = machines.pop().context("the second machine")?;
    joined(&running, "before")?;
    before.ready(&running)?;
    let (uid, machine_id) = (uid(segment, "before")?, machine_id(segment, "before")?);
    let requests = segment.requests("before")?;
    running.power_off(within(180))?;
    before.tell(|config| config.hostname = "after".into());
    before.name = "after".into();
    let running = before.start()?;
    let renamed = (before, running);
    ends_at(segment, &renamed, "identity", "before")?;
    let (mut before, running) = renamed;
    running.cut_power();

    before.wipe()?;
    before.tell(|config| config.hostname = "before".into());
    before.name = "before".into();
    let wiped = before.start()?;
    joined(&wiped, "before")?;
    ensure!(segment.requests("before")?.iter().any(|name| !requests.contains(name)), "it came without its token");
    kubectl.watch_one("nodes", "before", within(120), |found| {
        let id = found["status"]["nodeInfo"]["machineID"].as_str()?;
        (id != machine_id).then_some(())
    })?;
    ensure!(self::uid(segment, "before")? == uid, "the Node object is the one that was there");

    let (netless, running) = &machines[0];
    let reason = failing(running, "network")?;
    ensure!(reason.contains("cni"), "{reason}");
    kubectl.run(&["label", "node/netless", &format!("{}-", cni::WITHOUT)])?;
    netless.ready(running)?;
    running.wait_line("orlop: join: step network works now", within(180))?;
    served_by_hand(netless, running)?;
    kubectl.run(&["delete", "node/netless", "node/before"])?;
    Ok(())
}

/// Nobody has approved the node's serving certificate, which it says once it is called; then somebody does.
fn served_by_hand(node: &Node, running: &Running) -> Result<()> {
    let (segment, kubectl) = (node.segment, &node.segment.kubectl);
    let pod = segment.daemon("lab-cni", &node.name)?;
    let logs = ["logs", "--namespace=kube-system", &pod];
    let error = kubectl.run(&logs).err().context("logs by a server without a certificate")?.to_string();
    ensure!(error.contains("tls: internal error"), "{error}");
    let reason = failing(running, "serving")?;
    ensure!(reason.contains("no serving certificate available"), "{reason}");
    approve(segment, &format!("system:node:{}", node.name))?;
    kubectl.until("logs of a pod", within(120), |kubectl| kubectl.run(&logs).map(Some))?;
    Ok(())
}

/// What the machine calls itself, on its state partition: another one once that was wiped.
fn machine_id(segment: &Segment, node: &str) -> Result<String> {
    let node = segment.kubectl.get(&["node", node])?;
    Ok(node["status"]["nodeInfo"]["machineID"].as_str().context("a machine id")?.to_owned())
}

/// Of the Node object, which another object of the same name has not.
pub fn uid(segment: &Segment, node: &str) -> Result<String> {
    let node = segment.kubectl.get(&["node", node])?;
    Ok(node["metadata"]["uid"].as_str().context("a UID")?.to_owned())
}
