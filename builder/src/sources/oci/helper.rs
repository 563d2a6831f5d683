//! Credential helpers: programs that keep names and passwords of registries elsewhere than in a file. They are asked as
//! docker asks them: `docker-credential-NAME get`, the server on standard input, JSON on standard output.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use super::super::error::Error;
use crate::converse::{Conversation, Limits, Trouble, converse};
use crate::text::{printable, shown};

/// A person may have to unlock a keychain. No name with its secret is longer: a token has some thousand bytes.
const LIMITS: Limits = Limits { patience: Duration::from_secs(60), most_bytes: 64 << 10 };
/// What one says that keeps nothing for a server: on standard output, and it fails.
const NOTHING: &[u8] = b"credentials not found in native keychain";
/// How much of what a failed one says stands in the error, in characters.
const MOST_SAID: usize = 500;

/// Where helpers are looked for, and how long they are waited for.
#[derive(Debug, Clone)]
pub struct Helpers {
    /// As `PATH` has them.
    folders: OsString,
    limits: Limits,
}

/// Which one is asked, and for what.
pub struct Question<'a> {
    /// The file that names it, for messages.
    pub file: &'a Path,
    /// What stands behind `docker-credential-` in its program's name.
    pub helper: &'a str,
    /// The registry, as it was told when somebody logged in.
    pub server: &'a str,
}

/// What a helper keeps for a server.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Kept {
    /// Whose the secret is; `<token>` of an identity token.
    pub username: String,
    /// It is never shown.
    pub secret: String,
}

impl Helpers {
    /// Those in these folders, as `PATH` names them.
    pub fn on(folders: OsString) -> Helpers {
        Helpers { folders, limits: LIMITS }
    }

    /// What a helper keeps for a server, if it keeps something.
    pub fn ask(&self, question: &Question<'_>) -> Result<Option<Kept>, Error> {
        let mut command = Command::new(self.find(question)?);
        let said = converse(command.arg("get").stderr(Stdio::piped()), question.server.as_bytes(), self.limits);
        let said = said.map_err(|error| question.failed(format!("it cannot be started: {error}; install it anew")))?;
        let Conversation { answer, status, complaint } = said;
        let complaint = quoted(&complaint);
        let answer = match answer {
            Ok(answer) => answer,
            Err(Trouble::Late) => {
                let seconds = self.limits.patience.as_secs_f32();
                return Err(question.failed(format!(
                    "no answer after {seconds} s; it was ended{complaint}; where it waits for a password, unlock its keychain first"
                )));
            }
            Err(Trouble::Long) => {
                let most = self.limits.most_bytes;
                return Err(question.failed(format!(
                    "more than {most} bytes on standard output, which no answer of a helper has{complaint}; install it anew"
                )));
            }
            Err(Trouble::Unread(error)) => return Err(question.failed(format!("its answer cannot be read: {error}"))),
        };
        if status.success() {
            return question.read(&answer);
        }
        if answer.trim_ascii() == NOTHING {
            return Ok(None);
        }
        // Docker's own say on standard output why they failed. What may hold a secret is not quoted.
        let is_quotable = complaint.is_empty() && !answer.contains(&b'{');
        let why = if is_quotable { quoted(&answer) } else { complaint };
        let Question { helper, server, .. } = question;
        Err(question.failed(format!(
            "{status}{why}; log in to {server} again with what brought `{helper}`, or take it out of that file"
        )))
    }

    fn find(&self, question: &Question<'_>) -> Result<PathBuf, Error> {
        let Question { file, helper, .. } = question;
        if !is_name(helper) {
            let reason = format!(
                "`{}` names no credential helper; write what stands behind `docker-credential-` in its program's name: letters, \
                 digits, `.`, `_` and `-`",
                shown(helper)
            );
            return Err(Error::format(file.display(), reason));
        }
        let program = question.program();
        // A relative one would be another program in each folder that a build is started in.
        let mut folders = std::env::split_paths(&self.folders).filter(|folder| folder.is_absolute());
        let found = folders.find_map(|folder| Some(folder.join(&program)).filter(|path| is_executable(path)));
        found.ok_or_else(|| {
            let next = "install it, or take it out of that file";
            question.failed(format!("it is in none of the absolute folders of PATH; {next}"))
        })
    }
}

impl Default for Helpers {
    fn default() -> Self {
        Helpers::on(OsString::new())
    }
}

impl Question<'_> {
    fn program(&self) -> String {
        format!("docker-credential-{}", self.helper)
    }

    fn failed(&self, reason: String) -> Error {
        let (file, server) = (self.file.display(), self.server);
        let program = format!("{}, which {file} names, asked for {server}", self.program());
        Error::Tool { program, reason }
    }

    fn read(&self, answer: &[u8]) -> Result<Option<Kept>, Error> {
        // serde quotes what it cannot read, and that may be the secret.
        let kept: Kept = serde_json::from_slice(answer).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            self.failed(format!(
                "its answer is not the JSON of a credential helper (`Username`, `Secret`), at line {line}, column {column}; \
                 install it anew"
            ))
        })?;
        let is_empty = kept.username.is_empty() && kept.secret.is_empty();
        Ok((!is_empty).then_some(kept))
    }
}

/// A file's name and no path, so that it is looked up in PATH.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The end of what a program wrote, on one line, as it stands behind what happened to it.
fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = printable(&lines.join(" / "));
    let skipped = line.chars().count().saturating_sub(MOST_SAID);
    let end: String = line.chars().skip(skipped).collect();
    if end.is_empty() { end } else { format!("; it says: {end}") }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn asked(helpers: &Helpers, helper: &str) -> Result<Option<(String, String)>, String> {
        let question = Question { file: Path::new("config.json"), helper, server: "registry.example:5000" };
        let kept = helpers.ask(&question).map_err(|error| error.to_string())?;
        Ok(kept.map(|Kept { username, secret }| (username, secret)))
    }

    fn answer(script: &str) -> Result<Option<(String, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        sample::helper(folder.path(), "fake", script);
        asked(&Helpers::on(folder.path().into()), "fake")
    }

    fn kept(username: &str, secret: &str) -> Result<Option<(String, String)>, String> {
        Ok(Some((username.to_owned(), secret.to_owned())))
    }

    #[test]
    fn a_helper_is_told_the_server_and_gives_name_and_secret() {
        let echo = r#"printf '{"ServerURL":"x","Username":"%s","Secret":"%s"}\n' "$1" "$(cat)""#;
        assert_eq!(answer(echo), kept("get", "registry.example:5000"));
        // What else it writes is nobody's business, and it need not read.
        let noisy = r#"echo hint >&2; printf '{"Username":"<token>","Secret":"t","More":[1]}'"#;
        assert_eq!(answer(noisy), kept("<token>", "t"));
        for nothing in ["echo credentials not found in native keychain; exit 1", "echo '{}'"] {
            assert_eq!(answer(nothing), Ok(None), "{nothing}");
        }
    }

    #[test]
    fn a_helper_that_fails_is_named_with_its_words_and_never_with_a_secret() {
        for (script, want) in [
            (
                "printf 'no \\033[31mregion\\nset one\\n' >&2; exit 3",
                "exit status: 3; it says: no \u{fffd}[31mregion / set one;",
            ),
            (
                "echo 'error getting credentials: locked'; exit 1",
                "exit status: 1; it says: error getting credentials: locked;",
            ),
            ("echo '{\"Secret\":\"hunter2\"}'; exit 1", "exit status: 1; log in to registry.example:5000"),
            ("echo why >&2; echo hunter2; exit 1", "it says: why; log in"),
            ("echo hunter2", "not the JSON of a credential helper (`Username`, `Secret`), at line 1"),
            ("echo '{\"Username\":\"u\",\"Secret\":[\"hunter2\"]}'", "not the JSON"),
            ("echo credentials not found in native keychain", "not the JSON"),
            ("kill -9 $$", "signal: 9"),
            ("yes hunter2", "more than 65536 bytes on standard output"),
        ] {
            let error = answer(script).unwrap_err();
            for part in [want, "docker-credential-fake", "config.json", "registry.example:5000"] {
                assert!(error.contains(part), "{script}: `{part}` is not in: {error}");
            }
            assert!(!error.contains("hunter2") && !error.contains(char::is_control), "{script}: {error}");
        }
        let error = answer("head -c 5000 /dev/zero | tr '\\0' x >&2; printf '\\nend\\n' >&2; exit 1").unwrap_err();
        assert!(error.contains("x / end;") && error.chars().count() < 1000, "{error}");
    }

    #[test]
    fn a_helper_that_hangs_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        sample::helper(folder.path(), "fake", "echo locked >&2; sleep 600");
        let limits = Limits { patience: Duration::from_millis(500), ..LIMITS };
        let error = asked(&Helpers { limits, ..Helpers::on(folder.path().into()) }, "fake").unwrap_err();
        assert!(error.contains("no answer after 0.5 s") && error.contains("unlock"), "{error}");
    }

    #[test]
    fn a_helper_is_a_plain_name_in_an_absolute_folder() {
        let folder = tempfile::tempdir().unwrap();
        sample::helper(folder.path(), "fake", "echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
        std::fs::write(folder.path().join("docker-credential-plain"), "#!/bin/sh\n").unwrap();
        std::fs::create_dir_all(folder.path().join("docker-credential-x")).unwrap();
        let helpers = Helpers::on(folder.path().into());
        assert!(asked(&helpers, "fake").is_ok_and(|kept| kept.is_some()));
        for name in ["", "x/../docker-credential-fake", "../fake", "fa ke", "fake\n", "fäke", "a\0"] {
            let error = asked(&helpers, name).unwrap_err();
            assert!(error.contains("config.json") && error.contains("names no credential helper"), "{name:?}: {error}");
            assert!(!error.contains(char::is_control), "{name:?}: {error}");
        }
        for name in ["plain", "x", "missing"] {
            let error = asked(&helpers, name).unwrap_err();
            assert!(error.contains(&format!("docker-credential-{name}")) && error.contains("PATH"), "{error}");
        }
        let up = "../".repeat(std::env::current_dir().unwrap().components().count());
        let relative = format!("{up}{}", folder.path().strip_prefix("/").unwrap().display());
        assert!(Path::new(&relative).join("docker-credential-fake").is_file());
        assert!(asked(&Helpers::on(relative.into()), "fake").unwrap_err().contains("absolute folders of PATH"));
    }
}
