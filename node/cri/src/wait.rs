//! `wait-pod`: waits until all containers of each named pod run.
//!
//! CRI does not say how many containers a pod is to have, so "all" are those that were made, and one of them must be more
//! than an init container. Containers that ended well count as done; one that is made and not started, or ended badly,
//! does not.

use crate::channel::Channel;
use crate::pods::{self, Pod, Runtime};
use crate::proto::runtime::{Container, ContainerState, ContainerStatusRequest, GetEventsRequest};
use crate::{Error, Result, manifest};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::Code;

/// How often is asked where events are not offered.
const POLL: Duration = Duration::from_millis(200);
/// Events can be lost (containerd's queue is bounded), so silence is not believed for longer than this.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);

/// A pod that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What the caller calls it.
    pub name: String,
    /// What kubelet calls it.
    pub full_name: String,
    /// Its containers that only prepare it: it does not run when only these do.
    pub init: Vec<String>,
}

/// The static pods of a node: kubelet appends its node's name to theirs.
pub fn of_node(names: Vec<String>, node: &str) -> Vec<Wanted> {
    let node = node.to_lowercase();
    let wanted =
        |name: String| Wanted { full_name: format!("{name}-{node}"), init: manifest::init_containers_of(&name), name };
    names.into_iter().map(wanted).collect()
}

/// Waits, and calls `running` with each name as its pod runs. It has no deadline: the caller has.
pub async fn wait_pods(channel: &Channel, mut wanted: Vec<Wanted>, mut running: impl FnMut(&str)) -> Result<()> {
    let runtime = pods::runtime(channel);
    // Events first, then the list: what happens in between is in one of them.
    let events = Events::subscribe(&runtime);
    loop {
        let pods = pods::list(&runtime).await?;
        let mut waiting = Vec::new();
        for one in wanted {
            match newest(&pods, &one.full_name) {
                Some(pod) if is_running(&runtime, pod, &one.init).await? => running(&one.name),
                _ => waiting.push(one),
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        wanted = waiting;
        events.next().await;
    }
}

/// A pod may have several sandboxes (after a crash of the node): the newest is the pod.
fn newest<'a>(pods: &'a [Pod], full_name: &str) -> Option<&'a Pod> {
    let named = pods.iter().filter(|pod| pod.name == full_name);
    named.max_by_key(|pod| pod.created_at)
}

async fn is_running(runtime: &Runtime, pod: &Pod, init: &[String]) -> Result<bool> {
    let is_own = |container: &Container| !init.iter().any(|name| name == pods::name(container));
    if !pod.ready || !pod.newest().any(|container| pods::runs(container) && is_own(container)) {
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
    fn the_newest_sandbox_is_the_pod() {
        let pods = [pod("hello-node1", 1), pod("hello-node1", 3), pod("hello-node1", 2)];
        assert_eq!(newest(&pods, "hello-node1").map(|pod| pod.created_at), Some(3));
    }

    #[test]
    fn a_pod_whose_name_only_begins_alike_is_another() {
        let wanted = of_node(vec!["hello".to_owned()], "Node1");
        assert_eq!((wanted[0].name.as_str(), wanted[0].full_name.as_str()), ("hello", "hello-node1"));
        let pods = [pod("hello-world", 1), pod("hello-world-node1", 2), pod("hello", 3), pod("hello-node12", 4)];
        assert_eq!(newest(&pods, &wanted[0].full_name), None);
    }
}
