//! Signals that ask for the machine's end (Ctrl-C, `kill`): told to the machine, so that its disk can be unmounted
//! and no temporary file stays behind.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal};
use orlop_machine::Happening;
use orlop_machine::feed::Feed;

/// Takes the signals for as long as the program runs.
pub struct Stops(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    asked: usize,
    feed: Option<Feed<Happening>>,
}

impl Stops {
    /// From now on the signals end nothing by themselves. Threads and programs that are started later inherit that.
    pub fn catch() -> anyhow::Result<Stops> {
        let mut signals = SigSet::empty();
        [Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|signal| signals.add(signal));
        signals.thread_block().context("blocking signals")?;
        let stops = Stops(Arc::default());
        let state = Arc::clone(&stops.0);
        std::thread::spawn(move || {
            while signals.wait().is_ok() {
                ask(&state);
            }
        });
        Ok(stops)
    }

    /// The machine that is asked from now on; what was asked for before it ran is asked of it at once.
    pub fn tell(&self, feed: &Feed<Happening>) {
        let mut state = lock(&self.0);
        (0..state.asked).for_each(|_| feed.push(Happening::Stop));
        state.feed = Some(feed.clone());
    }
}

fn ask(state: &Mutex<State>) {
    let mut state = lock(state);
    state.asked += 1;
    if let Some(feed) = &state.feed {
        feed.push(Happening::Stop);
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    // Each change is one step: a panic elsewhere leaves nothing half-changed.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use orlop_machine::feed::Mark;

    #[test]
    fn a_wish_before_the_machine_runs_is_told_once_it_does() {
        let stops = Stops(Arc::default());
        ask(&stops.0);
        let feed = Feed::new(8);
        stops.tell(&feed);
        ask(&stops.0);
        let told = feed.collect(Mark::default(), |happening| matches!(happening, Happening::Stop).then_some(()));
        assert_eq!(told.len(), 2);
    }
}
