//! Steps and their times on standard error: bars on a terminal that can show them, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::sources::Report;

/// How often a long step without a terminal says how far it is: rarely enough for a log.
const PLAIN_INTERVAL: Duration = Duration::from_secs(30);

/// Shows steps on standard error.
pub struct Progress {
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    bar: Option<ProgressBar>,
    said: Instant,
}

impl Progress {
    /// Bars where standard error is a terminal that can move its cursor: on a dumb one a hidden set of bars would
    /// swallow every line that is printed above them.
    pub fn stderr() -> Progress {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Progress { bars: bars.filter(|bars| !bars.is_hidden()), running: Mutex::default() }
    }

    fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => {
                let _ = bars.println(text);
            }
            None => plain(text),
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Running>> {
        // A panic elsewhere while steps are shown leaves nothing half-changed here.
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Report for Progress {
    fn begin(&self, step: &str) {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner().with_message(step.to_owned()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        self.running().insert(step.into(), Running { bar, said: Instant::now() });
    }

    fn end(&self, step: &str, outcome: &str, took: Duration) {
        if let Some(Running { bar: Some(bar), .. }) = self.running().remove(step) {
            bar.finish_and_clear();
        }
        self.line(&format!("{step:<28} {:>7.2} s  {outcome}", took.as_secs_f64()));
    }

    fn bytes(&self, step: &str, done: u64, total: Option<u64>) {
        let mut running = self.running();
        let Some(Running { bar, said }) = running.get_mut(step) else { return };
        if let Some(bar) = bar {
            if let Some(total) = total.filter(|total| bar.length() != Some(*total)) {
                bar.set_length(total);
                let style = ProgressStyle::with_template("{msg:28} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            }
            bar.set_position(done);
        } else if said.elapsed() >= PLAIN_INTERVAL {
            *said = Instant::now();
            plain(&format!("{step:<28}   …      {} of {}", mib(done), total.map_or("?".into(), mib)));
        }
    }

    fn note(&self, text: &str) {
        self.line(text);
    }
}

/// What nobody reads any more is no failure of the step.
fn plain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Bytes as they are shown.
pub(super) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
