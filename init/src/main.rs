//! PID 1 of Orlop, and the few applets that argv[0] selects.
//!
//! As PID 1 it is started twice: by the kernel in the initramfs ([`early`]: modules, manifest,
//! dm-verity, switch root), then by itself from the verified root ([`node`]). Which of the two it is
//! says the root filesystem, not argv or the environment: both carry whatever was appended to the
//! kernel's command line. Of argv only the first word is its own: the program's path, and then `orlop-init`.

mod applets;
mod early;
mod handover;
mod modules;
mod node;
mod report;
mod services;
mod sys;

use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};

/// The kernel's own root without a size limit (`include/uapi/linux/magic.h`).
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

fn main() {
    let argv: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let name = argv.first().map_or("", |path| path.rsplit('/').next().unwrap_or_default());
    // An applet may be the first process of a pod (`chroot /host /sbin/reboot`), and must not take itself for the node's.
    if std::process::id() == 1 && !applets::is_one(name) {
        report::refuse_on_panic();
        if in_initramfs() { early::run() } else { node::run() }
    }
    std::process::exit(match name {
        node::MODULE_LOADER => node::load_modules(&argv),
        node::RECORD_KEEPER => node::keep_records(),
        _ => applets::run(&argv),
    })
}

/// Whether the root is the kernel's own, unpacked from the initramfs.
fn in_initramfs() -> bool {
    statfs("/").is_ok_and(|root| [RAMFS_MAGIC, TMPFS_MAGIC].contains(&root.filesystem_type()))
}
