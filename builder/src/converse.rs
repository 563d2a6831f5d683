//! Programs that are told something and answer: with a deadline, at which they and what they started are ended, and
//! with a bound on what is read of them.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// How long the end of a failed program's error output is waited for: a daemon that it left behind may hold the pipe.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a program is waited for, and how much of what it writes is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From its start to its end.
    pub patience: Duration,
    /// Of each of its outputs.
    pub most_bytes: u64,
}

/// What a program came to. It is never printed whole: the answer may be secret.
pub struct Conversation {
    /// What it wrote to its standard output.
    pub answer: Result<Vec<u8>, Trouble>,
    /// How it ended; one without an answer was killed.
    pub status: ExitStatus,
    /// Of one that failed, if its error output is a pipe: the beginning of that.
    pub complaint: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// It did not end in time.
    Late,
    /// It wrote more than is read.
    Long,
    /// What the system said.
    Unread(io::Error),
}

/// Starts a program, in a process group of its own, writes the message, and reads the answer until the program closes it
/// and ends. An error: it cannot be started. Its error output goes where the command says.
pub fn converse(command: &mut Command, message: &[u8], limits: Limits) -> io::Result<Conversation> {
    let mut child = command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let deadline = Instant::now() + limits.patience;
    if let Some(mut input) = child.stdin.take() {
        let message = message.to_vec();
        // A program need not read what it is told to its end; what it answers is judged anyway.
        std::thread::spawn(move || input.write_all(&message));
    }
    let complaint = child.stderr.take().map(|pipe| listen(pipe, limits.most_bytes));
    let output = child.stdout.take().map(|pipe| listen(pipe, limits.most_bytes.saturating_add(1)));
    let answer = output.map_or(Ok(Vec::new()), |output| hear(&child, &output, deadline, limits.most_bytes));
    if answer.is_err() {
        // Its own children too: they hold the pipe.
        let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
    }
    let status = child.wait()?;
    let complaint = complaint.filter(|_| answer.is_err() || !status.success());
    let complaint = complaint.and_then(|complaint| complaint.recv_timeout(LAST_WORDS).ok()?.ok());
    Ok(Conversation { answer, status, complaint: complaint.unwrap_or_default() })
}

/// The beginning of what arrives on a pipe, once it ends or has so many bytes. The rest is read as well: a full pipe would
/// stop the program.
fn listen(mut pipe: impl Read + Send + 'static, most: u64) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = (&mut pipe).take(most).read_to_end(&mut bytes);
        let _ = sender.send(read.map(|_| bytes));
        let _ = io::copy(&mut pipe, &mut io::sink());
    });
    receiver
}

fn hear(
    child: &Child,
    output: &Receiver<io::Result<Vec<u8>>>,
    deadline: Instant,
    most: u64,
) -> Result<Vec<u8>, Trouble> {
    let answer = output.recv_timeout(left(deadline)).map_err(|_| Trouble::Late)?.map_err(Trouble::Unread)?;
    if answer.len() as u64 > most {
        return Err(Trouble::Long);
    }
    // It may close its output and go on for ever.
    await_end(child, deadline)?;
    Ok(answer)
}

fn await_end(child: &Child, deadline: Instant) -> Result<(), Trouble> {
    let (sender, receiver) = channel();
    let pid = Pid::from_raw(child.id() as i32);
    std::thread::spawn(move || {
        // Its status stays for the caller.
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        let _ = sender.send(waitid(Id::Pid(pid), flags).map(drop));
    });
    let ended = receiver.recv_timeout(left(deadline)).map_err(|_| Trouble::Late)?;
    ended.map_err(|error| Trouble::Unread(error.into()))
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Conversation {
        let limits = Limits { patience: Duration::from_secs(60), most_bytes: 10 };
        let mut command = Command::new("sh");
        converse(command.args(["-c", script]).stderr(Stdio::piped()), b"message", limits).unwrap()
    }

    #[test]
    fn what_a_failed_program_says_is_heard_and_not_all_of_a_flood() {
        for (script, answer, code, complaint) in [
            ("echo why >&2; cat", Some("message"), 0, ""),
            ("echo why >&2; printf no; exit 3", Some("no"), 3, "why\n"),
            ("head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1", Some(""), 1, "xxxxxxxxxx"),
            ("printf 1234567890", Some("1234567890"), 0, ""),
        ] {
            let heard = shell(script);
            let text = heard.answer.ok().map(|answer| String::from_utf8(answer).unwrap());
            assert_eq!((text.as_deref(), heard.status.code()), (answer, Some(code)), "{script}");
            assert_eq!(String::from_utf8(heard.complaint).unwrap(), complaint, "{script}");
        }
        let long = shell("echo why >&2; printf 12345678901; sleep 600");
        assert!(matches!(long.answer, Err(Trouble::Long)) && !long.status.success());
        assert_eq!(long.complaint, b"why\n");
    }
}
