//! The plug pulled from a node whose pods run.

use anyhow::{Result, ensure};
use orlop_machine::lab::condition;
use orlop_machine::{Running, within};

use super::steady::{REPOSITORY, Steady};
use crate::segment::Node;

/// Cuts the power and boots the same disk: Ready again, the pods run again, and none of their images is pulled.
pub fn cut(node: &Node, running: Running, steady: &Steady) -> Result<Running> {
    let (kubectl, registry) = (&node.segment.kubectl, &node.segment.registry.service);
    let boot = kubectl.get(&["node", &node.name])?["status"]["nodeInfo"]["bootID"].clone();
    let mark = registry.mark();
    running.cut_power();
    let running = node.start()?;
    kubectl.watch_one("nodes", &node.name, within(300), |found| {
        let ready = condition(found, "Ready")?["status"] == "True";
        (ready && found["status"]["nodeInfo"]["bootID"] != boot).then_some(())
    })?;
    steady.restarted_once()?;
    let asked = registry.lines_since(mark, &format!("/v2/{REPOSITORY}/"));
    ensure!(asked.is_empty(), "the registry was asked for their image: {asked:?}");
    Ok(running)
}
