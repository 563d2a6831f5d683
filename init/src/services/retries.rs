//! What failed and is to be tried again: jobs that need containerd, which may have ended under them.

use super::job::{Purpose, Task};
use std::time::{Duration, Instant};

/// Tasks that wait for their next try.
#[derive(Debug, Default)]
pub struct Retries(Vec<(Task, Instant)>);

impl Retries {
    /// Puts a task off: the longer, the more often it failed soon after its start.
    pub fn put_off(&mut self, mut task: Task, run: Duration) {
        let wait = task.backoff.after(run);
        self.0.push((task, Instant::now() + wait));
    }

    /// Takes those whose time has come.
    pub fn due(&mut self, now: Instant) -> Vec<Task> {
        self.take(|(_, at)| *at <= now)
    }

    /// Takes those of a purpose: they are not tried again.
    pub fn give_up(&mut self, purpose: Purpose) -> Vec<Task> {
        self.take(|(task, _)| task.purpose == purpose)
    }

    /// Whether one of a purpose waits.
    pub fn holds(&self, purpose: Purpose) -> bool {
        self.0.iter().any(|(task, _)| task.purpose == purpose)
    }

    /// When the next one's time comes.
    pub fn wake(&self) -> Option<Instant> {
        self.0.iter().map(|(_, at)| *at).min()
    }

    fn take(&mut self, wanted: impl Fn(&(Task, Instant)) -> bool) -> Vec<Task> {
        let (taken, kept) = std::mem::take(&mut self.0).into_iter().partition(wanted);
        self.0 = kept;
        taken.into_iter().map(|(task, _): (Task, Instant)| task).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_comes_back_later_each_time() {
        let mut retries = Retries::default();
        let mut task = Task::new(Purpose::Import, &["cri", "import", "a"]);
        for seconds in [1, 2, 4, 8] {
            let before = Instant::now();
            retries.put_off(task, Duration::ZERO);
            assert!(retries.due(before).is_empty() && retries.holds(Purpose::Import));
            let at = retries.wake().expect("it waits");
            assert!(at >= before + Duration::from_secs(seconds) && at < before + Duration::from_secs(2 * seconds));
            let mut due = retries.due(at);
            task = due.pop().expect("its time has come");
            assert_eq!((task.arguments.len(), due.len(), retries.wake()), (3, 0, None));
        }
    }

    #[test]
    fn only_what_is_given_up_is_gone() {
        let mut retries = Retries::default();
        retries.put_off(Task::new(Purpose::Import, &["cri"]), Duration::ZERO);
        retries.put_off(Task::new(Purpose::Pods, &["cri"]), Duration::ZERO);
        assert_eq!(retries.give_up(Purpose::Import).len(), 1);
        assert!(!retries.holds(Purpose::Import) && retries.holds(Purpose::Pods));
    }
}
