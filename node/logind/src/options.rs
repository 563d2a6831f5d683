//! The command line.

use std::path::PathBuf;
use std::time::Duration;

/// Where clients connect, and how long one may hold up a shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The socket. kubelet dials `/var/run/dbus/system_bus_socket`, and `/var/run` is a link to `/run`.
    pub socket: PathBuf,
    /// `InhibitDelayMaxUSec`. kubelet wants at least its own grace period, or else writes logind's configuration itself,
    /// for which the node has no place.
    pub delay: Duration,
}

/// What the program takes.
pub const USAGE: &str = "usage: logind [--socket PATH] [--delay SECONDS]";

/// More than any grace period that a node config may ask for.
const LONGEST: u64 = 3600;

/// Reads the command line, without the program's name.
pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { socket: "/run/dbus/system_bus_socket".into(), delay: Duration::from_secs(60) };
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value; {USAGE}"));
        match name.as_str() {
            "--socket" => options.socket = value()?.into(),
            "--delay" => options.delay = delay(&value()?)?,
            _ => return Err(format!("{name} is not known; {USAGE}")),
        }
    }
    Ok(options)
}

fn delay(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("--delay {text}: a number of seconds from 1 to {LONGEST}; {USAGE}"))?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Options, String> {
        parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn what_is_not_known_is_named() {
        let options = parsed(&["--delay", "45", "--socket", "/a"]).expect("options");
        assert_eq!((options.delay.as_secs(), options.socket), (45, "/a".into()));
        for (words, named) in [
            (&["--delay"][..], "--delay needs a value"),
            (&["--delay", "0"], "--delay 0"),
            (&["--delay", "3601"], "from 1 to 3600"),
            (&["--delay", "-1"], "--delay -1"),
            (&["x"], "x is not known"),
        ] {
            let error = parsed(words).expect_err("refused");
            assert!(error.contains(named) && error.ends_with(USAGE), "{error}");
        }
    }
}
