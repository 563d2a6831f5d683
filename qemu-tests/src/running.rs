//! One running machine: what it says, what it is told, how it ends.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::error::Log;
use crate::feed::{Feed, Mark};
use crate::spawn::Reaped;
use crate::{Accelerator, Error, Event, Result, program, qmp::Qmp};

/// How many lines of the console an error shows.
const TAIL: usize = 60;

/// Something that a machine said or did.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A line on the serial console.
    Console {
        /// The line.
        line: String,
        /// What it means, if it is one of init's.
        event: Option<Event>,
    },
    /// A line on a virtio-serial port.
    Port {
        /// The port's name.
        name: String,
        /// The line.
        line: String,
        /// What it means, on the report port.
        event: Option<Event>,
    },
    /// An event of QEMU's own.
    Control(Value),
    /// Whoever runs the machine was asked to end it, and pushes this into the feed: it ends every wait.
    Stop,
    /// QEMU's process is gone.
    Gone,
}

impl Happening {
    /// The boot report's event in it, from whichever channel.
    #[must_use]
    pub fn event(&self) -> Option<&Event> {
        match self {
            Happening::Console { event, .. } | Happening::Port { event, .. } => event.as_ref(),
            _ => None,
        }
    }

    /// The console's line in it.
    #[must_use]
    pub fn console(&self) -> Option<&str> {
        match self {
            Happening::Console { line, .. } => Some(line),
            _ => None,
        }
    }

    /// The line that came by the port of this name.
    #[must_use]
    pub fn port(&self, wanted: &str) -> Option<&str> {
        match self {
            Happening::Port { name, line, .. } if name == wanted => Some(line),
            _ => None,
        }
    }
}

/// How a machine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// QEMU's word for the reason: `guest-shutdown`, `guest-reset`, `guest-panic`, `host-qmp-quit`.
    pub reason: String,
    /// Exit status of QEMU's process.
    pub status: String,
}

pub(crate) struct Parts {
    pub child: Reaped,
    pub stderr: Arc<Mutex<Vec<u8>>>,
    pub qmp: Qmp,
    pub writers: Vec<(String, UnixStream)>,
    pub feed: Feed<Happening>,
    pub folder: TempDir,
    pub log: PathBuf,
    pub accelerator: Accelerator,
}

/// One running machine; killed when dropped. If that happens in a panic (a failed assertion), the end of the
/// console and the place of the whole log are printed.
pub struct Running {
    child: Mutex<Reaped>,
    stderr: Arc<Mutex<Vec<u8>>>,
    qmp: Mutex<Qmp>,
    writers: Vec<(String, UnixStream)>,
    feed: Feed<Happening>,
    folder: TempDir,
    log: PathBuf,
    accelerator: Accelerator,
}

impl Running {
    pub(crate) fn new(parts: Parts) -> Running {
        let Parts { child, stderr, qmp, writers, feed, folder, log, accelerator } = parts;
        let (child, qmp) = (Mutex::new(child), Mutex::new(qmp));
        Running { child, stderr, qmp, writers, feed, folder, log, accelerator }
    }

    /// What runs the guest.
    #[must_use]
    pub fn accelerator(&self) -> &Accelerator {
        &self.accelerator
    }

    /// The file with the whole console log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The position behind what has happened so far, for waits that must not find what is past.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.feed.mark()
    }

    /// All that has happened and is still kept.
    #[must_use]
    pub fn feed(&self) -> &Feed<Happening> {
        &self.feed
    }

    /// Waits for a console line that holds `text`, looking at the past too.
    pub fn wait_line(&self, text: &str, limit: Duration) -> Result<String> {
        self.wait_line_since(Mark::default(), text, limit)
    }

    /// Waits for a console line since `mark` that holds `text`.
    pub fn wait_line_since(&self, mark: Mark, text: &str, limit: Duration) -> Result<String> {
        self.wait_since(mark, &format!("console line with `{text}`"), limit, |happening| {
            happening.console().filter(|line| line.contains(text)).map(str::to_owned)
        })
    }

    /// Waits for an event of the boot report, looking at the past too.
    pub fn wait_event(&self, awaited: &str, limit: Duration, wanted: impl Fn(&Event) -> bool) -> Result<Event> {
        self.wait_event_since(Mark::default(), awaited, limit, wanted)
    }

    /// Waits for an event of the boot report since `mark`.
    pub fn wait_event_since(
        &self,
        mark: Mark,
        awaited: &str,
        limit: Duration,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Event> {
        self.wait_since(mark, awaited, limit, |happening| happening.event().filter(|event| wanted(event)).cloned())
    }

    /// Waits for the end of a phase of the boot, looking at the past too.
    pub fn wait_phase(&self, phase: &str, limit: Duration) -> Result<()> {
        let is_it = |event: &Event| matches!(event, Event::Phase { name, .. } if name == phase);
        self.wait_event(&format!("phase={phase}"), limit, is_it).map(drop)
    }

    /// Waits until something has happened to a service since `mark`: `started`, `healthy`, `exited`.
    pub fn wait_service_since(&self, mark: Mark, service: &str, wanted: &str, limit: Duration) -> Result<()> {
        let is_it =
            |event: &Event| matches!(event, Event::Service { name, what, .. } if name == service && what == wanted);
        self.wait_event_since(mark, &format!("{service} {wanted}"), limit, is_it).map(drop)
    }

    /// Waits until `pick` takes a happening since `mark`. A refusal, a panic, the machine's end and a wish to stop it
    /// are errors at once, unless `pick` takes them.
    pub fn wait_since<R>(
        &self,
        mark: Mark,
        awaited: &str,
        limit: Duration,
        mut pick: impl FnMut(&Happening) -> Option<R>,
    ) -> Result<R> {
        let found = self.feed.wait(mark, limit, |happening| match pick(happening) {
            Some(result) => Some(Ok(result)),
            None => Fatal::of(happening).map(Err),
        });
        match found {
            Some(Ok(result)) => Ok(result),
            Some(Err(fatal)) => Err(self.fatal(fatal, awaited.to_owned())),
            None => Err(Error::Deadline { awaited: awaited.to_owned(), waited: limit, log: self.kept_log() }),
        }
    }

    /// Waits until QEMU's process has ended. A refusal or a panic on the way is not an error here.
    pub fn wait_exit(&self, limit: Duration) -> Result<Exit> {
        let gone =
            self.feed.wait(Mark::default(), limit, |happening| matches!(happening, Happening::Gone).then_some(()));
        let awaited = || "end of the machine".to_owned();
        gone.ok_or_else(|| Error::Deadline { awaited: awaited(), waited: limit, log: self.kept_log() })?;
        let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).status();
        Ok(Exit { reason: self.shutdown_reason(), status })
    }

    /// Runs a command of QEMU's control protocol.
    pub fn qmp(&self, command: &str, arguments: Value) -> Result<Value> {
        self.qmp.lock().unwrap_or_else(PoisonError::into_inner).execute(command, arguments)
    }

    /// Presses the power key.
    pub fn power_key(&self) -> Result<()> {
        self.qmp("system_powerdown", json!({})).map(drop)
    }

    /// Presses the power key and waits until the machine has ended. One wish to stop it ([`Happening::Stop`]) may be
    /// what led here; the second one gives up the wait.
    pub fn power_off(&self, limit: Duration) -> Result<()> {
        self.power_key()?;
        let awaited = || "end of the machine".to_owned();
        let mut stops = 0;
        let found = self.feed.wait(Mark::default(), limit, |happening| match happening {
            Happening::Gone => Some(Ok(())),
            Happening::Stop => {
                stops += 1;
                (stops > 1).then(|| Err(Error::Stopped { awaited: awaited() }))
            }
            _ => None,
        });
        let late = || Err(Error::Deadline { awaited: awaited(), waited: limit, log: self.kept_log() });
        found.unwrap_or_else(late)
    }

    /// Presses the reset key.
    pub fn reset(&self) -> Result<()> {
        self.qmp("system_reset", json!({})).map(drop)
    }

    /// Pulls the plug. What the disk had acknowledged is in its file; nothing else is.
    pub fn cut_power(self) {
        drop(self);
    }

    /// Writes one line to a virtio-serial port.
    pub fn write_port(&self, port: &str, line: &str) -> Result<()> {
        let found = self.writers.iter().find(|(name, _)| name == port);
        let (_, stream) = found.ok_or_else(|| Error::Machine(format!("this machine has no port `{port}`")))?;
        let mut stream = stream;
        writeln!(stream, "{line}").map_err(Error::file("writing to the port of", &self.log))
    }

    /// The end of the console's log. The file outlives the machine from now on.
    #[must_use]
    pub fn kept_log(&self) -> Log {
        let mut lines = self.feed.collect(Mark::default(), |happening| happening.console().map(str::to_owned));
        let tail = lines.split_off(lines.len().saturating_sub(TAIL));
        let path = keep(&self.log, self.folder.path());
        Log { path, tail }
    }

    fn shutdown_reason(&self) -> String {
        let reason = |happening: &Happening| match happening {
            Happening::Control(event) if event["event"] == "SHUTDOWN" => {
                event["data"]["reason"].as_str().map(str::to_owned)
            }
            _ => None,
        };
        self.feed.collect(Mark::default(), reason).pop().unwrap_or_else(|| "unknown".into())
    }

    fn fatal(&self, fatal: Fatal, awaited: String) -> Error {
        let log = || self.kept_log();
        match fatal {
            // Nothing went wrong: no log is kept.
            Fatal::Stop => Error::Stopped { awaited },
            Fatal::Refused { stage, reason } => Error::Refused { awaited, stage, reason, log: log() },
            Fatal::Panic(line) => Error::Panic { awaited, line, log: log() },
            Fatal::NothingStarted => Error::NothingStarted { awaited, log: log() },
            Fatal::Gone => {
                let said = program::tail(&self.stderr.lock().unwrap_or_else(PoisonError::into_inner));
                let how = format!("{} {said}", self.shutdown_reason());
                Error::Ended { awaited, how: how.trim_end().to_owned(), log: log() }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A second panic here would abort the process.
            let _ = writeln!(std::io::stderr(), "{}", self.kept_log());
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Running").field("log", &self.log).finish_non_exhaustive()
    }
}

/// What ends every wait.
enum Fatal {
    Stop,
    Refused { stage: String, reason: String },
    Panic(String),
    NothingStarted,
    Gone,
}

/// OVMF's words when no disk is left to start: it waits for a key then.
const NOTHING_STARTED: &str = "BdsDxe: No bootable option or device was found";

impl Fatal {
    fn of(happening: &Happening) -> Option<Fatal> {
        match happening {
            Happening::Gone => Some(Fatal::Gone),
            Happening::Stop => Some(Fatal::Stop),
            Happening::Console { line, .. } if line.contains("Kernel panic - not syncing") => {
                Some(Fatal::Panic(line.clone()))
            }
            Happening::Console { line, .. } if line.contains(NOTHING_STARTED) => Some(Fatal::NothingStarted),
            other => match other.event()? {
                Event::Refused { stage, reason } => {
                    Some(Fatal::Refused { stage: stage.clone(), reason: reason.clone() })
                }
                _ => None,
            },
        }
    }
}

/// A log in the working folder would go with it: gives it a name beside the folder.
fn keep(log: &Path, folder: &Path) -> PathBuf {
    if !log.starts_with(folder) {
        return log.to_owned();
    }
    let kept = folder.with_extension("serial.log");
    match std::fs::copy(log, &kept) {
        Ok(_) => kept,
        Err(_) => log.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    /// A machine of which only the control socket lives, and answers to every command that it is done.
    fn machine() -> Running {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            writeln!(&theirs, r#"{{"QMP": {{}}}}"#).unwrap();
            let lines = BufReader::new(theirs.try_clone().unwrap()).lines();
            lines.map_while(std::io::Result::ok).for_each(|_| writeln!(&theirs, r#"{{"return": {{}}}}"#).unwrap());
        });
        let folder = tempfile::tempdir().unwrap();
        Running::new(Parts {
            child: Reaped(std::process::Command::new("true").spawn().unwrap()),
            stderr: Arc::default(),
            qmp: Qmp::greet(ours, Box::new(|_| {})).unwrap(),
            writers: Vec::new(),
            feed: Feed::new(8),
            log: folder.path().join("serial.log"),
            folder,
            accelerator: Accelerator::Kvm,
        })
    }

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_wish_to_stop_ends_a_wait() {
        let running = machine();
        running.feed().push(Happening::Stop);
        let error = running.wait_line("never said", LONG).unwrap_err();
        assert!(matches!(&error, Error::Stopped { awaited } if awaited.contains("never said")), "{error}");
    }

    #[test]
    fn a_firmware_that_starts_nothing_ends_a_wait() {
        let running = machine();
        let line = "BdsDxe: No bootable option or device was found.".to_owned();
        running.feed().push(Happening::Console { line, event: None });
        let error = running.wait_line("never said", LONG).unwrap_err();
        assert!(matches!(error, Error::NothingStarted { .. }), "{error}");
        assert!(running.wait_line("No bootable option", LONG).is_ok(), "who waits for that gets it");
    }

    #[test]
    fn powering_off_is_given_up_by_the_second_wish_to_stop() {
        let ends = |happenings: &[Happening], limit| {
            let running = machine();
            happenings.iter().for_each(|happening| running.feed().push(happening.clone()));
            running.power_off(limit)
        };
        assert!(ends(&[Happening::Gone], LONG).is_ok());
        assert!(ends(&[Happening::Stop, Happening::Gone, Happening::Stop], LONG).is_ok());
        let twice = ends(&[Happening::Stop, Happening::Stop], LONG);
        assert!(matches!(twice, Err(Error::Stopped { .. })), "{twice:?}");
        let once = ends(&[Happening::Stop], Duration::ZERO);
        assert!(matches!(once, Err(Error::Deadline { .. })), "{once:?}");
    }
}
