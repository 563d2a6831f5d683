//! The wall clock: `clock_settime(2)`, `adjtimex(2)`.

use nix::libc;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};
use std::io;

const SECOND: i64 = 1_000_000_000;
/// Of `adjtimex(2)`: the loop's own limits of its time constant.
const MOST_CONSTANT: i64 = 10;

/// Nanoseconds since 1970.
pub fn now() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_REALTIME).unwrap_or(TimeSpec::new(0, 0));
    time.tv_sec().saturating_mul(SECOND).saturating_add(time.tv_nsec())
}

/// Sets it.
pub fn set(time: i64) -> io::Result<()> {
    let time = TimeSpec::new(time.div_euclid(SECOND), time.rem_euclid(SECOND));
    Ok(clock_settime(ClockId::CLOCK_REALTIME, time)?)
}

/// Ends what [`slew`] began, and calls it unsynchronised: the next one begins anew. The kernel tells how fast the clock goes by
/// the time since the last one, as the clock shows it. Over a step back that is less than nothing: it would be turned the
/// wrong way, by as much as can be (`ntp_update_offset` in `kernel/time/ntp.c`).
pub fn forget() -> io::Result<()> {
    let mut request = nothing();
    request.modes = libc::ADJ_STATUS;
    request.status = libc::STA_UNSYNC;
    adjust(&mut request)
}

/// Has the kernel turn it by so many nanoseconds, half a second at most, until the next call in so many seconds; and
/// calls it synchronised.
pub fn slew(by: i64, seconds: u64) -> io::Result<()> {
    let mut request = nothing();
    request.modes = libc::ADJ_OFFSET
        | libc::ADJ_STATUS
        | libc::ADJ_NANO
        | libc::ADJ_TIMECONST
        | libc::ADJ_MAXERROR
        | libc::ADJ_ESTERROR;
    request.status = libc::STA_PLL | libc::STA_NANO;
    request.offset = by.clamp(-SECOND / 2, SECOND / 2);
    // Of NTP's own: the logarithm of the time between corrections, less 4.
    request.constant = (i64::from(seconds.max(16).ilog2()) - 4).min(MOST_CONSTANT);
    request.maxerror = (by.abs() / 1000).saturating_add(1000);
    request.esterror = by.abs() / 1000;
    adjust(&mut request)
}

fn nothing() -> libc::timex {
    // SAFETY: all fields are numbers, for which 0 is a value.
    unsafe { std::mem::zeroed() }
}

fn adjust(request: &mut libc::timex) -> io::Result<()> {
    // SAFETY: the kernel reads and writes one `timex`, which outlives the call.
    if unsafe { libc::adjtimex(request) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
