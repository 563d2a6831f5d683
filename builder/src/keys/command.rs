//! An external command as signer: for tokens, HSMs and key services.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::Signer;

/// A person may have to touch a token; longer than this nobody means it.
const PATIENCE: Duration = Duration::from_secs(120);
/// No signature that is asked for here is longer.
const MOST_BYTES: u64 = 4096;

/// Signs by running a program: what is to be signed on its standard input, the raw signature on its standard output.
pub struct CommandSigner {
    words: Vec<String>,
    folder: PathBuf,
    patience: Duration,
}

impl CommandSigner {
    /// A command, which runs in `folder`.
    pub fn new(words: Vec<String>, folder: &Path) -> Self {
        CommandSigner { words, folder: folder.into(), patience: PATIENCE }
    }

    /// The same with another deadline.
    pub fn patience(self, patience: Duration) -> Self {
        CommandSigner { patience, ..self }
    }

    fn run(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (program, arguments) = self.words.split_first().context("an empty command")?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).process_group(0);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("it cannot be started")?;
        let outcome = converse(&mut child, message, self.patience);
        if outcome.is_err() {
            // Its own children too: they hold the pipe.
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
        }
        let status = child.wait()?;
        let answer = outcome?;
        if !status.success() {
            bail!("{status}");
        }
        Ok(answer)
    }
}

impl Signer for CommandSigner {
    fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        // Its arguments may hold a PIN, and errors end in logs.
        let program = self.words.first().map_or("", String::as_str);
        self.run(message).with_context(|| format!("signer command `{program}`"))
    }
}

/// Writes the message, and reads the answer until the program closes it.
fn converse(child: &mut Child, message: &[u8], patience: Duration) -> anyhow::Result<Vec<u8>> {
    let mut input = child.stdin.take().context("no standard input")?;
    let mut output = child.stdout.take().context("no standard output")?;
    let message = message.to_vec();
    // A program need not read what it signs to its end; what it answers is judged anyway.
    std::thread::spawn(move || input.write_all(&message));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut answer = Vec::new();
        let read = (&mut output).take(MOST_BYTES + 1).read_to_end(&mut answer);
        let _ = sender.send(read.map(|_| answer));
    });
    let end = Instant::now() + patience;
    let late = || format!("no signature after {} s; it was ended", patience.as_secs_f32());
    let answer = receiver.recv_timeout(patience).with_context(late)?.context("its answer cannot be read")?;
    if answer.len() as u64 > MOST_BYTES {
        bail!(
            "more than {MOST_BYTES} bytes on standard output, which no signature has; it has to print the raw signature"
        );
    }
    // It may close its output and go on for ever.
    await_end(child, end).with_context(late)?;
    Ok(answer)
}

fn await_end(child: &mut Child, end: Instant) -> anyhow::Result<()> {
    let (sender, receiver) = mpsc::channel();
    let pid = Pid::from_raw(child.id() as i32);
    std::thread::spawn(move || {
        use nix::sys::wait::{Id, WaitPidFlag, waitid};
        // Its status stays for the caller.
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        let _ = sender.send(waitid(Id::Pid(pid), flags).map(drop));
    });
    receiver.recv_timeout(end.saturating_duration_since(Instant::now()))??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(script: &str) -> anyhow::Result<Vec<u8>> {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        CommandSigner::new(words, Path::new("/")).patience(Duration::from_millis(500)).sign(b"message")
    }

    #[test]
    fn what_it_prints_is_the_signature_of_what_it_reads() {
        assert_eq!(sign("cat; pwd").unwrap(), b"message/\n");
        assert_eq!(sign("printf x").unwrap(), b"x", "it need not read");
    }

    #[test]
    fn a_command_that_fails_hangs_or_floods_is_an_error_that_names_it() {
        for (script, want) in [
            ("exit 7", "exit status: 7"),
            ("sleep 600", "no signature after 0.5 s"),
            ("sleep 600 & wait", "no signature after 0.5 s"),
            ("printf x; exec >&-; sleep 600", "no signature after 0.5 s"),
            ("yes", "more than 4096 bytes"),
            ("kill -9 $$", "signal: 9"),
        ] {
            let begun = Instant::now();
            let error = format!("{:#}", sign(script).unwrap_err());
            assert!(error.contains(want) && error.contains("signer command `sh`"), "{script}: {error}");
            assert!(begun.elapsed() < Duration::from_secs(60), "{script}");
        }
        let missing = CommandSigner::new(vec!["no-such-program".into()], Path::new("/")).sign(b"x");
        assert!(format!("{:#}", missing.unwrap_err()).contains("it cannot be started"));
    }
}
