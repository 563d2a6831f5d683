//! Work beside PID 1, piece by piece. One that hangs in the kernel is left behind, and another process does the rest: PID 1
//! goes on whatever a piece does.

use crate::report::one_line;
use crate::services::LinePipe;
use crate::sys::process::{has_ended, in_child};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// What has not come back after so long hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a piece of work came to: what is to be said of it, if anything.
pub type Outcome = Result<Option<String>, String>;

/// A list of work, and how far it is.
#[derive(Debug)]
pub struct Beside<T> {
    list: Vec<T>,
    run: fn(&T) -> Outcome,
    pipe: LinePipe,
    /// The other end, for the next process as well.
    write: File,
    worker: Option<Pid>,
    hanging: Vec<Pid>,
    /// What the worker does, and since when.
    at: usize,
    since: Instant,
}

impl<T: Display> Beside<T> {
    /// Begins.
    pub fn start(list: Vec<T>, run: fn(&T) -> Outcome) -> io::Result<Self> {
        let (pipe, write) = LinePipe::new()?;
        let (write, since) = (File::from(write), Instant::now());
        let mut beside = Beside { list, run, pipe, write, worker: None, hanging: Vec::new(), at: 0, since };
        beside.begin(0, since)?;
        Ok(beside)
    }

    fn begin(&mut self, from: usize, now: Instant) -> io::Result<()> {
        (self.worker, self.at, self.since) = (None, from, now);
        if from < self.list.len() {
            self.worker = Some(in_child(|| self.work(from))?);
        }
        Ok(())
    }

    /// In the process: what it begins, and what comes of it.
    fn work(&self, from: usize) {
        let mut out = &self.write;
        let mut say = |word: Word| drop(out.write_all(word.line().as_bytes()));
        for (index, piece) in self.list.iter().enumerate().skip(from) {
            say(Word::At(index));
            match (self.run)(piece) {
                Ok(None) => {}
                Ok(Some(text)) => say(Word::Note(text)),
                Err(text) => say(Word::Error(text)),
            }
        }
        say(Word::At(self.list.len()));
    }

    /// Looks how far it is; what is to be said.
    pub fn look(&mut self, now: Instant) -> Vec<Result<String, String>> {
        // Before its words are read: one that has ended says nothing more.
        let ended = self.worker.is_none_or(has_ended);
        let mut words = Vec::new();
        self.pipe.read(&mut |line| words.extend(Word::read(line)));
        let mut said = Vec::new();
        for word in words {
            match word {
                Word::At(index) => (self.at, self.since) = (index, now),
                Word::Note(text) => said.push(Ok(text)),
                Word::Error(text) => said.push(Err(text)),
            }
        }
        let hangs = now.saturating_duration_since(self.since) >= PATIENCE;
        let trouble = match self.worker {
            Some(_) if ended && self.at >= self.list.len() => {
                self.worker = None;
                None
            }
            Some(_) if ended => Some("was not ended by itself: its process is gone".to_owned()),
            Some(pid) if hangs => Some(self.leave(pid)),
            _ => None,
        };
        let errors = trouble.map(|trouble| self.go_on(&trouble, now));
        said.extend(errors.into_iter().flatten().map(Err));
        said
    }

    /// Leaves a worker behind that hangs; what is to be said of its piece.
    fn leave(&mut self, pid: Pid) -> String {
        // If it comes back in the end, it must not go on with what another one does by then.
        let _ = kill(pid, Signal::SIGKILL);
        self.hanging.push(pid);
        format!("does not come back: {} s and more", PATIENCE.as_secs())
    }

    /// Another worker goes on behind the piece that this is to be said of.
    fn go_on(&mut self, trouble: &str, now: Instant) -> Vec<String> {
        let what = self.list.get(self.at).map(T::to_string).unwrap_or_default();
        let mut errors = vec![format!("{what} {trouble}")];
        errors.extend(self.begin(self.at + 1, now).err().map(|error| error.to_string()));
        errors
    }

    /// When it last went on.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Whether nothing is done any more, what hung included.
    pub fn is_over(&mut self) -> bool {
        self.hanging.retain(|pid| !has_ended(*pid));
        self.worker.is_none() && self.hanging.is_empty()
    }
}

/// What a worker says, one line each.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    At(usize),
    Note(String),
    Error(String),
}

impl Word {
    fn line(&self) -> String {
        // A name on a disk may hold the end of a line.
        match self {
            Word::At(index) => format!("at {index}\n"),
            Word::Note(text) => format!("note {}\n", one_line(text)),
            Word::Error(text) => format!("error {}\n", one_line(text)),
        }
    }

    fn read(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let (kind, text) = line.split_once(' ')?;
        match kind {
            "at" => text.parse().ok().map(Word::At),
            "note" => Some(Word::Note(text.to_owned())),
            "error" => Some(Word::Error(text.to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2 hangs until it is killed.
    fn run(number: &u32) -> Outcome {
        match number {
            2 => nix::unistd::pause(),
            3 => return Err("three\nfails".to_owned()),
            4 => return Ok(None),
            _ => {}
        }
        Ok(Some(format!("{number} done")))
    }

    /// What a look says.
    fn look(beside: &mut Beside<u32>, now: Instant) -> Vec<String> {
        let said = beside.look(now).into_iter();
        said.map(|one| one.map_or_else(|error| format!("error: {error}"), |note| format!("note: {note}"))).collect()
    }

    /// Looks, always at the same time, until something holds; what is said.
    fn looks(beside: &mut Beside<u32>, now: Instant, holds: fn(&mut Beside<u32>) -> bool) -> Vec<String> {
        let mut said = look(beside, now);
        while !holds(beside) {
            std::thread::yield_now();
            said.extend(look(beside, now));
        }
        said
    }

    #[test]
    fn all_is_done_in_order_and_said() {
        let mut beside = Beside::start(vec![1, 3, 4, 5], run).expect("a process");
        let said = looks(&mut beside, Instant::now(), Beside::is_over);
        assert_eq!(said, ["note: 1 done", "error: three fails", "note: 5 done"]);
    }

    #[test]
    fn what_hangs_is_left_behind_by_name_and_the_rest_is_done() {
        let mut beside = Beside::start(vec![1, 2, 3], run).expect("a process");
        let begun = Instant::now();
        assert_eq!(looks(&mut beside, begun, |beside| beside.at == 1), ["note: 1 done"]);
        let said = look(&mut beside, begun + PATIENCE - Duration::from_millis(1));
        assert!(said.is_empty(), "its time is not up: {said:?}");
        let said = looks(&mut beside, begun + PATIENCE, Beside::is_over);
        assert_eq!(said, ["error: 2 does not come back: 10 s and more", "error: three fails"]);
        let said = look(&mut beside, begun + 5 * PATIENCE);
        assert!(said.is_empty(), "it is over: {said:?}");
    }

    #[test]
    fn a_worker_that_somebody_kills_is_said_and_the_rest_is_done() {
        let mut beside = Beside::start(vec![1, 2, 3], run).expect("a process");
        let begun = Instant::now();
        assert_eq!(looks(&mut beside, begun, |beside| beside.at == 1), ["note: 1 done"]);
        kill(beside.worker.expect("one that hangs"), Signal::SIGKILL).expect("killed");
        let said = looks(&mut beside, begun, Beside::is_over);
        assert_eq!(said, ["error: 2 was not ended by itself: its process is gone", "error: three fails"]);
    }

    /// Whoever begins late is late all the same.
    #[test]
    fn the_last_that_hangs_is_said_once_and_awaited() {
        let mut beside = Beside::start(vec![2], run).expect("a process");
        let later = Instant::now() + PATIENCE;
        let mut said = look(&mut beside, later);
        said.extend(looks(&mut beside, later + PATIENCE, |beside| beside.worker.is_none()));
        said.extend(looks(&mut beside, later + 9 * PATIENCE, Beside::is_over));
        assert_eq!(said, ["error: 2 does not come back: 10 s and more"]);
    }

    #[test]
    fn nothing_to_do_is_over_at_once() {
        let mut beside = Beside::start(Vec::new(), run).expect("no process");
        assert!(beside.is_over());
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Word::read(&line);
        }

        #[test]
        fn what_is_said_is_understood(text in "[a-z /\u{fffd}]{0,40}", index in any::<usize>()) {
            for word in [Word::At(index), Word::Note(text.clone()), Word::Error(text)] {
                let line = word.line();
                prop_assert_eq!(Word::read(line.trim_end_matches('\n').as_bytes()), Some(word));
            }
        }
    }
}
