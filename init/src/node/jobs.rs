//! The jobs that run beside the services: their start, their lines, their ends, and their next tries.

use super::{CONTAINERD, End, Node, cgroups, pods};
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
            Purpose::Modules => {
                let group = cgroups::open(cgroups::MODULES).map_err(named)?;
                Job::start(task, &self.programs.init, Some(&group))
            }
            _ => Job::start(task, &self.programs.cri, None),
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
        for ended in self.take_ended(purpose) {
            if let Some(failure) = ended.failure() {
                self.report.error(about, failure);
                self.retries.put_off(ended.task, ended.run);
            }
        }
    }

    /// Does not try again what failed last, and says so.
    pub fn give_up(&mut self, purpose: Purpose, about: &str) {
        for task in self.retries.give_up(purpose) {
            self.report.error(about, format!("given up: {}", task.arguments.join(" ")));
        }
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
            Purpose::Import | Purpose::Modules => self.report.quote(line),
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
