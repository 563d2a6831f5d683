//! How steps tell what they do; the command line shows it.

use std::time::{Duration, Instant};

/// Where steps report. All methods may be called from several threads.
pub trait Report: Sync {
    /// A step starts.
    fn begin(&self, step: &str);
    /// A step is done: what came out, and how long it took.
    fn end(&self, step: &str, outcome: &str, took: Duration);
    /// A step's bytes so far, and how many there will be.
    fn bytes(&self, step: &str, done: u64, total: Option<u64>);
    /// Something that a person should know.
    fn note(&self, text: &str);
}

/// Reports nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Report for Silent {
    fn begin(&self, _step: &str) {}
    fn end(&self, _step: &str, _outcome: &str, _took: Duration) {}
    fn bytes(&self, _step: &str, _done: u64, _total: Option<u64>) {}
    fn note(&self, _text: &str) {}
}

/// Runs one step: begins it, and ends it with its time when it succeeds.
pub fn step<T, E>(report: &dyn Report, name: &str, run: impl FnOnce() -> Result<(T, String), E>) -> Result<T, E> {
    let start = Instant::now();
    report.begin(name);
    let (value, outcome) = run()?;
    report.end(name, &outcome, start.elapsed());
    Ok(value)
}
