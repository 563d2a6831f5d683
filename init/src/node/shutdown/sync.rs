//! What is not on the disks yet, before the state is unmounted. A process of its own waits for it: pods may have written
//! hundreds of megabytes that nobody synced, which take a slow disk minutes, and PID 1 pets the watchdog meanwhile.

use super::super::Node;
use crate::sys::process::{has_ended, in_child};
use nix::unistd::{Pid, sync};
use std::io;
use std::time::{Duration, Instant};

/// A disk that has taken nothing for so long does not answer any more.
const STUCK: Duration = Duration::from_secs(30);
/// One that was given next to everything writes what it has in its own cache, of which the kernel counts nothing. That takes
/// it as long as it takes: there may be gigabytes in it.
const FLUSH: Duration = Duration::from_secs(180);
/// KiB that are next to nothing: a filesystem that waits for the disk to write its cache has its journal's end left.
const NEXT_TO_NOTHING: u64 = 1024;
/// For all of it, however it goes on: who runs the machine waits for its end, and pulls the plug some day.
const LONGEST: Duration = Duration::from_secs(600);
/// Between two lines of how much is left.
const SAID: Duration = Duration::from_secs(10);

/// The process that waits, and how what it waits for goes on. Nothing ends it: a sync hears no signal.
#[derive(Debug)]
pub struct Writing {
    pid: Pid,
    begun: Instant,
    pace: Pace,
}

impl Writing {
    fn start(write: impl FnOnce()) -> io::Result<Self> {
        Ok(Writing { pid: in_child(write)?, begun: Instant::now(), pace: Pace::default() })
    }

    /// Looks at what is left; whether it is time to say it.
    fn look(&mut self) -> bool {
        let left = std::fs::read_to_string("/proc/meminfo").ok().and_then(|meminfo| unwritten(&meminfo));
        self.pace.look(self.begun.elapsed(), left)
    }
}

/// How what is left changes. Times are counted from the start.
#[derive(Debug, Default)]
struct Pace {
    /// KiB, as far as the last look could tell.
    left: Option<u64>,
    /// When it was seen last that a disk goes on: there was less than at the look before, or a cache was written.
    fell: Duration,
    /// When it was said.
    said: Duration,
}

impl Pace {
    /// Another look; whether it is time to say what is left.
    fn look(&mut self, at: Duration, left: Option<u64>) -> bool {
        // Less than the last time, not than ever: what a filesystem writes to keep its journal is unwritten itself first.
        let fell = left.zip(self.left).is_some_and(|(now, before)| now < before);
        // With more to write again, the disk does not write its cache any more.
        let flushed = self.flushes() && left.is_some_and(|left| left >= NEXT_TO_NOTHING);
        if fell || flushed {
            self.fell = at;
        }
        self.left = left;
        let due = at >= self.said + SAID;
        if due {
            self.said = at;
        }
        due
    }

    /// How long it may take in all, as far as is known now.
    fn limit(&self) -> Duration {
        let silent = if self.flushes() { FLUSH } else { STUCK };
        (self.fell + silent).min(LONGEST)
    }

    /// Whether next to nothing is left, and a disk writes its own cache, as far as can be told.
    fn flushes(&self) -> bool {
        self.left.is_some_and(|left| left < NEXT_TO_NOTHING)
    }

    fn text(&self) -> String {
        self.left.map_or_else(|| "an unknown number of KiB".to_owned(), |left| format!("{left} KiB"))
    }

    /// Why it takes long, where that is not for what is left.
    fn reason(&self) -> &'static str {
        if self.flushes() { "; a disk writes its own cache, or a file server does not answer" } else { "" }
    }

    /// What is said while it lasts.
    fn waiting(&self) -> String {
        format!("{} are not on the disks yet{}", self.text(), self.reason())
    }

    /// What is said when it is given up, at this time.
    fn given_up(&self, at: Duration) -> String {
        let ago = at.saturating_sub(self.fell).as_secs();
        format!("given up: {} are not on the disks, which took the last {ago} s ago{}", self.text(), self.reason())
    }
}

/// KiB that are only in memory, waiting for a disk or on their way to one (`proc_meminfo(5)`).
fn unwritten(meminfo: &str) -> Option<u64> {
    let of = |key: &str| -> Option<u64> {
        let value = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
        value.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some(of("Dirty:")?.saturating_add(of("Writeback:")?))
}

/// All that any disk is to have. Twice: what lies on a loop device is in the file behind it after the first time, and that
/// file's filesystem may have had its turn before.
fn write_all() {
    sync();
    sync();
}

/// Starts the process.
pub fn start(node: &mut Node) {
    // The logs are open files on the state partition. The process would hold them open, and it may outlast this step.
    node.services.clear();
    let writing = Writing::start(write_all);
    if let Err(error) = &writing {
        // The unmount writes as well; it only has less time.
        node.report.error("sync", format!("{error}; what is left is written by the unmount"));
    }
    if let Some(shutdown) = &mut node.shutdown {
        shutdown.writing = writing.ok();
    }
}

/// Whether everything is written, as far as that was tried.
pub fn is_over(node: &mut Node) -> bool {
    let Some(writing) = writing(node) else { return true };
    if has_ended(writing.pid) {
        return true;
    }
    if writing.look() {
        let text = writing.pace.waiting();
        node.report.note("sync", text);
    }
    false
}

/// How long it may take, from its start: the longer, the longer it goes on.
pub fn patience(node: &Node) -> Duration {
    let writing = node.shutdown.as_ref().and_then(|shutdown| shutdown.writing.as_ref());
    writing.map_or(STUCK, |writing| writing.pace.limit())
}

/// Says what is lost unless the unmount still writes it.
pub fn give_up(node: &mut Node) {
    let Some(writing) = writing(node) else { return };
    let text = writing.pace.given_up(writing.begun.elapsed());
    node.report.error("sync", text);
}

fn writing(node: &mut Node) -> Option<&mut Writing> {
    node.shutdown.as_mut()?.writing.as_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal, kill};
    use nix::sys::wait::waitpid;
    use proptest::prelude::*;

    /// The second at which it is given up, by looks at these seconds that find so many KiB.
    fn given_up(looks: impl IntoIterator<Item = (u64, u64)>) -> Option<u64> {
        let mut pace = Pace::default();
        looks.into_iter().map(|(second, left)| (Duration::from_secs(second), left)).find_map(|(at, left)| {
            pace.look(at, Some(left));
            (at >= pace.limit()).then_some(at.as_secs())
        })
    }

    #[test]
    fn a_slow_disk_has_time_as_long_as_it_takes_something() {
        assert_eq!(given_up((0..300).map(|second| (second, 300_000 - 1000 * second))), None);
        // A little every 29 s.
        assert_eq!(given_up((0..300).map(|second| (second, 10_000 - second / 29))), None);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_given_up_after_half_a_minute() {
        assert_eq!(given_up((0..300).map(|second| (second, 300_000))), Some(30));
        let stops = |second: u64| (second, 300_000 - 1000 * second.min(100));
        assert_eq!(given_up((0..300).map(stops)), Some(130));
        assert_eq!(given_up((0..300).map(|second| (second, 300_000 + second))), Some(30), "more is not less");
    }

    #[test]
    fn what_the_journal_adds_does_not_hide_that_it_goes_on() {
        let looks: [(u64, u64); 9] =
            [(0, 100), (20, 50), (25, 90), (45, 80), (70, 70), (95, 60), (120, 55), (149, 55), (150, 55)];
        assert_eq!(given_up(looks.map(|(second, mib)| (second, 1024 * mib))), Some(150));
    }

    /// All that is left is in the disk's own cache, where nobody sees how it becomes less.
    #[test]
    fn a_disk_that_writes_its_own_cache_has_more_time() {
        let flushes = |second: u64| (second, 20_480_u64.saturating_sub(1024 * second).max(12));
        assert_eq!(given_up((0..199).map(flushes)), None);
        assert_eq!(given_up((0..300).map(flushes)), Some(20 + 180));
        let next_to_nothing = |left: u64| given_up((0..300).map(|second| (second, left)));
        assert_eq!((next_to_nothing(1023), next_to_nothing(1024)), (Some(180), Some(30)));
        assert_eq!(next_to_nothing(0), Some(180));
    }

    /// One disk is through, and the next has its turn.
    #[test]
    fn what_follows_a_written_cache_has_its_own_time() {
        let then = |second: u64| (second, if second < 100 { 12 } else { 300_000 });
        assert_eq!(given_up((0..300).map(then)), Some(130));
        let again = |second: u64| (second, if second / 100 == 1 { 2000 - second } else { 12 });
        assert_eq!(given_up((0..1000).map(again)), Some(200 + 180));
    }

    #[test]
    fn why_it_takes_long_is_said() {
        let mut pace = Pace::default();
        pace.look(Duration::ZERO, Some(81_236));
        assert_eq!(pace.waiting(), "81236 KiB are not on the disks yet");
        let given_up = "given up: 81236 KiB are not on the disks, which took the last 30 s ago";
        assert_eq!(pace.given_up(STUCK), given_up);
        pace.look(Duration::from_secs(40), Some(12));
        let why = "; a disk writes its own cache, or a file server does not answer";
        assert_eq!(pace.waiting(), format!("12 KiB are not on the disks yet{why}"));
        let given_up = "given up: 12 KiB are not on the disks, which took the last 180 s ago";
        assert_eq!(pace.given_up(Duration::from_secs(220)), format!("{given_up}{why}"));
    }

    #[test]
    fn a_disk_that_takes_a_little_for_ever_is_given_up_in_the_end() {
        assert_eq!(given_up((0..10_000).map(|second| (second, 1_000_000 - second))), Some(600));
    }

    #[test]
    fn what_cannot_be_read_counts_as_no_progress() {
        let mut pace = Pace::default();
        for second in 0..100 {
            pace.look(Duration::from_secs(second), (second % 2 == 0).then(|| 100_000 - second));
        }
        assert_eq!((pace.limit(), pace.text()), (STUCK, "an unknown number of KiB".to_owned()));
    }

    #[test]
    fn what_is_left_is_said_every_ten_seconds() {
        let mut pace = Pace::default();
        let looks = (0..350).map(|tenth| Duration::from_millis(100 * tenth));
        let said: Vec<u64> = looks.filter(|at| pace.look(*at, Some(1))).map(|at| at.as_secs()).collect();
        assert_eq!(said, [10, 20, 30]);
        assert_eq!(pace.text(), "1 KiB");
    }

    #[test]
    fn the_kernels_two_numbers_are_added() {
        let meminfo =
            "MemTotal:  999 kB\nDirty:               120 kB\nWriteback:             3 kB\nWritebackTmp:        7 kB\n";
        assert_eq!(unwritten(meminfo), Some(123));
        assert_eq!(unwritten("Dirty: 120 kB\nWritebackTmp: 7 kB\n"), None);
        assert!(unwritten(&std::fs::read_to_string("/proc/meminfo").expect("the kernel's")).is_some());
    }

    #[test]
    fn it_is_over_when_its_process_is_gone_whoever_reaps_it() {
        let writing = Writing::start(nix::unistd::pause).expect("a process");
        assert!(!has_ended(writing.pid));
        kill(writing.pid, Signal::SIGKILL).expect("killed");
        assert!(waitpid(writing.pid, None).is_ok(), "as the loop reaps it");
        assert!(has_ended(writing.pid));
    }

    proptest! {
        #[test]
        fn no_looks_take_longer_than_the_longest(looks in prop::collection::vec((0u64..2000, any::<u64>()), 0..50)) {
            let mut pace = Pace::default();
            for (at, left) in looks {
                pace.look(Duration::from_secs(at), Some(left));
                prop_assert!((STUCK..=LONGEST).contains(&pace.limit()));
            }
        }

        #[test]
        fn any_meminfo_is_read(text in ".{0,100}") {
            let _ = unwritten(&text);
        }
    }
}
