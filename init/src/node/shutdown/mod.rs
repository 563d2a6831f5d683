//! The orderly end: the pods, by kubelet; kubelet; the containers that are left, with their grace period; containerd; what
//! is left at all; what is not on the disks yet; mounts; the state partition; power. Each step has a deadline; one that is
//! late is said, and the next begins. A guard ends the machine if PID 1 itself does not come back from one.

mod beside;
mod mountinfo;
mod processes;
mod sync;
mod unmount;

use super::guard::Guard;
use super::{CONTAINERD, KUBELET, LOGIND, NET, Node, grace};
use crate::early::stop_of;
use crate::report::{Event, Refusal, Stop, now_ms};
use crate::services::{Purpose, Service};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// What was asked for, and by what.
#[derive(Debug, Clone)]
pub struct Wish {
    mode: RebootMode,
    by: &'static str,
}

impl Wish {
    /// Power off.
    pub fn power_off(by: &'static str) -> Self {
        Wish { mode: RebootMode::RB_POWER_OFF, by }
    }

    /// Reset.
    pub fn reboot(by: &'static str) -> Self {
        Wish { mode: RebootMode::RB_AUTOBOOT, by }
    }
}

/// A step of the way.
struct Step {
    name: &'static str,
    start: fn(&mut Node),
    done: fn(&mut Node) -> bool,
    /// How long it may take in all. Asked at each look: what it waits for may show that it goes on.
    deadline: fn(&Node) -> Duration,
    /// What happens when it is not done by then.
    force: fn(&mut Node),
}

/// For all containers.
const CONTAINERS: Duration = Duration::from_secs(90);
/// Of it, what `cri stop-all` leaves over for its own start and end.
const CONTAINERS_REST: Duration = Duration::from_secs(5);
/// Until the containers are asked again to stop, when containerd ended under the first try.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Exit status of `cri stop-all` for: all were asked, some did not stop. Asking again would not help.
const PARTLY: i32 = 3;
/// For the state's unmount, which may hang in the kernel.
const UNMOUNT: Duration = Duration::from_secs(30);
/// A PID 1 that does not come back to its loop for so long hangs: it writes the services' logs, to a disk that may be gone.
/// Less than the watchdog's time: that one would have the machine start again that was to stay off.
const HANGS: Duration = Duration::from_secs(45);

/// In order.
const STEPS: &[Step] = &[
    Step { name: "pods", start: grace::ask, done: grace::is_over, deadline: |node| node.pods_limit, force: |_| () },
    Step {
        name: "kubelet",
        start: |node| stop(node, KUBELET, Signal::SIGTERM),
        done: |node| stopped(node, KUBELET),
        deadline: |_| Duration::from_secs(20),
        force: |node| stop(node, KUBELET, Signal::SIGKILL),
    },
    Step {
        name: "containers",
        start: want_containers_stopped,
        done: containers_stopped,
        deadline: |_| CONTAINERS,
        force: |_| (),
    },
    Step {
        name: "containerd",
        start: |node| stop(node, CONTAINERD, Signal::SIGTERM),
        done: |node| stopped(node, CONTAINERD),
        deadline: |_| Duration::from_secs(20),
        force: |node| stop(node, CONTAINERD, Signal::SIGKILL),
    },
    Step {
        name: "processes",
        start: |node| {
            stop(node, NET, Signal::SIGTERM);
            stop(node, LOGIND, Signal::SIGTERM);
            kill_all(Signal::SIGTERM);
        },
        done: is_alone,
        deadline: |_| Duration::from_secs(10),
        force: |node| {
            kill_all(Signal::SIGKILL);
            // The guard was one of them.
            start_guard(node);
        },
    },
    Step { name: "killed", start: |_| (), done: is_alone, deadline: |_| Duration::from_secs(5), force: |_| () },
    // Behind all others: nobody is left who writes, and the processes of these two are none of those that are awaited or
    // killed.
    Step { name: "sync", start: sync::start, done: sync::is_over, deadline: sync::patience, force: sync::give_up },
    Step { name: "mounts", start: unmount::start, done: unmount::is_over, deadline: unmount::patience, force: |_| () },
];

/// How far the shutdown is.
#[derive(Debug)]
pub struct Shutdown {
    wish: Wish,
    index: usize,
    /// When this step began.
    begun: Option<Instant>,
    /// When the containers are to be asked to stop, unless that is done.
    ask: Option<Instant>,
    /// From the step `sync` on.
    writing: Option<sync::Writing>,
    /// From the step `mounts` on.
    unmounting: Option<unmount::Unmounting>,
    /// From the first step on.
    guard: Option<Guard>,
}

impl Shutdown {
    /// Processes that are not children are looked at now and then.
    pub fn wake(&self) -> Instant {
        Instant::now() + Duration::from_millis(100)
    }
}

/// Begins, unless it has begun.
pub fn begin(node: &mut Node, wish: Wish) {
    if node.shutdown.is_none() {
        node.report.note("shutdown", format!("asked by {}", wish.by));
        let (writing, unmounting, guard) = (None, None, None);
        node.shutdown = Some(Shutdown { wish, index: 0, begun: None, ask: None, writing, unmounting, guard });
        // Nothing of the boot goes on, and none of its deadlines wakes the loop.
        node.retries = Default::default();
        node.progress = Default::default();
        // Nobody reads it any more: the loop would never wait, for there would always be something to read.
        node.intake = None;
    }
}

/// A boot that is refused under running services ends in order: pods may hold data by then.
pub fn refuse(node: &mut Node, refusal: Refusal) -> Result<(), Refusal> {
    if node.services.is_empty() {
        return Err(refusal);
    }
    node.report.refused(&refusal);
    let mode = match stop_of(node.handover.refusal) {
        Stop::Reboot => RebootMode::RB_AUTOBOOT,
        Stop::PowerOff => RebootMode::RB_POWER_OFF,
    };
    begin(node, Wish { mode, by: "the refusal" });
    Ok(())
}

/// Goes on as far as it goes without waiting; at the end it does not return.
pub fn step(node: &mut Node) -> Result<(), Refusal> {
    loop {
        let Some(shutdown) = &mut node.shutdown else { return Ok(()) };
        let Some(step) = STEPS.get(shutdown.index) else { finish(node) };
        let is_new = shutdown.begun.is_none();
        let begun = *shutdown.begun.get_or_insert_with(Instant::now);
        if is_new {
            renew_guard(node);
        }
        if let Some(guard) = node.shutdown.as_mut().and_then(|shutdown| shutdown.guard.as_mut()) {
            guard.begin(step.name);
        }
        if is_new {
            (step.start)(node);
        }
        let done = (step.done)(node);
        let deadline = (step.deadline)(node);
        if !done && begun.elapsed() < deadline {
            return Ok(());
        }
        if !done {
            (step.force)(node);
            node.report.error("shutdown", format!("{} not done after {} s", step.name, deadline.as_secs()));
        }
        node.report.tell(&Event::Poweroff { phase: Some(step.name.to_owned()), ms: now_ms() });
        if let Some(shutdown) = &mut node.shutdown {
            shutdown.index += 1;
            shutdown.begun = None;
        }
    }
}

/// Starts a guard unless there is one.
fn renew_guard(node: &mut Node) {
    let guard = node.shutdown.as_ref().and_then(|shutdown| shutdown.guard.as_ref());
    if !guard.is_some_and(Guard::watches) {
        start_guard(node);
    }
}

/// Starts a process that ends the machine when this one hangs: by then there is nobody else to do it.
fn start_guard(node: &mut Node) {
    let Some(shutdown) = &mut node.shutdown else { return };
    let (report, mode) = (&mut node.report, shutdown.wish.mode);
    let started = Guard::start(HANGS, |step| {
        let text = format!("PID 1 hangs in the step {step} for {} s: the machine ends as it is", HANGS.as_secs());
        report.error("shutdown", text);
        let _ = reboot(mode);
    });
    match started {
        Ok(guard) => {
            // Behind the new one's start: the end of a process may hang as well.
            if let Some(old) = shutdown.guard.replace(guard) {
                old.end();
            }
        }
        Err(error) => report.error("shutdown", format!("no guard: {error}")),
    }
}

fn stop(node: &mut Node, index: usize, signal: Signal) {
    if let Some(service) = node.services.get_mut(index) {
        service.stop(signal);
    }
}

fn stopped(node: &mut Node, index: usize) -> bool {
    node.services.get(index).is_none_or(|service| service.pid().is_none())
}

/// What never answered has started no container.
fn want_containers_stopped(node: &mut Node) {
    let answered = node.services.get(CONTAINERD).is_some_and(Service::was_healthy);
    if let Some(shutdown) = &mut node.shutdown {
        shutdown.ask = answered.then(Instant::now);
    }
}

/// Asks once containerd answers: it may be about to be started again.
fn containers_stopped(node: &mut Node) -> bool {
    let mut ask = node.shutdown.as_ref().and_then(|shutdown| shutdown.ask);
    for ended in node.take_ended(Purpose::StopAll) {
        if let Some(failure) = ended.failure() {
            node.report.error("shutdown", format!("cri stop-all: {failure}"));
            ask = (ended.code != Some(PARTLY)).then(|| Instant::now() + ASK_AGAIN);
        }
    }
    let runs = node.runs(Purpose::StopAll);
    if !runs && node.has_containerd() && ask.is_some_and(|at| at <= Instant::now()) {
        let begun = node.shutdown.as_ref().and_then(|shutdown| shutdown.begun);
        let left = begun.map_or(CONTAINERS, |begun| CONTAINERS.saturating_sub(begun.elapsed()));
        let within = left.saturating_sub(CONTAINERS_REST).as_secs().to_string();
        let asked = node.start_job(Purpose::StopAll, &["cri", "stop-all", "--within", &within]);
        ask = asked.is_err().then(|| Instant::now() + ASK_AGAIN);
        if let Err(error) = asked {
            node.report.error("shutdown", error);
        }
    }
    if let Some(shutdown) = &mut node.shutdown {
        shutdown.ask = ask;
    }
    ask.is_none() && !node.runs(Purpose::StopAll)
}

fn kill_all(signal: Signal) {
    let _ = kill(Pid::from_raw(-1), signal);
}

/// Whether no program is left but PID 1 and its guard.
fn is_alone(node: &mut Node) -> bool {
    let guard = node.shutdown.as_ref().and_then(|shutdown| shutdown.guard.as_ref());
    processes::left(guard.map(Guard::pid)) == 0
}

/// Unmounts the state and turns the machine off.
fn finish(node: &mut Node) -> ! {
    let mode = node.shutdown.as_ref().map_or(RebootMode::RB_POWER_OFF, |shutdown| shutdown.wish.mode);
    // A disk that no longer answers must not keep the machine from its end. Kept until then.
    let guard = Guard::start(UNMOUNT, |_| {
        node.report.error("shutdown", format!("the state is not unmounted after {} s", UNMOUNT.as_secs()));
        let _ = reboot(mode);
    });
    if let Err(error) = &guard {
        node.report.error("shutdown", format!("no guard of the unmount, which may hang: {error}"));
    }
    // The one of the steps started when the logs were open, and holds them open: the state would be busy.
    if let Some(old) = node.shutdown.as_mut().and_then(|shutdown| shutdown.guard.take()) {
        old.end();
    }
    let clean = unmount::state(node);
    node.report.note("state", format!("unmounted clean={clean}"));
    node.report.tell(&Event::Poweroff { phase: None, ms: now_ms() });
    node.report.send_document();
    let _ = reboot(mode);
    drop(guard);
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_in_order() {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names, ["pods", "kubelet", "containers", "containerd", "processes", "killed", "sync", "mounts"]);
    }
}
