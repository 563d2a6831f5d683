//! The jobs that run beside the services: their start, their lines, their ends, and their next tries.

use super::{CONTAINERD, End, Node, pods, pstore};
use crate::report::one_line;
use crate::services::{Job, Purpose, Service, Task};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// A job that is over.
#[derive(Debug)]
pub struct Ended {
    /// What was to be done.
    pub task: Task,
    /// How long it tried.
    pub run: Duration,
    /// Its exit status, unless it was killed.
    pub code: Option<i32>,
    /// Why it failed, if it did.
    pub reason: String,
}

impl Ended {
    /// What is to be said, when it failed.
    pub fn failure(&self) -> Option<&str> {
        (self.code != Some(0)).then_some(self.reason.as_str())
    }
}

impl Node {
    /// Starts a job.
    pub fn start_job(&mut self, purpose: Purpose, arguments: &[&str]) -> Result<(), String> {
        self.start_task(Task::new(purpose, arguments))
    }

    fn start_task(&mut self, task: Task) -> Result<(), String> {
        let name = task.arguments.first().cloned().unwrap_or_default();
        let named = |error: std::io::Error| format!("{name}: {error}");
        let job = match task.purpose {
            Purpose::Devices | Purpose::Modules | Purpose::Records => Job::start(task, &self.programs.init),
            Purpose::Import | Purpose::Pods | Purpose::StopAll => Job::start(task, &self.programs.cri),
        };
        self.jobs.push(job.map_err(named)?);
        Ok(())
    }

    /// Takes the ends of jobs of one purpose.
    pub fn take_ended(&mut self, purpose: Purpose) -> Vec<Ended> {
        let (taken, kept) = std::mem::take(&mut self.ended).into_iter().partition(|one| one.task.purpose == purpose);
        self.ended = kept;
        taken
    }

    /// Says which jobs of a purpose failed, and puts them off until containerd is well.
    pub fn put_off(&mut self, purpose: Purpose, about: &str) {
        for mut ended in self.take_ended(purpose) {
            if let Some(failure) = ended.failure() {
                self.report.error(about, failure);
                ended.task.last = ended.code;
                self.retries.put_off(ended.task, ended.run);
            }
        }
    }

    /// Does not try again what failed last, says so, and hands it out.
    pub fn give_up(&mut self, purpose: Purpose, about: &str) -> Vec<Task> {
        let tasks = self.retries.give_up(purpose);
        for task in &tasks {
            self.report.error(about, format!("given up: {}", task.arguments.join(" ")));
        }
        tasks
    }

    /// Whether a job of a purpose runs, or will.
    pub fn works_on(&self, purpose: Purpose) -> bool {
        self.runs(purpose) || self.retries.holds(purpose)
    }

    /// Whether a job of a purpose runs.
    pub fn runs(&self, purpose: Purpose) -> bool {
        self.jobs.iter().any(|job| job.task.purpose == purpose)
    }

    /// Whether containerd answers.
    pub fn has_containerd(&self) -> bool {
        self.services.get(CONTAINERD).is_some_and(Service::healthy)
    }

    /// When a job is to be started again; never as long as containerd is not well, whose news wake the loop.
    pub fn next_retry(&self) -> Option<Instant> {
        self.retries.wake().filter(|_| self.has_containerd())
    }

    /// Kills what is late, and starts again what failed.
    pub fn tick_jobs(&mut self) {
        let now = Instant::now();
        self.jobs.iter_mut().for_each(|job| job.tick(now));
        if !self.has_containerd() {
            return;
        }
        for task in self.retries.due(now) {
            if let Err(error) = self.start_task(task.clone()) {
                self.report.error("job", error);
                self.retries.put_off(task, Duration::ZERO);
            }
        }
    }

    /// Passes on what the jobs printed.
    pub fn read_jobs(&mut self) {
        let mut lines = Vec::new();
        for job in &mut self.jobs {
            let mut own = Vec::new();
            job.lines(&mut own);
            lines.extend(own.into_iter().map(|line| (job.task.purpose, line)));
        }
        for (purpose, line) in lines {
            self.job_line(purpose, &line);
        }
    }

    fn job_line(&mut self, purpose: Purpose, line: &str) {
        match purpose {
            Purpose::Pods => pods::line(&mut self.report, line),
            Purpose::StopAll => self.report.note("stop", line),
            Purpose::Import => pods::import_line(&mut self.report, line),
            Purpose::Devices | Purpose::Modules => self.report.quote(line),
            Purpose::Records => pstore::line(&mut self.report, line),
        }
    }

    /// A child that is no service ended.
    pub(super) fn job_ended(&mut self, pid: Pid, how: &End) {
        let Some(index) = self.jobs.iter().position(|job| job.pid == pid) else { return };
        let mut job = self.jobs.remove(index);
        let mut lines = Vec::new();
        job.lines(&mut lines);
        for line in &lines {
            self.job_line(job.task.purpose, line);
        }
        let (key, value) = how.fact();
        let code = match how {
            End::Code(code) => Some(*code),
            End::Signal(_) => None,
        };
        let reason = format!("{key}={value} {}", one_line(&job.reason()));
        self.ended.push(Ended { run: job.run(), task: job.task, code, reason });
    }
}

#[cfg(test)]
mod tests {
    use super::super::programs::Programs;
    use super::super::{close, shutdown};
    use super::*;
    use crate::handover::Handover;
    use crate::report::{Refusal, Report};
    use nix::sys::signal::Signal;
    use nix::sys::wait::waitpid;
    use orlop_chain::trust::Rung;
    use orlop_config::manifest::Refusal as Policy;
    use orlop_config::node::{NodeSettings, OnDamage};
    use std::fs::File;
    use std::os::fd::OwnedFd;

    /// A node whose `cri` is a shell, without services.
    fn node() -> Node {
        let program = |path: &str| OwnedFd::from(File::open(path).expect("a program"));
        let text = String::new;
        let settings = NodeSettings {
            version: 1,
            image: text(),
            image_version: text(),
            class: text(),
            on_damage: OnDamage::Refuse,
            sysctls: Vec::new(),
            containerd: Vec::new(),
            kubelet: Vec::new(),
            node_config: None,
        };
        let handover = Handover {
            image: text(),
            image_version: text(),
            class: text(),
            development: true,
            refusal: Policy::Reboot,
            root_hash: text(),
            rung: Rung::RootHash,
            disk: text(),
            appended: None,
            phases: Vec::new(),
            notes: Vec::new(),
        };
        Node {
            report: Report::default(),
            handover,
            settings,
            programs: Programs {
                containerd: program("/dev/null"),
                kubelet: program("/dev/null"),
                cri: program("/bin/sh"),
                init: program("/dev/null"),
                net: None,
                logind: None,
            },
            progress: Default::default(),
            services: Vec::new(),
            jobs: Vec::new(),
            ended: Vec::new(),
            retries: Default::default(),
            watchdog: None,
            shutdown: None,
            door: None,
            grace: None,
            pods_limit: Duration::ZERO,
            intake: None,
            config: None,
            joining: Default::default(),
            modules_begun: false,
            modules_closed: false,
            guard: None,
        }
    }

    /// Runs a job to its end.
    fn run(node: &mut Node, script: &str, code: i32) {
        node.start_job(Purpose::Import, &["sh", "-c", script]).expect("started");
        assert!(node.runs(Purpose::Import));
        let pid = node.jobs[0].pid;
        waitpid(pid, None).expect("its end");
        node.job_ended(pid, &End::Code(code));
        assert!(!node.runs(Purpose::Import));
    }

    #[test]
    fn what_failed_waits_for_containerd_until_it_is_given_up() {
        let mut node = node();
        run(&mut node, "echo no containerd; exit 1", 1);
        node.put_off(Purpose::Import, "preload");
        assert!(node.works_on(Purpose::Import));
        assert_eq!(node.next_retry(), None, "nothing wakes the loop as long as containerd is not well");
        node.tick_jobs();
        assert!(!node.runs(Purpose::Import));
        let given_up = node.give_up(Purpose::Import, "preload");
        assert!(!node.works_on(Purpose::Import));
        assert_eq!(given_up[0].last, Some(1));
    }

    /// Whether a boot goes on without an image whose import ended like this, when the phase is late.
    fn goes_on(ends: &[End]) -> Result<(), Refusal> {
        let mut node = node();
        for end in ends {
            match node.retries.give_up(Purpose::Import).pop() {
                Some(task) => node.start_task(task).expect("started"),
                None => node.start_job(Purpose::Import, &["sh", "-c", "exit 1", "localhost/a:1"]).expect("started"),
            }
            let pid = node.jobs[0].pid;
            waitpid(pid, None).expect("its end");
            node.job_ended(pid, end);
            node.put_off(Purpose::Import, "preload");
        }
        pods::go_without(&node.give_up(Purpose::Import, "preload"))
    }

    #[test]
    fn a_boot_goes_on_without_an_image_only_when_it_was_removed_last() {
        let killed = || End::Signal(Signal::SIGKILL as i32);
        assert_eq!(goes_on(&[]), Ok(()));
        assert_eq!(goes_on(&[End::Code(3)]), Ok(()));
        assert_eq!(goes_on(&[End::Code(1), killed(), End::Code(3)]), Ok(()));
        for ends in [vec![End::Code(1)], vec![killed()], vec![End::Code(101)], vec![End::Code(3), killed()]] {
            let refusal = goes_on(&ends).expect_err("nobody knows what the name stands for");
            assert_eq!(refusal.stage, "state");
            assert!(refusal.reason.contains("localhost/a:1") && refusal.reason.contains("zero"), "{refusal:?}");
        }
    }

    #[test]
    fn one_image_that_may_be_there_is_enough() {
        let mut tasks = vec![Task::new(Purpose::Import, &["a"]), Task::new(Purpose::Import, &["b"])];
        tasks[0].last = Some(3);
        assert!(pods::go_without(&tasks).is_err());
        tasks[1].last = Some(3);
        assert_eq!(pods::go_without(&tasks), Ok(()));
    }

    #[test]
    fn what_went_well_is_not_tried_again() {
        let mut node = node();
        run(&mut node, "exit 0", 0);
        node.put_off(Purpose::Import, "preload");
        assert!(!node.works_on(Purpose::Import));
    }

    #[test]
    fn the_reason_is_the_last_line() {
        let mut node = node();
        run(&mut node, "echo one; echo why; exit 3", 3);
        let ended = node.take_ended(Purpose::Import);
        assert_eq!((ended[0].code, ended[0].failure()), (Some(3), Some("code=3 why")));
    }

    /// On a cluster's node kubelet's phase asks for it, and a later phase for all nodes.
    #[test]
    fn the_rest_of_the_modules_is_loaded_once() {
        let mut node = node();
        node.programs.init = OwnedFd::from(File::open("/bin/sh").expect("a shell"));
        for _ in 0..2 {
            close::start_rest(&mut node).expect("started");
            assert_eq!(node.jobs.len(), 1);
        }
        let pid = node.jobs[0].pid;
        waitpid(pid, None).expect("its end");
        node.job_ended(pid, &End::Code(0));
        // Nobody takes its end as long as the devices' drivers are being loaded.
        close::start_rest(&mut node).expect("nothing to start");
        assert!(!node.runs(Purpose::Modules));
        assert_eq!(node.take_ended(Purpose::Modules).len(), 1);
    }

    #[test]
    fn a_refusal_before_the_services_is_not_put_off() {
        let mut node = node();
        let refusal = Refusal::new("state", "of another image");
        assert_eq!(shutdown::refuse(&mut node, refusal.clone()), Err(refusal));
        assert!(node.shutdown.is_none());
    }

    /// What is polled and read by nobody would have the loop turn without end.
    #[test]
    fn a_shutdown_hears_nothing_of_the_node_config() {
        let mut node = node();
        let (intake, _write) = super::super::config::Intake::new().expect("a pipe");
        node.intake = Some(intake);
        shutdown::begin(&mut node, shutdown::Wish::power_off("a test"));
        assert!(node.shutdown.is_some() && node.intake.is_none());
    }
}
