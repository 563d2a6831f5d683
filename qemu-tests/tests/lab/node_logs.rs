//! The logs of the node's own services by way of the API server.

use anyhow::{Result, ensure};

use crate::segment::one;

#[test]
fn kubelets_and_containerds_logs_are_read_through_the_cluster() -> Result<()> {
    let kubectl = &one()?.segment.kubectl;
    let log = |query: &str| kubectl.run(&["get", "--raw", &format!("/api/v1/nodes/one/proxy/logs/?{query}")]);
    for (service, says) in [("kubelet", "Successfully registered node"), ("containerd", "starting containerd")] {
        let text = log(&format!("query={service}"))?;
        ensure!(text.contains(says), "{service}'s log has no `{says}`; its first lines: {:.2000}", text);
    }
    // kubelet answers these with status 200. Options are for a journal, which the node does not have.
    for (query, says) in
        [("query=kubelet&tailLines=1", "try without specifying options"), ("query=nobody", "log not found for nobody")]
    {
        let text = log(query)?;
        ensure!(text.trim().ends_with(says), "{query}: {text:.2000}");
    }
    Ok(())
}
