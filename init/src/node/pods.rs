//! Waiting for the static pods, which `cri wait-pod` tells of.

use super::Node;
use crate::report::{Event, Refusal, Report, now_ms};
use crate::services::Purpose;

/// Starts the wait, when there is something to wait for.
pub fn start(node: &mut Node) -> Result<(), Refusal> {
    if node.settings.static_pods.is_empty() {
        return Ok(());
    }
    let pods = node.settings.static_pods.clone();
    let arguments: Vec<&str> = ["cri", "wait-pod"].into_iter().chain(pods.iter().map(String::as_str)).collect();
    node.start_job(Purpose::Pods, &arguments).map_err(|error| Refusal::new("pods", error))
}

/// Whether all of them run. A wait that fails (containerd was restarted) is begun anew.
pub fn done(node: &mut Node) -> Result<bool, Refusal> {
    for end in node.take_ended(Purpose::Pods) {
        if let Err(error) = end {
            node.report.error("pods", error);
            start(node)?;
        }
    }
    Ok(!node.jobs.iter().any(|job| job.purpose == Purpose::Pods))
}

/// A line of the wait.
pub fn line(report: &mut Report, line: &str) {
    match line.strip_prefix("pod=").and_then(|rest| rest.strip_suffix(" state=running")) {
        Some(name) => report.tell(&Event::Pod { name: name.to_owned(), ms: now_ms() }),
        None => report.quote(line),
    }
}
