//! The programs that argv[0] selects: mount, umount and losetup for kubelet.

/// Runs the applet that `argv[0]` names; the exit status.
pub fn run(_argv: &[String]) -> i32 {
    1
}
