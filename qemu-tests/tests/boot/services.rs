//! Services that are killed come back, and pods do not notice.

use anyhow::Result;
use orlop_machine::{Event, within};
use serde_json::{Value, json};

use crate::bench::{Bench, Built, HEALTHY};
use crate::probe::Probed;

/// Seconds until a killed service must be healthy again.
const BACK: u64 = 120;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

#[test]
fn killed_services_come_back_and_pods_do_not_notice() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let node = Probed::boot(&bench, bench.throw_away())?;
    node.0.healthy_with_pod("hello")?;
    // Until then a second process of the init binary loads modules, and would be hit by signals to that name.
    node.0.wait_event("ready", within(HEALTHY), |event| matches!(event, Event::Ready { .. }))?;
    let hello = node.pid("hello")?;
    for service in ["kubelet", "containerd"] {
        let before = node.pid(service)?;
        let mark = node.0.mark();
        node.ask(json!({ "do": "kill", "comm": service, "signal": SIGKILL }))?;
        for wanted in ["exited", "started", "healthy"] {
            let is_it =
                |event: &Event| matches!(event, Event::Service { name, what, .. } if name == service && what == wanted);
            node.0.wait_event_since(mark, &format!("{service} {wanted}"), within(BACK), is_it)?;
        }
        assert_ne!(node.pid(service)?, before);
        assert_eq!(node.pid("hello")?, hello, "{service}'s end took the pod's process with it");
    }
    signals_to_pid_1_are_ignored(&node)?;
    a_full_state_loses_no_line_silently(&node)
}

/// A signal that a process sends to PID 1 is said and does nothing: only the kernel and the power key end a node.
fn signals_to_pid_1_are_ignored(node: &Probed) -> Result<()> {
    let mark = node.0.mark();
    node.ask(json!({ "do": "kill", "comm": "init", "signal": SIGTERM }))?;
    node.0.wait_line_since(mark, "orlop: signal: ignored number=15", within(BACK))?;
    Ok(())
}

/// The node stays up on a full disk. Lines that found no room are counted, and the count is said when there is
/// room again.
fn a_full_state_loses_no_line_silently(node: &Probed) -> Result<()> {
    let path = "/host/var/fill";
    let filled = node.ask(json!({ "do": "fill", "path": path, "leave_bytes": 0 }))?;
    assert!(filled["taken"].as_u64() > Some(0), "{filled}");
    let mark = node.0.mark();
    // Its start writes some hundred lines.
    node.ask(json!({ "do": "kill", "comm": "containerd", "signal": SIGKILL }))?;
    node.0.wait_line_since(mark, "log cannot be written", within(BACK))?;
    node.ask(json!({ "do": "unfill", "path": path }))?;
    let recovered = node.0.wait_line_since(mark, "event=log-recovered", within(BACK))?;
    let lost = recovered.split_once("lost_lines=").and_then(|(_, rest)| rest.trim().parse::<u64>().ok());
    assert!(lost.is_some(), "{recovered}");
    let healthy =
        |event: &Event| matches!(event, Event::Service { name, what, .. } if name == "containerd" && what == "healthy");
    node.0.wait_event_since(mark, "containerd healthy", within(BACK), healthy)?;
    let state = node.topic("state")?;
    assert_eq!(state["record"]["version"], Value::from(1), "{state}");
    Ok(())
}
