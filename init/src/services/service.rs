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
use orlop_config::node::READS_STDOUT;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two health checks of a service that is not healthy yet.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// As the upstream systemd units of containerd and kubelet have it, and enough for the others: the soft limit stays low for `select(2)`'s sake.
const OPEN_FILES: (u64, u64) = (1024, 1_048_576);
/// Services are the last to be killed when memory runs out: pods go first.
pub const OOM_SCORE: i32 = -999;

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
    /// Once it is healthy it must say `WATCHDOG=1` within this, again and again, or it is killed: it hangs.
    pub silent_for: Option<Duration>,
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
    /// An end of a pipe or a pair of sockets, which the program has for its standard output the next time that it runs.
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
    /// When it was last known not to hang.
    alive: Instant,
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
            alive: Instant::now(),
        })
    }

    /// What it is started with from now on: arguments, and environment beside what all services get.
    pub fn configure(&mut self, arguments: &[String], environment: &[(String, String)]) -> io::Result<()> {
        self.arguments = arguments.iter().map(|word| CString::new(word.as_str())).collect::<Result<_, _>>()?;
        let variable = |(name, value): &(String, String)| CString::new(format!("{name}={value}"));
        self.environment = environment.iter().map(variable).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Gives its next run an end of a pipe or a pair of sockets for its standard output; [`READS_STDOUT`] tells it so.
    pub fn give(&mut self, end: OwnedFd) {
        self.gift = Some(end);
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
        if let Some(silence) = self.recipe.silent_for {
            // kubelet speaks twice in the time that it is told.
            environment.push(CString::new(format!("WATCHDOG_USEC={}", (silence / 2).as_micros()))?);
        }
        environment.extend_from_slice(&self.environment);
        if self.gift.is_some() {
            environment.push(CString::new(format!("{READS_STDOUT}=1"))?);
        }
        let cgroup = crate::node::cgroups::open(self.recipe.cgroup)?;
        let pid = spawn(&Program {
            file: self.recipe.program.as_fd(),
            arguments: &self.arguments,
            environment: &environment,
            output: [self.gift.as_ref().unwrap_or(&self.write).as_fd(), self.write.as_fd()],
            cgroup: Some(&cgroup),
            oom_score: Some(self.recipe.oom_score),
            open_files: Some(OPEN_FILES),
            without: capability::CLOSED,
        })?;
        // Closed here once the program has it: its reader hears when the program closes it, or ends. A program that could
        // not be started has not had it, and gets it the next time.
        self.gift = None;
        Ok(pid)
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
            self.alive = Instant::now();
            news.push(News::Healthy);
        }
    }

    /// It says that it does not hang.
    pub fn is_alive(&mut self) {
        self.alive = Instant::now();
    }

    /// Until when it must say so.
    fn silence_ends(&self) -> Option<Instant> {
        let silence = self.recipe.silent_for.filter(|_| self.wanted && self.healthy())?;
        Some(self.alive + silence)
    }

    /// Kills it if it was silent for too long; for how long. It is started again as after any other end.
    pub fn end_if_silent(&mut self, now: Instant) -> Option<Duration> {
        let (pid, _) = self.pid().zip(self.silence_ends().filter(|end| *end <= now))?;
        // Its end is heard later, and it is not to be killed twice.
        self.alive = now;
        // What is stopped (`SIGSTOP`) or hangs hears no other signal.
        let _ = kill(pid, Signal::SIGKILL);
        self.recipe.silent_for
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
        let silence = self.silence_ends();
        let retry = self.log.waits().then(|| Instant::now() + Duration::from_secs(1));
        timer.into_iter().chain(silence).chain(retry).min()
    }

    /// The last lines of its log.
    pub fn tail(&self) -> impl Iterator<Item = &str> {
        self.log.tail()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_service_that_hangs_is_killed_once_its_time_is_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("a path");
        let silence = Duration::from_secs(60);
        let recipe = Recipe {
            name: "hangs",
            arguments: Vec::new(),
            program: std::fs::File::open("/dev/null").expect("a file").into(),
            cgroup: "/none",
            oom_score: 0,
            endpoint: None,
            silent_for: Some(silence),
        };
        let mut service = Service::with_logs(recipe, &folder).expect("a service");
        let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("a process");
        let pid = Pid::from_raw(child.id() as i32);
        kill(pid, Signal::SIGSTOP).expect("stopped");
        service.wanted = true;
        service.state = State::Running { pid, since: Instant::now(), healthy: false };
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert_eq!(service.end_if_silent(later(600)), None, "it was not healthy yet");
        service.hint(&mut Vec::new());
        assert!(service.wake().is_some_and(|at| at <= later(60)), "the loop looks then");
        assert_eq!(service.end_if_silent(later(59)), None);
        assert_eq!(service.end_if_silent(later(61)), Some(silence));
        assert_eq!(service.end_if_silent(later(62)), None, "once is enough");
        let status = child.wait().expect("its end");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(Signal::SIGKILL as i32));
        service.is_alive();
        service.wanted = false;
        assert_eq!(service.end_if_silent(later(600)), None, "it is to stop, and has its own deadline");
    }

    /// A fork may fail for a moment (`EAGAIN`). Without its end of the pair `orlop-logind` never hears of a shutdown.
    #[test]
    fn what_it_is_given_waits_for_the_start_that_works() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("a path");
        let recipe = Recipe {
            name: "given",
            arguments: Vec::new(),
            program: std::fs::File::open("/dev/null").expect("a file").into(),
            cgroup: "/no/such/group",
            oom_score: 0,
            endpoint: None,
            silent_for: None,
        };
        let mut service = Service::with_logs(recipe, &folder).expect("a service");
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("one that does not wait");
        service.give(theirs.into());
        for _ in 0..2 {
            assert!(matches!(service.start(), News::NotStarted(_)));
            let heard = ours.read(&mut [0; 1]).expect_err("nobody has closed or written it");
            assert_eq!(heard.kind(), io::ErrorKind::WouldBlock);
        }
        assert!(service.gift.is_some(), "the next start has it");
    }

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
            silent_for: None,
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
