//! Capabilities that PID 1 gives up for good (`capabilities(7)`).

use super::check;
use nix::libc;
use std::io;

/// Load and unload modules.
const SYS_MODULE: u32 = 16;
/// Change mandatory access control: IPE could be switched off with it.
const MAC_ADMIN: u32 = 33;
/// Reset the machine, and start another kernel.
const SYS_BOOT: u32 = 22;

const VERSION_3: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Set {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// What PID 1 itself has only until the services start: a pod that traces PID 1 could have it open IPE's files, and keep
/// those open.
pub const GIVEN_UP_BEFORE_SERVICES: &[u32] = &[MAC_ADMIN];
/// What it has only until the modules are closed. SYS_BOOT it keeps, to power off.
pub const GIVEN_UP: &[u32] = &[SYS_MODULE];
/// What no service, no job and no pod gets.
pub const CLOSED: &[u32] = &[SYS_MODULE, MAC_ADMIN, SYS_BOOT];
/// The same for the program that loads modules.
pub const CLOSED_FOR_MODULES: &[u32] = &[MAC_ADMIN, SYS_BOOT];

/// Removes capabilities from the bounding set: no program executed from now on can have them.
pub fn bound(capabilities: &[u32]) -> io::Result<()> {
    for capability in capabilities {
        // SAFETY: PR_CAPBSET_DROP takes the capability's number and touches no memory.
        check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(*capability), 0, 0, 0) }.into())?;
    }
    Ok(())
}

/// Removes capabilities from the bounding set (no program started from now on can have them) and
/// from PID 1's own sets (who traces PID 1 does not get them either).
pub fn give_up(capabilities: &[u32]) -> io::Result<()> {
    bound(capabilities)?;
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut sets = [Set::default(); 2];
    // SAFETY: capget of version 3 writes two sets; header and sets have the kernel's layout.
    check(unsafe { libc::syscall(libc::SYS_capget, &mut header, sets.as_mut_ptr()) })?;
    for capability in capabilities {
        let set = &mut sets[(capability / 32) as usize];
        let keep = !(1 << (capability % 32));
        set.effective &= keep;
        set.permitted &= keep;
        set.inheritable &= keep;
    }
    // SAFETY: capset of version 3 reads two sets.
    check(unsafe { libc::syscall(libc::SYS_capset, &mut header, sets.as_ptr()) }).map(drop)
}
