//! In the verified root: the node's phases, its services, and its end. One thread, one loop over
//! `poll(2)`.

mod addresses;
pub mod cgroups;
mod close;
mod config;
mod door;
mod grace;
mod guard;
mod identity;
mod ipc;
mod ipe;
mod jobs;
mod join;
mod mounts;
mod phases;
mod pods;
mod power;
mod programs;
mod pstore;
pub mod safe_path;
mod shutdown;
mod state;
mod sysctls;

use crate::early::stop_of;
use crate::handover::{self, Handover};
use crate::modules::uevent::Uevents;
use crate::report::{Event, Refusal, Report, Stop, or_refuse, refuse};
use crate::services::notify::{Notify, Word};
use crate::services::{Job, News, Retries, Service, Trouble};
use crate::sys::process::{self, End};
use crate::sys::watchdog::Watchdog;
use door::Door;
use grace::Grace;
use guard::Guard;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use orlop_config::node::{NODE_SETTINGS, NodeSettings};
use orlop_config::node_config::NodeConfig;
use phases::Progress;
use power::Buttons;
use programs::Programs;
use shutdown::Shutdown;
use std::path::Path;
use std::time::{Duration, Instant};

pub use close::{MODULE_LOADER, load_modules};
pub use ipc::CONTROL;
pub use pstore::{RECORD_KEEPER, keep_records};

/// The loop turns at least this often, to pet the watchdog and to send what the report's reader left.
const TURN: Duration = Duration::from_secs(5);
const WATCHDOG: Duration = Duration::from_secs(60);
/// PID 1 looks at its services every [`TURN`]. What is later than this says that the machine stood still (a paused or
/// migrated one), or PID 1 did, and nothing of a service.
const HELD_UP: Duration = TURN.saturating_mul(3);
/// Index of each service.
const CONTAINERD: usize = 0;
const KUBELET: usize = 1;
/// Only where the image asks for a node config.
const NET: usize = 2;
const LOGIND: usize = 3;

/// All that PID 1 knows.
#[derive(Debug)]
pub struct Node {
    report: Report,
    handover: Handover,
    settings: NodeSettings,
    programs: Programs,
    progress: Progress,
    services: Vec<Service>,
    jobs: Vec<Job>,
    /// Ends of jobs that were not asked for yet.
    ended: Vec<jobs::Ended>,
    /// Jobs that failed and wait for containerd.
    retries: Retries,
    watchdog: Option<Watchdog>,
    shutdown: Option<Shutdown>,
    /// Until kubelet is healthy for the first time.
    door: Option<Door>,
    /// The other end is `orlop-logind`'s, where there is one.
    grace: Option<Grace>,
    /// How long the pods have at the end.
    pods_limit: Duration,
    /// The node config, until it is whole.
    intake: Option<config::Intake>,
    /// The node config, until it is in force.
    config: Option<NodeConfig>,
    /// Whether the node has joined its cluster.
    joining: join::Joining,
    /// Whether the loading of all that is left was begun.
    modules_begun: bool,
    modules_closed: bool,
    /// Until the services start.
    guard: Option<Guard>,
}

/// What the loop polls, beside services and jobs.
struct Ears {
    signals: ipc::Signals,
    notify: Notify,
    control: ipc::Control,
    uevents: Uevents,
    buttons: Buttons,
    /// When it last looked who is silent.
    looked: Instant,
}

/// Runs the node; never returns.
pub fn run() -> ! {
    let mut report = Report::open();
    let (handover, settings) = match read_documents() {
        Ok(documents) => documents,
        Err(refusal) => refuse(&mut report, &refusal, Stop::Reboot),
    };
    let stop = stop_of(handover.refusal);
    tell_early(&mut report, &handover);
    let programs = match Programs::open(&settings) {
        Ok(programs) => programs,
        Err(refusal) => refuse(&mut report, &refusal, stop),
    };
    let mut node = Node {
        report,
        handover,
        settings,
        programs,
        progress: Progress::default(),
        services: Vec::new(),
        jobs: Vec::new(),
        ended: Vec::new(),
        retries: Retries::default(),
        watchdog: None,
        shutdown: None,
        door: None,
        grace: None,
        pods_limit: Duration::ZERO,
        intake: None,
        config: None,
        joining: join::Joining::default(),
        modules_begun: false,
        modules_closed: false,
        guard: None,
    };
    node.start_guard(stop);
    let refusal = match node.live() {
        Ok(never) => match never {},
        Err(refusal) => refusal,
    };
    refuse(&mut node.report, &refusal, stop)
}

fn read_documents() -> Result<(Handover, NodeSettings), Refusal> {
    let handover = or_refuse(std::fs::read(handover::PATH), "root", handover::PATH)?;
    let handover: Handover = or_refuse(serde_json::from_slice(&handover), "root", handover::PATH)?;
    let settings = or_refuse(std::fs::read(NODE_SETTINGS), "root", NODE_SETTINGS)?;
    let settings: NodeSettings = or_refuse(serde_json::from_slice(&settings), "root", NODE_SETTINGS)?;
    if settings.version != orlop_config::node::VERSION {
        let reason = format!("{NODE_SETTINGS} has version {}, this init knows 1", settings.version);
        return Err(Refusal::new("root", reason));
    }
    Ok((handover, settings))
}

/// What was said in the initramfs goes into the document, and is not said again.
fn tell_early(report: &mut Report, handover: &Handover) {
    report.set("image", handover.image.as_str().into());
    report.set("image_version", handover.image_version.as_str().into());
    report.set("class", handover.class.as_str().into());
    report.set("development", handover.development.into());
    report.set("root_hash", handover.root_hash.as_str().into());
    report.set("disk", handover.disk.as_str().into());
    report.set("appended", handover.appended.as_deref().into());
    for (name, ms) in &handover.phases {
        report.keep(&Event::Phase { name: name.clone(), ms: *ms });
    }
    for (about, text) in &handover.notes {
        report.keep(&Event::Note { about: about.clone(), text: text.clone() });
    }
    let keys = if handover.development { " (development keys)" } else { "" };
    report.note("image", format!("{} {} class={}{keys}", handover.image, handover.image_version, handover.class));
}

impl Node {
    /// The loop.
    fn live(&mut self) -> Result<std::convert::Infallible, Refusal> {
        let mut ears = or_refuse(Ears::open(), "mounts", "signals and sockets")?;
        loop {
            self.reap();
            self.tick();
            if self.shutdown.is_some() {
                shutdown::step(self)?;
            } else if let Err(refusal) = phases::step(self) {
                shutdown::refuse(self, refusal)?;
            }
            self.listen(&mut ears)?;
        }
    }

    /// Waits for anything to happen, and hears it.
    fn listen(&mut self, ears: &mut Ears) -> Result<(), Refusal> {
        let deadline = Instant::now() + self.patience();
        let heard = or_refuse(ipc::wait(self, ears, deadline), "ready", "poll")?;
        self.hear(ears, &heard);
        Ok(())
    }

    /// How long nothing needs to be done.
    fn patience(&self) -> Duration {
        let now = Instant::now();
        let timers = self.services.iter().filter_map(Service::wake).chain(self.next_retry());
        let timers = timers.chain(self.progress.wake()).chain(self.shutdown.as_ref().map(Shutdown::wake));
        timers.map(|at| at.saturating_duration_since(now)).min().unwrap_or(TURN).min(TURN)
    }

    fn hear(&mut self, ears: &mut Ears, heard: &ipc::Heard) {
        let (mut news, mut nets, mut kubelets) = (Vec::new(), Vec::new(), Vec::new());
        // Who listens: until there is a node config, and on a node of a cluster.
        let (quotes, joins) = (self.intake.is_some(), self.settings.node_config.is_some());
        for (index, service) in self.services.iter_mut().enumerate() {
            let before = news.len();
            if heard.pipes.contains(&index) {
                service.read_log(&mut news, &mut |line| {
                    if index == NET && quotes {
                        nets.push(String::from_utf8_lossy(line).into_owned());
                    } else if index == KUBELET && joins {
                        kubelets.push(line.to_vec());
                    }
                });
            }
            if heard.checks.contains(&index) {
                service.advance_check(&mut news);
            }
            tell(&mut self.report, service.name(), &news[before..]);
        }
        config::quote(self, &nets);
        self.hear_of_joining(&kubelets);
        for (pid, word) in ears.notify.read() {
            for service in self.services.iter_mut().filter(|service| service.pid() == Some(pid)) {
                let mut news = Vec::new();
                match word {
                    Word::Ready => service.hint(&mut news),
                    Word::Alive => service.is_alive(),
                }
                tell(&mut self.report, service.name(), &news);
            }
        }
        // After what they said: if PID 1 itself was held up, they are not to blame.
        let now = Instant::now();
        let held_up = is_held_up(std::mem::replace(&mut ears.looked, now), now);
        self.end_the_silent(now, held_up);
        grace::hear(self);
        if let Some(door) = &mut self.door {
            door.greet();
        }
        self.read_jobs();
        for wish in
            ears.signals.read(&mut self.report).into_iter().chain(ears.control.read()).chain(ears.buttons.read())
        {
            shutdown::begin(self, wish);
        }
        if heard.devices {
            ears.uevents.drain();
            ears.buttons.look();
            self.open_watchdog();
        }
    }

    /// Services that promised to say that they are alive, and do not. Those that could not, because nobody could, are
    /// given their time anew.
    fn end_the_silent(&mut self, now: Instant, held_up: bool) {
        for service in &mut self.services {
            if held_up {
                service.is_alive();
            } else if let Some(silence) = service.end_if_silent(now) {
                let text = format!("has not said that it is alive for {} s: killed", silence.as_secs());
                self.report.error(service.name(), text);
                service.tail().for_each(|line| self.report.quote(line));
            }
        }
    }

    fn open_watchdog(&mut self) {
        if self.watchdog.is_none() {
            match Watchdog::open(Path::new("/dev/watchdog0"), WATCHDOG) {
                Ok(None) => {}
                Ok(Some((watchdog, timeout))) => {
                    match timeout {
                        Ok(()) => {
                            self.report.note("watchdog", format!("resets after {} s of silence", WATCHDOG.as_secs()))
                        }
                        Err(error) => self.report.error("watchdog", format!("keeps its own timeout: {error}")),
                    }
                    self.watchdog = Some(watchdog);
                }
                Err(error) => self.report.error("watchdog", error.to_string()),
            }
        }
    }

    fn tick(&mut self) {
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.pet();
        }
        self.report.flush();
        for service in &mut self.services {
            let mut news = Vec::new();
            service.tick(&mut news);
            tell(&mut self.report, service.name(), &news);
        }
        self.tick_jobs();
        self.tell_of_joining();
    }

    /// What PID 1 does itself, up to the services, may hang in the kernel: then another process refuses.
    fn start_guard(&mut self, stop: Stop) {
        let report = &mut self.report;
        let started = Guard::start(guard::PATIENCE, |phase| {
            let text = format!("phase {phase} is not done after {} s", guard::PATIENCE.as_secs());
            refuse(report, &Refusal::new(phase, text), stop)
        });
        match started {
            Ok(guard) => self.guard = Some(guard),
            Err(error) => self.report.error("guard", error.to_string()),
        }
    }

    /// Starts a service, and says so.
    fn start_service(&mut self, index: usize) {
        let service = &mut self.services[index];
        let news = service.start();
        tell(&mut self.report, service.name(), &[news]);
    }

    /// Reaps every child: services, jobs, and whatever was orphaned.
    fn reap(&mut self) {
        while let Some((pid, how)) = process::reap(None) {
            if !self.service_ended(pid, &how) {
                self.job_ended(pid, &how);
            }
        }
    }

    fn service_ended(&mut self, pid: Pid, how: &End) -> bool {
        let Some(index) = self.services.iter().position(|service| service.pid() == Some(pid)) else {
            return false;
        };
        let service = &mut self.services[index];
        let mut facts = vec![("pid", pid.to_string()), how.fact()];
        if let Some(wait) = service.ended() {
            facts.push(("restart_ms", wait.as_millis().to_string()));
        }
        self.report.service(service.name(), "exited", &facts);
        if index == KUBELET {
            self.joining.begin_anew();
        }
        if index == LOGIND
            && let Err(error) = grace::hand_over(self)
        {
            self.report.error("logind", error.to_string());
        }
        true
    }
}

impl End {
    fn fact(&self) -> (&'static str, String) {
        match self {
            End::Code(code) => ("code", code.to_string()),
            // A real-time signal has a number, and no name.
            End::Signal(number) => {
                let name = Signal::try_from(*number).map(|signal| signal.to_string());
                ("signal", name.unwrap_or_else(|_| number.to_string()))
            }
        }
    }
}

/// Puts what a service has to tell into the report.
fn tell(report: &mut Report, name: &str, news: &[News]) {
    for one in news {
        match one {
            News::Started(pid) => report.service(name, "started", &[("pid", pid.to_string())]),
            News::NotStarted(error) => report.error(name, format!("not started: {error}")),
            News::Healthy => report.service(name, "healthy", &[]),
            News::Log(Trouble::Stuck(error)) => report.error(name, format!("log cannot be written: {error}")),
            News::Log(Trouble::Recovered(lost)) => {
                report.service(name, "log-recovered", &[("lost_lines", lost.to_string())]);
            }
        }
    }
}

impl Ears {
    fn open() -> std::io::Result<Self> {
        let mut buttons = Buttons::default();
        // Those that were there before anybody listened for devices.
        buttons.look();
        Ok(Ears {
            signals: ipc::Signals::open()?,
            notify: Notify::open()?,
            control: ipc::Control::open()?,
            uevents: Uevents::open()?,
            buttons,
            looked: Instant::now(),
        })
    }
}

/// Whether so much lies between two looks that the silence of others says nothing.
fn is_held_up(last: Instant, now: Instant) -> bool {
    now.saturating_duration_since(last) > HELD_UP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_held_up_blames_nobody_for_silence() {
        let last = Instant::now();
        assert!(!is_held_up(last, last + TURN), "the loop only waited");
        assert!(!is_held_up(last, last + TURN * 2), "a slow turn");
        assert!(is_held_up(last, last + Duration::from_secs(40)), "a pause, and the 20 s before it, are a minute");
        assert!(is_held_up(last, last + Duration::from_secs(3600)));
    }
}
