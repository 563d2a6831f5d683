//! What is done to a state partition and to a running node, beside what `altered.rs` and `attempts.rs` list: tests of
//! `tests/boot` show all of it.

use crate::row::{Ends, Offline, On, Row};

/// Of the test that alters a state while the power is off.
pub const STATE_TEST: (&str, &str) = ("state_tampered", "what_was_altered_is_made_anew_or_without_effect");
/// Of the test of a privileged pod.
pub const POD_TEST: (&str, &str) = ("privileged", "what_a_privileged_pod_tries");

const fn row(
    id: &'static str,
    (changed, says): (&'static str, &'static str),
    who: &'static str,
    test: (&'static str, &'static str),
) -> Row {
    Row { id, changed, says, ends: Ends::Elsewhere(who, test.0, test.1), offline: Offline::Unseen, ..Row::USUAL }
}

pub const STATE: &[Row] = &[
    row(
        "a_folder_for_cdi",
        ("a folder with a CDI device in place of the link `/var/run`", ""),
        "nobody: without effect",
        STATE_TEST,
    ),
    row(
        "a_link_for_a_log",
        ("a symlink at `/var/log/kubelet.log`", ""),
        "init: it is not followed, but moved aside",
        STATE_TEST,
    ),
];

pub const RUN_TIME: &[Row] = &[
    Row {
        on: On::SecureBoot,
        ..row("a_signal", ("`kill -TERM 1`", "signal: ignored number=15"), "init: without effect", POD_TEST)
    },
    Row {
        on: On::SecureBoot,
        ..row(
            "a_forged_datagram",
            ("`READY=1` sent to init, for a kubelet that is not healthy", ""),
            "init: without effect, it asks kubelet itself",
            POD_TEST,
        )
    },
    Row {
        on: On::SecureBoot,
        ..row(
            "a_mount_over_runc",
            ("a program is mounted over runc", ""),
            "nobody: it lies where containerd looks for runc, until it is unmounted or the node boots",
            POD_TEST,
        )
    },
    row(
        "a_block_overwritten",
        ("a block of the root is overwritten through the whole disk, then read", "data block 0 is corrupted"),
        "kernel (dm-verity): panic",
        ("privileged", "a_block_of_the_root_that_is_overwritten_ends_the_machine_at_its_next_read"),
    ),
];
