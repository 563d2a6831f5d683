//! How long to wait before a service that ended is started again.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// A service that ran this long is well: its next end is a new story.
const WELL: Duration = Duration::from_secs(60);

/// The wait doubles from 1 s to 30 s, and starts anew after a minute's good run.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The wait after a run of this length.
    pub fn after(&mut self, run: Duration) -> Duration {
        let next = match self.last {
            Some(last) if run < WELL => (last * 2).min(LONGEST),
            _ => FIRST,
        };
        self.last = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_its_limit_and_forgets_after_a_good_run() {
        let mut backoff = Backoff::default();
        let crash = Duration::from_millis(10);
        let waits: Vec<u64> = (0..7).map(|_| backoff.after(crash).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.after(WELL).as_secs(), 1);
        assert_eq!(backoff.after(crash).as_secs(), 2);
    }
}
