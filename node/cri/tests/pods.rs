//! `wait-pod` and `stop-all` against the fake.

mod fake;

use fake::{Fake, World, against};
use orlop_cri::proto::runtime::{Container, ContainerMetadata, ContainerState, PodSandbox, PodSandboxMetadata};
use orlop_cri::stop::stop_all;
use orlop_cri::wait::{of_node, wait_pods};
use std::time::Duration;

const RUNNING: ContainerState = ContainerState::ContainerRunning;
const CREATED: ContainerState = ContainerState::ContainerCreated;
const EXITED: ContainerState = ContainerState::ContainerExited;

fn pod(world: &mut World, name: &str, namespace: &str) {
    world.sandboxes.push(PodSandbox {
        id: name.to_owned(),
        metadata: Some(PodSandboxMetadata {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            ..PodSandboxMetadata::default()
        }),
        ..PodSandbox::default()
    });
}

fn container(world: &mut World, pod: &str, name: &str, attempt: u32, state: ContainerState) {
    world.containers.push(Container {
        id: format!("{pod}/{name}/{attempt}"),
        pod_sandbox_id: pod.to_owned(),
        metadata: Some(ContainerMetadata { name: name.to_owned(), attempt }),
        state: state as i32,
        ..Container::default()
    });
}

/// Waits for one pod that the change makes run, and says whether it was announced only then.
fn waits_for(fake: &Fake, change: impl FnOnce(&mut World)) {
    waits_with_init(fake, &[], change);
}

fn waits_with_init(fake: &Fake, init: &[&str], change: impl FnOnce(&mut World)) {
    let mut wanted = of_node(vec!["hello".to_owned()], "node");
    wanted[0].init = init.iter().map(|name| (*name).to_owned()).collect();
    against(fake, async |channel| {
        let mut seen = Vec::new();
        let waiting = wait_pods(&channel, wanted, |name| seen.push(name.to_owned()));
        let mut waiting = Box::pin(waiting);
        let early = tokio::time::timeout(Duration::from_millis(50), waiting.as_mut()).await;
        assert!(early.is_err(), "it was said to run before it did");
        fake.happen(change);
        let deadline = Duration::from_secs(20);
        tokio::time::timeout(deadline, waiting).await.expect("in time").expect("waited");
        assert_eq!(seen, ["hello"]);
    });
}

#[test]
fn a_pod_runs_when_its_containers_do_told_by_events() {
    let fake = Fake::default();
    fake.world().offers_events = true;
    waits_for(&fake, |world| {
        pod(world, "hello-node", "default");
        container(world, "hello-node", "main", 0, RUNNING);
    });
}

#[test]
fn without_events_the_clock_will_do() {
    let fake = Fake::default();
    pod(&mut fake.world(), "hello-node", "default");
    container(&mut fake.world(), "hello-node", "main", 0, CREATED);
    waits_for(&fake, |world| world.containers[0].state = RUNNING as i32);
}

#[test]
fn an_init_container_alone_is_no_running_pod() {
    let fake = Fake::default();
    pod(&mut fake.world(), "hello-node", "default");
    container(&mut fake.world(), "hello-node", "prepare", 0, RUNNING);
    waits_with_init(&fake, &["prepare"], |world| container(world, "hello-node", "main", 0, RUNNING));
}

#[test]
fn an_init_container_that_ended_well_is_done_and_older_attempts_do_not_count() {
    let fake = Fake::default();
    {
        let mut world = fake.world();
        pod(&mut world, "hello-node", "default");
        container(&mut world, "hello-node", "init", 0, EXITED);
        container(&mut world, "hello-node", "main", 0, EXITED);
        container(&mut world, "hello-node", "main", 1, RUNNING);
        world.exit_codes.insert("hello-node/init/0".to_owned(), 1);
    }
    waits_for(&fake, |world| {
        world.exit_codes.insert("hello-node/init/0".to_owned(), 0);
    });
}

#[test]
fn all_containers_are_stopped_with_their_grace_kube_system_last_then_the_sandboxes() {
    let fake = Fake::default();
    {
        let mut world = fake.world();
        pod(&mut world, "dns", "kube-system");
        pod(&mut world, "web", "default");
        container(&mut world, "dns", "main", 0, RUNNING);
        container(&mut world, "web", "main", 0, RUNNING);
        container(&mut world, "web", "old", 0, EXITED);
        let grace = ("io.kubernetes.pod.terminationGracePeriod".to_owned(), "7".to_owned());
        world.containers[1].annotations.extend([grace]);
    }
    let mut lines = Vec::new();
    against(&fake, async |channel| stop_all(&channel, None, |line| lines.push(line.to_owned())).await)
        .expect("stopped");
    let log = &fake.world().log;
    assert_eq!(*log, ["stop web/main/0 after 7", "stop pod web", "stop dns/main/0 after 30", "stop pod dns"]);
    assert!(lines[0].starts_with("pod=web container=main state=stopped ms="), "{lines:?}");
}

#[test]
fn one_that_cannot_be_stopped_does_not_keep_the_others() {
    let fake = Fake::default();
    {
        let mut world = fake.world();
        pod(&mut world, "web", "default");
        container(&mut world, "web", "a", 0, RUNNING);
        container(&mut world, "web", "b", 0, RUNNING);
        world.stuck.insert("web/a/0".to_owned());
    }
    let mut lines = Vec::new();
    let error = against(&fake, async |channel| stop_all(&channel, None, |line| lines.push(line.to_owned())).await)
        .expect_err("one is stuck");
    assert_eq!(error.to_string(), "1 of 3 could not be stopped; the lines above name them");
    assert_eq!(fake.world().log.len(), 3);
    assert!(lines.iter().any(|line| line.contains("container=a state=failed reason=\"it does not end\"")), "{lines:?}");
}

/// One container that never stops, and a grace that is longer than all the time there is: the others are asked in time.
#[test]
fn one_that_never_answers_leaves_kube_system_its_time() {
    let fake = Fake::default();
    {
        let mut world = fake.world();
        pod(&mut world, "dns", "kube-system");
        pod(&mut world, "web", "default");
        container(&mut world, "dns", "main", 0, RUNNING);
        container(&mut world, "web", "main", 0, RUNNING);
        world.silent.insert("web/main/0".to_owned());
        let grace = ("io.kubernetes.pod.terminationGracePeriod".to_owned(), "600".to_owned());
        world.containers[1].annotations.extend([grace]);
    }
    let within = Duration::from_secs(3);
    let mut lines = Vec::new();
    let error =
        against(&fake, async |channel| stop_all(&channel, Some(within), |line| lines.push(line.to_owned())).await)
            .expect_err("one never answers");
    assert_eq!(error.to_string(), "1 of 4 could not be stopped; the lines above name them");
    let log = &fake.world().log;
    let asked: Vec<&str> = log.iter().filter_map(|line| line.split(" after ").next()).collect();
    assert_eq!(asked, ["stop web/main/0", "stop pod web", "stop dns/main/0", "stop pod dns"]);
    let grace = |at: usize| log[at].rsplit(' ').next().and_then(|text| text.parse::<u64>().ok());
    assert!(grace(0) <= Some(2) && grace(2) <= Some(2), "{log:?}");
    assert!(lines[0].contains("state=failed reason=\"no answer in time\""), "{lines:?}");
}
