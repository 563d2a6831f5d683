//! Which disk, and how much of it.

use std::fs::File;

use orlop_chain::Stage;

use crate::row::{Ends, Offline, rows};

rows! {
    fast two_disks_with_the_same_uuids {
        changed: "a second disk with the same UUIDs",
        alter: |subject| subject.attach_copy("second.raw").map(drop),
        ends: Ends::Refused(Stage::Disk),
        says: "vda vdb",
    }
    fast a_second_nodes_disk {
        changed: "a second node's disk of the same image",
        ends: Ends::Elsewhere("nobody: the disk that the firmware started from is used, and its state", "two_disks", "the_disk_that_the_firmware_started_from_wins_over_another_nodes"),
    }
    fast a_disk_cut_short {
        changed: "the disk cut short, in the middle of its state",
        alter: |subject| {
            let end = subject.offset("state")? + (64 << 20);
            Ok(File::options().write(true).open(&subject.disk)?.set_len(end)?)
        },
        ends: Ends::Refused(Stage::Disk),
        says: "both copies of the partition table are bad",
        offline: Offline::Refused(Stage::Gpt),
    }
}
