//! The command line. PID 1 gives none; the options are for tests and for looking into a machine.

use crate::sntp::clock::Clock;
use std::path::PathBuf;

/// Where things are, and which cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Folder of `resolv.conf`, `lease.json`, and the node config once it is taken.
    pub run: PathBuf,
    /// The cards, whatever makes them; none: every card of Ethernet.
    pub cards: Vec<String>,
    /// The image's settings.
    pub settings: PathBuf,
    /// What is done to the clock.
    pub clock: Clock,
    /// `/sys`, for providers.
    pub sys: PathBuf,
    /// `/dev`, for providers.
    pub dev: PathBuf,
}

/// What the program takes.
pub const USAGE: &str =
    "usage: net [--run FOLDER] [--card NAME]… [--settings FILE] [--sys FOLDER] [--dev FOLDER] [--leave-clock]";

/// Reads the command line, without the program's name.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        run: orlop_config::node::NET_FOLDER.into(),
        cards: Vec::new(),
        settings: orlop_config::node::NODE_SETTINGS.into(),
        clock: Clock::Kept,
        sys: "/sys".into(),
        dev: "/dev".into(),
    };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value; {USAGE}"));
        match name.as_str() {
            "--run" => options.run = value()?.into(),
            "--settings" => options.settings = value()?.into(),
            "--leave-clock" => options.clock = Clock::Compared,
            "--sys" => options.sys = value()?.into(),
            "--dev" => options.dev = value()?.into(),
            "--card" => options.cards.push(value()?),
            _ => return Err(format!("{name} is not known; {USAGE}")),
        }
    }
    Ok(options)
}
