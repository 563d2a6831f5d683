//! One server process: its lines are awaited, its log is kept, it is killed when dropped. And programs that are run to
//! their end, always with a deadline.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::feed::{Feed, Mark};
use crate::spawn::Reaped;
use crate::{Error, Result, program};

/// How many lines of a server are kept in memory.
const KEPT: usize = 4096;
/// How many lines an error shows.
const TAIL: usize = 30;

/// Something of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sign {
    Line(String),
    Gone,
}

/// One server process.
#[derive(Debug)]
pub struct Service {
    name: String,
    child: Reaped,
    log: PathBuf,
    feed: Feed<Sign>,
}

impl Service {
    /// Starts it; all that it writes goes to `log`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Service> {
        let mut file = File::options().create(true).append(true).open(log).map_err(Error::file("opening", log))?;
        let failed = |error: std::io::Error| Error::Lab(format!("{name} does not start: {error}"));
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
        let child = Reaped(command.spawn().map_err(failed)?);
        // It holds the pipe's writing end, which must be closed for the reader to come to an end.
        drop(command);
        let feed = Feed::new(KEPT);
        let lines = feed.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            let mut line = Vec::new();
            while let Ok(1..) = reader.read_until(b'\n', &mut line) {
                // A full disk must not stop the server; its lines are still awaited.
                let _ = file.write_all(&line);
                lines.push(Sign::Line(String::from_utf8_lossy(&line).trim_end().to_owned()));
                line.clear();
            }
            lines.push(Sign::Gone);
        });
        Ok(Service { name: name.into(), child, log: log.to_owned(), feed })
    }

    /// The position behind what it has said so far.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.feed.mark()
    }

    /// Waits for a line that holds `text`, looking at the past too.
    pub fn wait_line(&self, text: &str, limit: Duration) -> Result<String> {
        self.wait_line_since(Mark::default(), text, limit)
    }

    /// Waits for a line since `mark` that holds `text`. The server's end is an error at once.
    pub fn wait_line_since(&self, mark: Mark, text: &str, limit: Duration) -> Result<String> {
        let holds = |line: &str| line.contains(text).then(|| line.to_owned());
        self.wait_for(mark, &format!("line with `{text}`"), limit, holds)
    }

    /// Waits for a line since `mark` of which `pick` makes something. The server's end is an error at once.
    pub(super) fn wait_for<R>(
        &self,
        mark: Mark,
        awaited: &str,
        limit: Duration,
        pick: impl Fn(&str) -> Option<R>,
    ) -> Result<R> {
        let found = self.feed.wait(mark, limit, |sign| match sign {
            Sign::Line(line) => pick(line).map(Some),
            Sign::Gone => Some(None),
        });
        let awaited = format!("{awaited} of {}", self.name);
        match found {
            Some(Some(found)) => Ok(found),
            Some(None) => Err(self.error(&format!("{} ended while waiting for a {awaited}", self.name))),
            None => Err(self.error(&format!("no {awaited} within {} s", limit.as_secs_f32()))),
        }
    }

    /// The lines since `mark` that hold `text`.
    #[must_use]
    pub fn lines_since(&self, mark: Mark, text: &str) -> Vec<String> {
        self.feed.collect(mark, |sign| match sign {
            Sign::Line(line) => line.contains(text).then(|| line.clone()),
            Sign::Gone => None,
        })
    }

    /// An error of the lab with the end of this server's log.
    #[must_use]
    pub fn error(&self, what: &str) -> Error {
        let mut tail = self.feed.collect(Mark::default(), |sign| match sign {
            Sign::Line(line) => Some(line.clone()),
            Sign::Gone => None,
        });
        let tail = tail.split_off(tail.len().saturating_sub(TAIL));
        let lines: String = tail.iter().map(|line| format!("  | {line}\n")).collect();
        Error::Lab(format!("{what}\nwhole log: {}; its last {} lines:\n{lines}", self.log.display(), tail.len()))
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Waits until it has ended by itself, and whoever it left its output to as well; how it ended.
    pub fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let gone = self.feed.wait(Mark::default(), limit, |sign| (*sign == Sign::Gone).then_some(()));
        let late = || self.error(&format!("{} has not ended within {} s", self.name, limit.as_secs_f32()));
        gone.ok_or_else(late)?;
        self.child.0.wait().map_err(|error| Error::Lab(format!("{}: {error}", self.name)))
    }

    /// Kills it, and waits for its end.
    pub fn stop(mut self) {
        self.child.kill();
    }
}

/// How a program ended, and what it wrote.
#[derive(Debug)]
pub(super) struct Finished {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Between two looks at whether a program whose output is at its end has ended as well: mostly it has.
const LOOK: Duration = Duration::from_millis(2);

/// Runs a program to its end; it is killed at its deadline, whatever it is at: it may leave its input unread, or close its
/// output and stay.
pub(super) fn finish(mut command: Command, input: Option<&[u8]>, limit: Duration) -> Result<Finished> {
    let name = format!("{:?}", command.get_args().last().unwrap_or(command.get_program()));
    let failed = |error: std::io::Error| Error::Lab(format!("{name}: {error}"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let deadline = Instant::now() + limit;
    let mut child = Reaped(command.spawn().map_err(failed)?);
    let (done, both) = mpsc::channel();
    let read = |stream: Option<Box<dyn Read + Send>>, which: bool| {
        let done = done.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                let _ = stream.read_to_end(&mut bytes);
            }
            let _ = done.send((which, bytes));
        });
    };
    read(child.0.stdout.take().map(|stream| Box::new(stream) as _), false);
    read(child.0.stderr.take().map(|stream| Box::new(stream) as _), true);
    if let (Some(mut stdin), Some(input)) = (child.0.stdin.take(), input.map(<[u8]>::to_vec)) {
        // A program that reads nothing says why by its status.
        std::thread::spawn(move || stdin.write_all(&input));
    }
    // Who is late is killed as it is dropped.
    let late = || Error::Lab(format!("{name} did not end within {} s", limit.as_secs_f32()));
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        match both.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((false, bytes)) => stdout = bytes,
            Ok((true, bytes)) => stderr = bytes,
            Err(_) => return Err(late()),
        }
    }
    loop {
        if let Some(status) = child.0.try_wait().map_err(failed)? {
            return Ok(Finished { status, stdout, stderr });
        }
        if Instant::now() >= deadline {
            return Err(late());
        }
        std::thread::sleep(LOOK);
    }
}

/// What a program wrote, if it ended well.
pub(super) fn succeeded(name: &str, finished: Finished) -> Result<String> {
    if finished.status.success() {
        return Ok(String::from_utf8_lossy(&finished.stdout).into_owned());
    }
    let said = if finished.stderr.is_empty() { &finished.stdout } else { &finished.stderr };
    Err(Error::Lab(format!("{name} failed ({}): {}", finished.status, program::tail(said))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_a_program_wrote_and_how_it_ended_is_there() {
        let input = vec![b'a'; 1 << 20];
        let done = finish(shell("cat; echo why >&2; exit 3"), Some(&input), Duration::from_secs(60)).unwrap();
        assert_eq!((done.stdout == input, done.stderr.as_slice(), done.status.code()), (true, &b"why\n"[..], Some(3)));
        // It reads nothing of it.
        let done = finish(shell("exit 4"), Some(&input), Duration::from_secs(60)).unwrap();
        assert_eq!(done.status.code(), Some(4));
    }

    #[test]
    fn a_program_has_a_deadline_whatever_it_does_with_its_pipes() {
        let input = vec![b'a'; 1 << 20];
        let cases: [(&str, Option<&[u8]>); 4] = [
            ("exec sleep 600", None),
            ("exec sleep 600", Some(input.as_slice())),
            ("exec sleep 600 >&- 2>&-", None),
            ("exec sleep 600 >&- 2>&-", Some(input.as_slice())),
        ];
        for (script, input) in cases {
            let began = Instant::now();
            let error = finish(shell(script), input, Duration::from_millis(200)).unwrap_err().to_string();
            assert!(error.contains("did not end within 0.2 s"), "{script}: {error}");
            assert!(began.elapsed() < Duration::from_secs(60), "{script}: {:?}", began.elapsed());
        }
    }
}
