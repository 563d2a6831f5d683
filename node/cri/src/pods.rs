//! What runs, as CRI tells it: sandboxes with their containers.

use crate::channel::{Channel, LARGEST_ANSWER};
use crate::proto::runtime::runtime_service_client::RuntimeServiceClient;
use crate::proto::runtime::{
    Container, ContainerState, ListContainersRequest, ListPodSandboxRequest, PodSandbox, PodSandboxState,
};
use crate::{Error, Result};

/// CRI's client over the one connection.
pub type Runtime = RuntimeServiceClient<Channel>;

/// A client of CRI.
pub fn runtime(channel: &Channel) -> Runtime {
    Runtime::with_origin(channel.clone(), Channel::origin()).max_decoding_message_size(LARGEST_ANSWER)
}

/// One sandbox and the containers in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pod {
    /// The sandbox's id.
    pub id: String,
    /// The pod's name.
    pub name: String,
    /// The pod's namespace.
    pub namespace: String,
    /// Which of several sandboxes of the same pod: the newest counts.
    pub created_at: i64,
    /// Whether the sandbox is ready.
    pub ready: bool,
    /// Its containers, older attempts too.
    pub containers: Vec<Container>,
}

impl Pod {
    /// The newest attempt of each container: kubelet keeps the ended ones for their logs.
    pub fn newest(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| {
            let rivals = self.containers.iter().filter(|other| name(other) == name(container));
            rivals.map(age).max() == Some(age(container))
        })
    }
}

/// A container's name within its pod.
pub fn name(container: &Container) -> &str {
    match &container.metadata {
        Some(metadata) => &metadata.name,
        None => "",
    }
}

fn age(container: &Container) -> (u32, i64) {
    let attempt = container.metadata.as_ref().map_or(0, |metadata| metadata.attempt);
    (attempt, container.created_at)
}

/// All pods. Sandboxes are asked for first: a container whose sandbox came after that is left out, and seen next time.
pub async fn list(runtime: &Runtime) -> Result<Vec<Pod>> {
    let sandboxes = runtime.clone().list_pod_sandbox(ListPodSandboxRequest {}).await;
    let sandboxes = sandboxes.map_err(Error::call("listing pods"))?.into_inner().items;
    let containers = runtime.clone().list_containers(ListContainersRequest {}).await;
    let containers = containers.map_err(Error::call("listing containers"))?.into_inner().containers;
    Ok(sandboxes.into_iter().map(|sandbox| pod(sandbox, &containers)).collect())
}

fn pod(sandbox: PodSandbox, containers: &[Container]) -> Pod {
    let ready = sandbox.state() == PodSandboxState::SandboxReady;
    let metadata = sandbox.metadata.unwrap_or_default();
    let own = containers.iter().filter(|container| container.pod_sandbox_id == sandbox.id);
    Pod {
        containers: own.cloned().collect(),
        id: sandbox.id,
        name: metadata.name,
        namespace: metadata.namespace,
        created_at: sandbox.created_at,
        ready,
    }
}

/// Whether the container runs.
pub fn runs(container: &Container) -> bool {
    container.state() == ContainerState::ContainerRunning
}
