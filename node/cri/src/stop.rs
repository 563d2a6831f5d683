//! `stop-all`: every container gets SIGTERM and its pod's grace period; `kube-system` goes last, because the others
//! may need its network and storage to end well. Only then are the sandboxes stopped: `StopPodSandbox` alone kills.
//!
//! Whoever asks has a deadline. A container that takes longer than there is time for, or a call that is never answered,
//! must not take it from those that come later: each group has a share of the time, and what it leaves goes to the next.

use crate::channel::Channel;
use crate::pods::{self, Pod, Runtime};
use crate::proto::runtime::{Container, StopContainerRequest, StopPodSandboxRequest};
use crate::{Error, Result};
use std::future::Future;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Where kubelet writes a pod's grace period, in seconds, on each of its containers.
const GRACE_PERIOD: &str = "io.kubernetes.pod.terminationGracePeriod";
/// Kubernetes' default, for containers that carry none.
const DEFAULT_GRACE: i64 = 30;
/// The namespace that is stopped last.
const LAST: &str = "kube-system";

/// The first group's share of the time: 2 of 3.
const SHARE: (u32, u32) = (2, 3);
/// What a group's time leaves for those that are killed at the end of their grace, and then for the sandboxes.
const RESERVE: Duration = Duration::from_secs(10);
/// As good as for ever.
const UNBOUNDED: Duration = Duration::from_secs(365 * 24 * 3600);

/// Stops everything, says a line for each container, and goes on where one fails; within a time, if there is one.
pub async fn stop_all(channel: &Channel, within: Option<Duration>, mut say: impl FnMut(&str)) -> Result<()> {
    let within = within.unwrap_or(UNBOUNDED);
    let end = Instant::now() + within;
    let runtime = pods::runtime(channel);
    let pods = timeout_at(end, pods::list(&runtime)).await.map_err(|_| Error::Silent { what: "listing pods" })??;
    let (last, first): (Vec<Pod>, Vec<Pod>) = pods.into_iter().partition(|pod| pod.namespace == LAST);
    let share = if last.is_empty() { within } else { within * SHARE.0 / SHARE.1 };
    let mut tally = Tally::default();
    for (group, end) in [(first, end - (within - share)), (last, end)] {
        let time = Time::until(end);
        stop_containers(&runtime, &group, time, &mut tally, &mut say).await;
        stop_sandboxes(&runtime, &group, time, &mut tally, &mut say).await;
    }
    match tally.failed {
        0 => Ok(()),
        failed => Err(Error::NotStopped { failed, all: tally.all }),
    }
}

/// A group's time.
#[derive(Clone, Copy)]
struct Time {
    /// No container's grace is longer.
    grace: Duration,
    /// The containers' calls end here.
    containers: Instant,
    /// The sandboxes' too.
    end: Instant,
}

impl Time {
    fn until(end: Instant) -> Self {
        let left = end.saturating_duration_since(Instant::now());
        let reserve = RESERVE.min(left / 2);
        Time { grace: left - reserve, containers: end - reserve / 2, end }
    }
}

#[derive(Default)]
struct Tally {
    all: usize,
    failed: usize,
}

/// One thing's line, and whether it was stopped.
type Stopped = (String, bool);

async fn stop_containers(runtime: &Runtime, pods: &[Pod], time: Time, tally: &mut Tally, say: &mut impl FnMut(&str)) {
    let mut stopping = JoinSet::new();
    for pod in pods {
        for container in pod.containers.iter().filter(|container| pods::runs(container)) {
            stopping.spawn(stop_container(runtime.clone(), pod.name.clone(), container.clone(), time));
        }
    }
    finish(stopping, tally, say).await;
}

async fn stop_container(mut runtime: Runtime, pod: String, container: Container, time: Time) -> Stopped {
    let since = Instant::now();
    let timeout = grace(&container).min(time.grace.as_secs().try_into().unwrap_or(i64::MAX));
    let request = StopContainerRequest { container_id: container.id.clone(), timeout };
    let (outcome, is_stopped) = outcome(time.containers, runtime.stop_container(request)).await;
    let name = pods::name(&container);
    let ms = since.elapsed().as_millis();
    (format!("pod={pod} container={name} {outcome} ms={ms}"), is_stopped)
}

async fn stop_sandboxes(runtime: &Runtime, pods: &[Pod], time: Time, tally: &mut Tally, say: &mut impl FnMut(&str)) {
    let mut stopping = JoinSet::new();
    for pod in pods.iter().filter(|pod| pod.ready) {
        stopping.spawn(stop_sandbox(runtime.clone(), pod.name.clone(), pod.id.clone(), time.end));
    }
    finish(stopping, tally, say).await;
}

async fn stop_sandbox(mut runtime: Runtime, pod: String, id: String, end: Instant) -> Stopped {
    let (outcome, is_stopped) =
        outcome(end, runtime.stop_pod_sandbox(StopPodSandboxRequest { pod_sandbox_id: id })).await;
    (format!("pod={pod} {outcome}"), is_stopped)
}

async fn finish(mut stopping: JoinSet<Stopped>, tally: &mut Tally, say: &mut impl FnMut(&str)) {
    while let Some(stopped) = stopping.join_next().await {
        let (line, is_stopped) = stopped.unwrap_or_else(|error| (format!("state=failed reason={error}"), false));
        tally.all += 1;
        tally.failed += usize::from(!is_stopped);
        say(&line);
    }
}

/// What became of a call by its end, and whether that is well.
async fn outcome<T>(end: Instant, call: impl Future<Output = std::result::Result<T, tonic::Status>>) -> Stopped {
    match timeout_at(end, call).await {
        Ok(Ok(_)) => ("state=stopped".to_owned(), true),
        Ok(Err(status)) => (format!("state=failed reason={:?}", status.message()), false),
        Err(_) => ("state=failed reason=\"no answer in time\"".to_owned(), false),
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
