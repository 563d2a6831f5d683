//! The end of a boot that must not go on: one line everywhere, then a reset or power off.

use super::Report;
use nix::sys::reboot::{RebootMode, reboot};
use std::fmt::Display;
use std::time::Duration;

/// How long the line stays readable.
const READING_TIME: Duration = Duration::from_secs(10);

/// Why a boot does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Name of the stage that refuses.
    pub stage: String,
    /// Why, and what to do.
    pub reason: String,
}

impl Refusal {
    /// A refusal of a stage.
    pub fn new(stage: impl Into<String>, reason: impl Into<String>) -> Self {
        Refusal { stage: stage.into(), reason: reason.into() }
    }
}

impl From<orlop_chain::Refusal> for Refusal {
    fn from(refusal: orlop_chain::Refusal) -> Self {
        Refusal::new(refusal.stage.to_string(), refusal.reason)
    }
}

/// Gives an error its stage, and says what was tried.
pub fn or_refuse<T, E: Display>(result: Result<T, E>, stage: &str, tried: impl Display) -> Result<T, Refusal> {
    result.map_err(|error| Refusal::new(stage, format!("{tried}: {error}")))
}

/// What a refusal does after its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Reset.
    Reboot,
    /// Power off.
    PowerOff,
}

/// Ends the boot. Never returns, never goes on.
pub fn refuse(report: &mut Report, refusal: &Refusal, stop: Stop) -> ! {
    report.refused(refusal);
    end(report, stop)
}

/// Waits until the line can have been read, then stops the machine.
fn end(report: &mut Report, stop: Stop) -> ! {
    for _ in 0..READING_TIME.as_secs() {
        std::thread::sleep(Duration::from_secs(1));
        report.flush();
    }
    let mode = match stop {
        Stop::Reboot => RebootMode::RB_AUTOBOOT,
        Stop::PowerOff => RebootMode::RB_POWER_OFF,
    };
    let _ = reboot(mode);
    // Without the right to reset (not PID 1 of a machine): the end of PID 1 is a panic, which resets.
    std::process::exit(1)
}

/// A bug in PID 1 is a refusal as well: the kernel would only say that init was killed.
pub fn refuse_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        let text = info.payload_as_str().unwrap_or("panic").to_owned();
        refuse(&mut Report::reopen(), &Refusal::new("panic", format!("{text}{place}")), Stop::Reboot)
    }));
}
