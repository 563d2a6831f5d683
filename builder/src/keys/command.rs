//! An external command as signer: for tokens, HSMs and key services.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use super::Signer;
use crate::converse::{Limits, Trouble, converse};

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
        command.args(arguments).current_dir(&self.folder).stderr(Stdio::inherit());
        let limits = Limits { patience: self.patience, most_bytes: MOST_BYTES };
        let said = converse(&mut command, message, limits).context("it cannot be started")?;
        let answer = match said.answer {
            Ok(answer) => answer,
            Err(Trouble::Late) => bail!("no signature after {} s; it was ended", self.patience.as_secs_f32()),
            Err(Trouble::Long) => bail!(
                "more than {MOST_BYTES} bytes on standard output, which no signature has; it has to print the raw signature"
            ),
            Err(Trouble::Unread(error)) => return Err(error).context("its answer cannot be read"),
        };
        if !said.status.success() {
            bail!("{}", said.status);
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

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
