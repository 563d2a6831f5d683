//! Who is left beside PID 1.

use nix::unistd::Pid;
use std::fs;

/// `PF_KTHREAD` of the kernel's `include/linux/sched.h`: a thread of its own, which no signal ends.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// How many programs are left, other than PID 1 and the one to spare.
pub fn left(spared: Option<Pid>) -> usize {
    let spared = [Some(Pid::from_raw(1)), spared];
    programs().filter(|pid| !spared.contains(&Some(*pid))).count()
}

/// Of each process `stat` is read, and not `cmdline`: that takes the lock of the process's memory, which a thread that waits
/// for a dead file server keeps, and PID 1 would wait with it.
fn programs() -> impl Iterator<Item = Pid> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| is_program(&stat))).map(Pid::from_raw)
}

/// Whether this is the `stat` (`proc_pid_stat(5)`) of a program that has not ended.
fn is_program(stat: &[u8]) -> bool {
    // The name before may hold anything, brackets and spaces too; behind it there are none.
    let Some(end) = stat.iter().rposition(|byte| *byte == b')') else { return false };
    let rest = String::from_utf8_lossy(&stat[end + 1..]);
    let mut fields = rest.split_ascii_whitespace();
    // The state, parent, group, session, terminal, the terminal's group, then the flags; ten further on the threads' number.
    let (Some(state), Some(flags)) = (fields.next(), fields.nth(5)) else { return false };
    // Its first thread has ended, and others have not: they still hold its files.
    let mut goes_on =
        || fields.nth(10).and_then(|threads| threads.parse::<u32>().ok()).is_some_and(|threads| threads > 1);
    let flags = flags.parse::<u32>();
    flags.is_ok_and(|flags| flags & KERNEL_THREAD == 0) && (!matches!(state, "Z" | "X") || goes_on())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::has_ended;
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use proptest::prelude::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_runs_sleeps_or_hangs_is_left_and_no_thread_of_the_kernels() {
        for state in ["R", "S", "D", "T", "t", "I", "P"] {
            let stat = format!("188 (kubelet) {state} 1 188 188 0 -1 4194560 5511 0 12 0 31 24 0 0 20 0 11 0 712\n");
            assert!(is_program(stat.as_bytes()), "{stat}");
        }
        assert!(!is_program(b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 2\n"));
        assert!(!is_program(b"71 (kworker/0:1H-kblockd) I 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 0 -20 1 0 80\n"));
    }

    #[test]
    fn what_has_ended_is_not_left() {
        for state in ["Z", "X"] {
            let stat = format!("300 (sh) {state} 1 300 300 0 -1 4227084 0 0 0 0 0 0 0 0 20 0 1 0 900\n");
            assert!(!is_program(stat.as_bytes()), "{stat}");
        }
    }

    #[test]
    fn one_whose_first_thread_has_ended_is_left_while_others_go_on() {
        let stat = "300 (go) Z 1 300 300 0 -1 4227084 0 0 0 0 0 0 0 0 20 0 2 0 900\n";
        assert!(is_program(stat.as_bytes()));
        assert!(!is_program(&stat.as_bytes()[..stat.len() - 20]), "cut before the number");
    }

    /// Any pod chooses the name of its processes.
    #[test]
    fn a_name_passes_for_nothing_else() {
        let rest = "S 1 300 300 0 -1 4194304 0 0";
        for name in ["", "a) Z 1 1 1 0 -1 2097152", ") S (", "))", "a b", "\\n"] {
            assert!(is_program(format!("300 ({name}) {rest}").as_bytes()), "{name}");
        }
        assert!(is_program(&[&b"300 (\xff\xfe) "[..], rest.as_bytes()].concat()), "bytes that are no text");
        let ended = "Z 1 300 300 0 -1 4194304 0 0";
        assert!(!is_program(format!("300 (a) S 1 1 1 0 -1 0) {ended}").as_bytes()));
    }

    #[test]
    fn a_stat_that_is_cut_short_counts_nothing() {
        for stat in ["", "300", "300 (sh", "300 (sh)", "300 (sh) S 1 300 300 0 -1", "300 (sh) S 1 300 300 0 -1 x"] {
            assert!(!is_program(stat.as_bytes()), "{stat}");
        }
    }

    #[test]
    fn a_program_is_found_until_it_has_ended() {
        let is_found = |pid: Pid| programs().any(|found| found == pid);
        assert!(is_found(Pid::this()));
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("a program that waits for its input");
        let pid = Pid::from_raw(child.id() as i32);
        assert!(is_found(pid) && !has_ended(pid));
        drop(child.stdin.take());
        // It is dead, and nobody has heard of it yet.
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("its end");
        assert!(!is_found(pid));
        child.wait().expect("reaped");
        assert!(has_ended(pid), "also where somebody else has reaped it");
    }

    #[test]
    fn one_may_be_spared() {
        let mut looks = (0..100).map(|_| (left(None), left(Some(Pid::this()))));
        // Others come and go between two looks, on a machine that does other work.
        assert!(looks.any(|(all, others)| others + 1 == all));
    }

    proptest! {
        #[test]
        fn any_stat_is_read(stat in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = is_program(&stat);
        }
    }
}
