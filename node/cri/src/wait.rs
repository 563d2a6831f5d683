//! `wait-pod`: waits until all containers of each named pod run.
//!
//! CRI does not say how many containers a pod is to have, so "all" are those that were made. Containers that ended
//! well (init containers) count as done; one that is made and not started, or ended badly, does not.

use crate::channel::Channel;
use crate::pods::{self, Pod, Runtime};
use crate::proto::runtime::{Container, ContainerState, ContainerStatusRequest, GetEventsRequest};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::Code;

/// How often is asked where events are not offered.
const POLL: Duration = Duration::from_millis(200);
/// Events can be lost (containerd's queue is bounded), so silence is not believed for longer than this.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);

/// Waits, and calls `running` with each name as its pod runs. It has no deadline: the caller has.
pub async fn wait_pods(channel: &Channel, mut names: Vec<String>, mut running: impl FnMut(&str)) -> Result<()> {
    let runtime = pods::runtime(channel);
    // Events first, then the list: what happens in between is in one of them.
    let events = Events::subscribe(&runtime);
    loop {
        let pods = pods::list(&runtime).await?;
        let mut waiting = Vec::new();
        for name in names {
            match newest(&pods, &name) {
                Some(pod) if is_running(&runtime, pod).await? => running(&name),
                _ => waiting.push(name),
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        names = waiting;
        events.next().await;
    }
}

/// A pod may have several sandboxes (after a crash of the node): the newest is the pod.
fn newest<'a>(pods: &'a [Pod], name: &str) -> Option<&'a Pod> {
    let named = pods.iter().filter(|pod| pod_is(pod, name));
    named.max_by_key(|pod| pod.created_at)
}

/// A static pod's mirror name ends in the node's name, which the caller need not know.
fn pod_is(pod: &Pod, name: &str) -> bool {
    let suffix = pod.name.strip_prefix(name);
    suffix.is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('-'))
}

async fn is_running(runtime: &Runtime, pod: &Pod) -> Result<bool> {
    if !pod.ready || !pod.newest().any(pods::runs) {
        return Ok(false);
    }
    for container in pod.newest().filter(|container| !pods::runs(container)) {
        if container.state() != ContainerState::ContainerExited || !ended_well(runtime, container).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn ended_well(runtime: &Runtime, container: &Container) -> Result<bool> {
    let request = ContainerStatusRequest { container_id: container.id.clone() };
    match runtime.clone().container_status(request).await {
        Ok(answer) => Ok(answer.into_inner().status.is_some_and(|status| status.exit_code == 0)),
        // Removed since it was listed: the next list does not have it.
        Err(status) if status.code() == Code::NotFound => Ok(false),
        Err(status) => Err(Error::call(format!("container {}", container.id))(status)),
    }
}

/// When to look again: containerd's events, or the clock where they are not offered.
struct Events {
    happened: Arc<Notify>,
    listening: JoinHandle<()>,
}

impl Events {
    /// Listens beside the caller: the answer's headers come only with the first event. A refusal is not an error.
    fn subscribe(runtime: &Runtime) -> Self {
        let happened = Arc::new(Notify::new());
        let listening = tokio::spawn(listen(runtime.clone(), Arc::clone(&happened)));
        Self { happened, listening }
    }

    async fn next(&self) {
        let patience = if self.listening.is_finished() { POLL } else { LONGEST_SILENCE };
        // Either way it is time to look.
        let _ = tokio::time::timeout(patience, self.happened.notified()).await;
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Ends when there are no more events.
async fn listen(mut runtime: Runtime, happened: Arc<Notify>) {
    if let Ok(answer) = runtime.get_container_events(GetEventsRequest {}).await {
        let mut events = answer.into_inner();
        while let Ok(Some(_)) = events.message().await {
            happened.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, created_at: i64) -> Pod {
        Pod {
            id: format!("{name}-{created_at}"),
            name: name.to_owned(),
            namespace: "default".to_owned(),
            created_at,
            ready: true,
            containers: Vec::new(),
        }
    }

    #[test]
    fn the_newest_sandbox_is_the_pod_and_the_nodes_name_may_follow() {
        let pods = [pod("hello-node1", 1), pod("hello-node1", 3), pod("hellofresh", 9)];
        assert_eq!(newest(&pods, "hello").map(|pod| pod.created_at), Some(3));
        assert_eq!(newest(&pods, "hell"), None);
        assert_eq!(newest(&pods, "hellofresh").map(|pod| pod.created_at), Some(9));
    }
}
