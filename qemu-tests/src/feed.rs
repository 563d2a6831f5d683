//! A bounded, ordered list of what has happened, which readers wait on.
//!
//! Threads push, tests wait: nobody sleeps, and nothing is missed between two waits, because a wait
//! looks at what has already happened first.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Position in a feed: how many happenings came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mark(u64);

/// A bounded, ordered list of what has happened.
#[derive(Debug)]
pub struct Feed<T> {
    shared: Arc<(Mutex<Ring<T>>, Condvar)>,
}

#[derive(Debug)]
struct Ring<T> {
    /// How many were dropped at the front.
    dropped: u64,
    kept: VecDeque<T>,
    limit: usize,
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Feed { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Feed<T> {
    /// An empty feed that keeps the last `limit` happenings.
    #[must_use]
    pub fn new(limit: usize) -> Feed<T> {
        let ring = Ring { dropped: 0, kept: VecDeque::new(), limit };
        Feed { shared: Arc::new((Mutex::new(ring), Condvar::new())) }
    }

    /// Adds a happening and wakes all who wait.
    pub fn push(&self, happening: T) {
        let mut ring = self.lock();
        if ring.kept.len() == ring.limit {
            ring.kept.pop_front();
            ring.dropped += 1;
        }
        ring.kept.push_back(happening);
        drop(ring);
        self.shared.1.notify_all();
    }

    /// The position behind what has happened so far.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let ring = self.lock();
        Mark(ring.dropped + ring.kept.len() as u64)
    }

    /// Calls `pick` with each happening since `from`, waiting for more until it says `Some`. `None` when
    /// `limit` has passed.
    pub fn wait<R>(&self, from: Mark, limit: Duration, mut pick: impl FnMut(&T) -> Option<R>) -> Option<R> {
        let end = Instant::now() + limit;
        let mut next = from.0;
        let mut ring = self.lock();
        loop {
            let skip = next.saturating_sub(ring.dropped) as usize;
            if let Some(found) = ring.kept.iter().skip(skip).find_map(&mut pick) {
                return Some(found);
            }
            next = ring.dropped + ring.kept.len() as u64;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.shared.1.wait_timeout(ring, left);
            ring = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What `pick` makes of each happening since `from`, without waiting.
    pub fn collect<R>(&self, from: Mark, pick: impl FnMut(&T) -> Option<R>) -> Vec<R> {
        let ring = self.lock();
        let skip = from.0.saturating_sub(ring.dropped) as usize;
        ring.kept.iter().skip(skip).filter_map(pick).collect()
    }

    /// A reader that panicked left the list whole: every push is one step.
    fn lock(&self) -> MutexGuard<'_, Ring<T>> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_the_wait_is_found() {
        let feed = Feed::new(8);
        feed.push(1);
        feed.push(2);
        assert_eq!(feed.wait(Mark::default(), Duration::ZERO, |n| (*n == 2).then_some("two")), Some("two"));
    }

    #[test]
    fn a_mark_hides_what_came_before_it() {
        let feed = Feed::new(8);
        feed.push(1);
        let mark = feed.mark();
        assert_eq!(feed.wait(mark, Duration::ZERO, |n| (*n == 1).then_some(())), None);
        feed.push(1);
        assert_eq!(feed.wait(mark, Duration::ZERO, |n| (*n == 1).then_some(())), Some(()));
    }

    #[test]
    fn a_push_wakes_the_one_who_waits() {
        let feed = Feed::new(8);
        let pusher = feed.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || (0..100).for_each(|n| pusher.push(n)));
            assert_eq!(feed.wait(Mark::default(), Duration::from_secs(60), |n| (*n == 99).then_some(())), Some(()));
        });
    }

    #[test]
    fn marks_stay_right_when_the_front_is_dropped() {
        let feed = Feed::new(2);
        (0..5).for_each(|n| feed.push(n));
        let mark = feed.mark();
        feed.push(5);
        assert_eq!(feed.collect(mark, |n| Some(*n)), [5]);
        assert_eq!(feed.collect(Mark::default(), |n| Some(*n)), [4, 5]);
    }
}
