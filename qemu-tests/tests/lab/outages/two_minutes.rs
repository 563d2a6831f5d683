//! The API server gone for two minutes, for everybody; on a network that gives addresses of IPv6 as well.

use anyhow::{Result, ensure};
use orlop_machine::lab::Lease;
use orlop_machine::within;

use super::steady::Steady;
use crate::dual_stack;
use crate::segment::alone_on;

/// How long it is away, in seconds of the node's own.
const AWAY: u64 = 120;

#[test]
fn two_minutes_without_an_api_server_are_no_matter_to_pods() -> Result<()> {
    let segment = alone_on("two-minutes", &Lease { ipv6: true, ..Lease::default() })?;
    let kubectl = &segment.kubectl;
    let node = segment.machine("patient")?;
    let running = node.join()?;
    dual_stack::has_what_the_network_gives(&node)?;
    segment.approver.approved("patient", within(60))?;
    let steady = Steady::start(segment, "patient")?;
    kubectl.apply(r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "b"}}"#)?;

    segment.plane().stop_apiserver();
    ensure!(kubectl.run(&["get", "--raw", "/readyz"]).is_err(), "nobody listens there any more");
    let before = steady.ticks()?;
    kubectl.until("two minutes", within(4 * AWAY), |_| {
        Ok(steady.ticks().map_err(|error| orlop_machine::Error::Lab(error.to_string()))?.checked_sub(before + AWAY))
    })?;
    segment.plane().start_apiserver(&segment.lab)?;

    ensure!(kubectl.get(&["configmap", "kept"])?["data"]["a"] == "b", "what it had");
    kubectl.wait("node/patient", "condition=Ready", within(120))?;
    // The node works with it again: it takes a new pod, and says what became of it.
    steady.short("afterwards")?;
    kubectl.wait("pod/afterwards", "jsonpath={.status.phase}=Succeeded", within(180))?;
    steady.untouched()?;
    drop(running);
    Ok(())
}
