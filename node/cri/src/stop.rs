//! `stop-all`: every container gets SIGTERM and its pod's grace period; `kube-system` goes last, because the others
//! may need its network and storage to end well. Only then are the sandboxes stopped: `StopPodSandbox` alone kills.

use crate::channel::Channel;
use crate::pods::{self, Pod, Runtime};
use crate::proto::runtime::{Container, StopContainerRequest, StopPodSandboxRequest};
use crate::{Error, Result};
use std::time::Instant;
use tokio::task::JoinSet;

/// Where kubelet writes a pod's grace period, in seconds, on each of its containers.
const GRACE_PERIOD: &str = "io.kubernetes.pod.terminationGracePeriod";
/// Kubernetes' default, for containers that carry none.
const DEFAULT_GRACE: i64 = 30;
/// The namespace that is stopped last.
const LAST: &str = "kube-system";

/// Stops everything, says a line for each container, and goes on where one fails.
pub async fn stop_all(channel: &Channel, mut say: impl FnMut(&str)) -> Result<()> {
    let runtime = pods::runtime(channel);
    let (last, first): (Vec<Pod>, Vec<Pod>) =
        pods::list(&runtime).await?.into_iter().partition(|pod| pod.namespace == LAST);
    let mut tally = Tally::default();
    for group in [first, last] {
        stop_containers(&runtime, &group, &mut tally, &mut say).await;
        stop_sandboxes(&runtime, &group, &mut tally, &mut say).await;
    }
    match tally.failed {
        0 => Ok(()),
        failed => Err(Error::NotStopped { failed, all: tally.all }),
    }
}

#[derive(Default)]
struct Tally {
    all: usize,
    failed: usize,
}

/// One thing's line, and whether it was stopped.
type Stopped = (String, bool);

async fn stop_containers(runtime: &Runtime, pods: &[Pod], tally: &mut Tally, say: &mut impl FnMut(&str)) {
    let mut stopping = JoinSet::new();
    for pod in pods {
        for container in pod.containers.iter().filter(|container| pods::runs(container)) {
            stopping.spawn(stop_container(runtime.clone(), pod.name.clone(), container.clone()));
        }
    }
    finish(stopping, tally, say).await;
}

async fn stop_container(mut runtime: Runtime, pod: String, container: Container) -> Stopped {
    let since = Instant::now();
    let request = StopContainerRequest { container_id: container.id.clone(), timeout: grace(&container) };
    let stopped = runtime.stop_container(request).await;
    let name = pods::name(&container);
    let outcome = outcome(&stopped);
    let ms = since.elapsed().as_millis();
    (format!("pod={pod} container={name} {outcome} ms={ms}"), stopped.is_ok())
}

async fn stop_sandboxes(runtime: &Runtime, pods: &[Pod], tally: &mut Tally, say: &mut impl FnMut(&str)) {
    let mut stopping = JoinSet::new();
    for pod in pods.iter().filter(|pod| pod.ready) {
        stopping.spawn(stop_sandbox(runtime.clone(), pod.name.clone(), pod.id.clone()));
    }
    finish(stopping, tally, say).await;
}

async fn stop_sandbox(mut runtime: Runtime, pod: String, id: String) -> Stopped {
    let stopped = runtime.stop_pod_sandbox(StopPodSandboxRequest { pod_sandbox_id: id }).await;
    (format!("pod={pod} {}", outcome(&stopped)), stopped.is_ok())
}

async fn finish(mut stopping: JoinSet<Stopped>, tally: &mut Tally, say: &mut impl FnMut(&str)) {
    while let Some(stopped) = stopping.join_next().await {
        let (line, is_stopped) = stopped.unwrap_or_else(|error| (format!("state=failed reason={error}"), false));
        tally.all += 1;
        tally.failed += usize::from(!is_stopped);
        say(&line);
    }
}

fn outcome<T>(stopped: &std::result::Result<T, tonic::Status>) -> String {
    match stopped {
        Ok(_) => "state=stopped".to_owned(),
        Err(status) => format!("state=failed reason={:?}", status.message()),
    }
}

fn grace(container: &Container) -> i64 {
    let annotation = container.annotations.get(GRACE_PERIOD);
    let seconds = annotation.and_then(|text| text.parse().ok());
    seconds.filter(|seconds| *seconds >= 0).unwrap_or(DEFAULT_GRACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grace_period_is_the_pods_or_the_default() {
        let with = |text: &str| Container {
            annotations: [(GRACE_PERIOD.to_owned(), text.to_owned())].into(),
            ..Container::default()
        };
        assert_eq!(grace(&with("0")), 0);
        assert_eq!(grace(&with("45")), 45);
        assert_eq!(grace(&with("-1")), DEFAULT_GRACE);
        assert_eq!(grace(&with("soon")), DEFAULT_GRACE);
        assert_eq!(grace(&Container::default()), DEFAULT_GRACE);
    }
}
