//! A program that is to run always: start, readiness, restart, log, stop.

use super::backoff::Backoff;
use super::health::{Check, Endpoint, Verdict};
use super::lines::LinePipe;
use super::log::{Log, Trouble};
use super::store::LogFiles;
use crate::sys::capability;
use crate::sys::process::{Program, spawn};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two health checks of a service that is not healthy yet.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// As systemd's units of both services have it: the soft limit stays low for `select(2)`'s sake.
const OPEN_FILES: (u64, u64) = (1024, 1_048_576);
/// Services are the last to be killed when memory runs out: pods go first.
pub const OOM_SCORE: i32 = -999;
/// In the environment of a program whose standard output somebody reads.
const GIVEN: &CStr = c"ORLOP_READS_STDOUT=1";

/// What makes a service.
#[derive(Debug)]
pub struct Recipe {
    /// Its name, in the report and as the log's name.
    pub name: &'static str,
    /// Arguments, the program first.
    pub arguments: Vec<String>,
    /// The program itself.
    pub program: OwnedFd,
    /// Its control group.
    pub cgroup: &'static str,
    /// When memory runs out: -1000 (never killed) to 1000.
    pub oom_score: i32,
    /// Where it is asked whether it is well; nowhere: it says `READY=1` itself, and that is all there is.
    pub endpoint: Option<Endpoint>,
}

#[derive(Debug)]
enum State {
    Stopped,
    Running { pid: Pid, since: Instant, healthy: bool },
    Waiting { until: Instant },
}

/// What a service has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It runs.
    Started(Pid),
    /// It could not be started.
    NotStarted(String),
    /// Its health check passed for the first time since it was started.
    Healthy,
    /// Its log.
    Log(Trouble),
}

/// A service.
#[derive(Debug)]
pub struct Service {
    recipe: Recipe,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    /// The writing end of a pipe, which the program has for its standard output the next time that it starts.
    gift: Option<OwnedFd>,
    state: State,
    wanted: bool,
    backoff: Backoff,
    // One pipe for all its lives, both ends held: shims inherit the writing end, and must never
    // get a SIGPIPE because containerd was started again.
    pipe: LinePipe,
    write: OwnedFd,
    log: Log<LogFiles>,
    check: Option<(Check, Instant)>,
    next_check: Instant,
    was_healthy: bool,
}

impl Service {
    /// A service that does not run yet.
    pub fn new(recipe: Recipe) -> io::Result<Self> {
        Self::with_logs(recipe, Path::new("/var/log"))
    }

    fn with_logs(recipe: Recipe, folder: &Path) -> io::Result<Self> {
        let (pipe, write) = LinePipe::new()?;
        let log = Log::new(LogFiles::open(folder, recipe.name)?);
        let arguments = recipe.arguments.iter().map(|a| CString::new(a.as_str())).collect::<Result<_, _>>()?;
        Ok(Service {
            recipe,
            arguments,
            environment: Vec::new(),
            gift: None,
            state: State::Stopped,
            wanted: false,
            backoff: Backoff::default(),
            pipe,
            write,
            log,
            check: None,
            next_check: Instant::now(),
            was_healthy: false,
        })
    }

    /// What it is started with from now on: arguments, and environment beside what all services get.
    pub fn configure(&mut self, arguments: &[String], environment: &[(String, String)]) -> io::Result<()> {
        self.arguments = arguments.iter().map(|word| CString::new(word.as_str())).collect::<Result<_, _>>()?;
        let variable = |(name, value): &(String, String)| CString::new(format!("{name}={value}"));
        self.environment = environment.iter().map(variable).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Gives it the writing end of a pipe for its standard output, once; [`GIVEN`] tells it so.
    pub fn give(&mut self, pipe: OwnedFd) {
        self.gift = Some(pipe);
    }

    /// Ends its main process, to have it started again.
    pub fn restart(&self) {
        if let State::Running { pid, .. } = self.state {
            let _ = kill(pid, Signal::SIGTERM);
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.recipe.name
    }

    /// Its main process.
    pub fn pid(&self) -> Option<Pid> {
        match self.state {
            State::Running { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// Whether its health check passed since it was started.
    pub fn healthy(&self) -> bool {
        matches!(self.state, State::Running { healthy: true, .. })
    }

    /// Whether it ever passed.
    pub fn was_healthy(&self) -> bool {
        self.was_healthy
    }

    /// From now on it is to run.
    pub fn start(&mut self) -> News {
        self.wanted = true;
        match self.spawn() {
            Ok(pid) => {
                self.state = State::Running { pid, since: Instant::now(), healthy: false };
                self.next_check = Instant::now();
                News::Started(pid)
            }
            Err(error) => {
                let wait = self.backoff.after(Duration::ZERO);
                self.state = State::Waiting { until: Instant::now() + wait };
                News::NotStarted(error.to_string())
            }
        }
    }

    fn spawn(&mut self) -> io::Result<Pid> {
        let mut environment = vec![
            c"PATH=/usr/bin".to_owned(),
            c"HOME=/root".to_owned(),
            CString::new(format!("NOTIFY_SOCKET={}", super::notify::PATH))?,
        ];
        environment.extend_from_slice(&self.environment);
        // Closed here once the program has it: its reader hears when the program closes it, or ends.
        let gift = self.gift.take();
        environment.extend(gift.as_ref().map(|_| GIVEN.to_owned()));
        let cgroup = crate::node::cgroups::open(self.recipe.cgroup)?;
        spawn(&Program {
            file: self.recipe.program.as_fd(),
            arguments: &self.arguments,
            environment: &environment,
            output: [gift.as_ref().unwrap_or(&self.write).as_fd(), self.write.as_fd()],
            cgroup: Some(&cgroup),
            oom_score: Some(self.recipe.oom_score),
            open_files: Some(OPEN_FILES),
            without: capability::CLOSED,
        })
    }

    /// Its main process ended; how long until it is started again, unless it was to stop.
    pub fn ended(&mut self) -> Option<Duration> {
        let run = match self.state {
            State::Running { since, .. } => since.elapsed(),
            _ => Duration::ZERO,
        };
        self.check = None;
        self.state = State::Stopped;
        self.wanted.then(|| {
            let wait = self.backoff.after(run);
            self.state = State::Waiting { until: Instant::now() + wait };
            wait
        })
    }

    /// From now on it is not to run; its main process gets a signal.
    pub fn stop(&mut self, signal: Signal) {
        self.wanted = false;
        match self.state {
            State::Running { pid, .. } => drop(kill(pid, signal)),
            _ => self.state = State::Stopped,
        }
    }

    /// What to poll for: the log's pipe.
    pub fn pipe_fd(&self) -> BorrowedFd<'_> {
        self.pipe.fd()
    }

    /// What to poll for: the health check, and whether it waits to send.
    pub fn check_fd(&self) -> Option<(BorrowedFd<'_>, bool)> {
        self.check.as_ref().map(|(check, _)| (check.fd(), check.sends()))
    }

    /// Moves what it printed into its log; `each` hears every line.
    pub fn read_log(&mut self, news: &mut Vec<News>, each: &mut dyn FnMut(&[u8])) {
        let log = &mut self.log;
        self.pipe.read(&mut |line| {
            each(line);
            news.extend(log.line(line).map(News::Log));
        });
    }

    /// The service says itself that it is ready: ask now, where there is somebody to ask.
    pub fn hint(&mut self, news: &mut Vec<News>) {
        match self.recipe.endpoint {
            Some(_) => self.next_check = Instant::now(),
            None => self.is_healthy(news),
        }
    }

    fn is_healthy(&mut self, news: &mut Vec<News>) {
        if let State::Running { healthy, .. } = &mut self.state
            && !std::mem::replace(healthy, true)
        {
            self.was_healthy = true;
            news.push(News::Healthy);
        }
    }

    /// Goes on with the health check.
    pub fn advance_check(&mut self, news: &mut Vec<News>) {
        let Some((check, deadline)) = &mut self.check else { return };
        let verdict = check.advance();
        let late = Instant::now() >= *deadline;
        match verdict {
            Verdict::Pending if !late => {}
            Verdict::Healthy => {
                self.check = None;
                self.is_healthy(news);
            }
            Verdict::Pending | Verdict::Sick(_) => {
                self.check = None;
                self.next_check = Instant::now() + ASK_AGAIN;
            }
        }
    }

    /// Does what its time has come for.
    pub fn tick(&mut self, news: &mut Vec<News>) {
        let now = Instant::now();
        if self.check.as_ref().is_some_and(|(_, deadline)| *deadline <= now) {
            // Nobody answers: without this the deadline would be past, and the loop would never wait, until somebody does.
            self.advance_check(news);
        }
        match self.state {
            State::Waiting { until } if until <= now => news.push(self.start()),
            State::Running { healthy: false, .. } if self.check.is_none() && self.next_check <= now => {
                self.next_check = now + ASK_AGAIN;
                let check = self.recipe.endpoint.and_then(|endpoint| Check::start(endpoint).ok());
                self.check = check.map(|check| (check, now + ANSWER));
                self.advance_check(news);
            }
            _ => {}
        }
        if self.log.waits() {
            news.extend(self.log.flush().map(News::Log));
        }
    }

    /// When it wants to be ticked next.
    pub fn wake(&self) -> Option<Instant> {
        let timer = match self.state {
            State::Waiting { until } => Some(until),
            State::Running { healthy: false, .. } if self.recipe.endpoint.is_some() => {
                Some(self.check.as_ref().map_or(self.next_check, |(_, deadline)| *deadline))
            }
            _ => None,
        };
        let retry = self.log.waits().then(|| Instant::now() + Duration::from_secs(1));
        timer.into_iter().chain(retry).min()
    }

    /// The last lines of its log.
    pub fn tail(&self) -> impl Iterator<Item = &str> {
        self.log.tail()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_silent_peer_is_asked_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("a path");
        let socket = folder.join("socket");
        let listener = UnixListener::bind(&socket).expect("a listener");
        listener.set_nonblocking(true).expect("one that does not wait");
        let recipe = Recipe {
            name: "silent",
            arguments: Vec::new(),
            program: std::fs::File::open("/dev/null").expect("a file").into(),
            cgroup: "/none",
            oom_score: 0,
            endpoint: Some(Endpoint::Grpc(socket.to_str().expect("a path").to_owned().leak())),
        };
        let mut service = Service::with_logs(recipe, &folder).expect("a service");
        service.state = State::Running { pid: Pid::this(), since: Instant::now(), healthy: false };
        let mut news = Vec::new();
        service.tick(&mut news);
        let asked = listener.accept();
        assert!(asked.is_ok() && service.check.is_some());
        service.check.as_mut().expect("a check").1 = Instant::now();
        service.tick(&mut news);
        assert!(service.check.is_none(), "its time was up");
        assert!(service.wake() > Some(Instant::now()), "the loop may wait");
        service.hint(&mut news);
        service.tick(&mut news);
        assert!(listener.accept().is_ok(), "asked again");
        assert_eq!(news, []);
    }
}
