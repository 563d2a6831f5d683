//! seccomp: the system calls that the program makes, in glibc's and in musl's way. Others are an error, not the end: a
//! call that was forgotten here must not cost a node its network.

use nix::libc::{self, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// Calls that are let through whatever their arguments.
const CALLS: &[c_long] = &[
    // Files.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_lseek,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_getdents64,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_fcntl,
    // Sockets; `socket` is below.
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_poll,
    libc::SYS_ppoll,
    // Time and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    // Memory and threads; `mmap` and `mprotect` are below.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Families of sockets: no packets of links, none of the kernel's many others.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Another type in each C library.
const FIONBIO: u64 = 0x5421;

/// Closes all others, for this thread and those that it starts.
pub fn close() -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(&filter()?)
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let is = |argument, operator, value: u64| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let mut only = |call: c_long, conditions: Vec<SeccompCondition>| -> Result<(), seccompiler::BackendError> {
        let each = conditions.into_iter().map(|condition| SeccompRule::new(vec![condition]));
        rules.insert(call, each.collect::<Result<_, _>>()?);
        Ok(())
    };
    let family = |family: &i32| is(0, SeccompCmpOp::Eq, *family as u64);
    only(libc::SYS_socket, FAMILIES.iter().map(family).collect::<Result<_, _>>()?)?;
    only(libc::SYS_socketpair, vec![is(0, SeccompCmpOp::Eq, libc::AF_UNIX as u64)?])?;
    // Code that was not there at the start is never run.
    let no_code = || is(2, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0);
    only(libc::SYS_mmap, vec![no_code()?])?;
    only(libc::SYS_mprotect, vec![no_code()?])?;
    // How the standard library makes sockets not wait; of block devices nothing.
    only(libc::SYS_ioctl, vec![is(1, SeccompCmpOp::Eq, FIONBIO)?])?;
    only(libc::SYS_prctl, vec![is(0, SeccompCmpOp::Eq, libc::PR_SET_NAME as u64)?])?;
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, TargetArch::x86_64)?.try_into()
}
