//! The partition table: the same root or a refusal, never another root.

use anyhow::{Context, Result};
use orlop_chain::Stage;

use crate::row::{Ends, Offline, rows};
use crate::subject::{ROOT, SECTOR, Subject};

/// The disk's GUID in a header, which only its checksum guards.
const GUID: i64 = 56;
const HEADER: i64 = SECTOR as i64;
/// A GUID in the second entry.
const ENTRY: i64 = 2 * HEADER + 128 + 20;

const REPAIRED: &str = "nobody: the other copy is used, and this one repaired";

rows! {
    fast the_primary_header {
        changed: "one bit in the primary partition table's header",
        alter: |subject| subject.flip_at(HEADER + GUID),
        ends: Ends::Elsewhere(REPAIRED, "partition_table", "a_bad_primary_copy_is_repaired_and_reported"),
        offline: Offline::Refused(Stage::Gpt),
    }
    fast the_primary_entries {
        changed: "one bit in the primary partition table's entries (the backup is taken)",
        alter: |subject| subject.flip_at(ENTRY),
        says: "primary partition table is bad",
        offline: Offline::Refused(Stage::Gpt),
    }
    fast the_backup {
        changed: "one bit in the backup partition table's header",
        alter: |subject| subject.flip_at(GUID - HEADER),
        ends: Ends::Elsewhere(REPAIRED, "partition_table", "a_bad_backup_copy_is_repaired_and_reported"),
        offline: Offline::Refused(Stage::Gpt),
    }
    fast both_tables {
        changed: "one bit in the headers of both partition tables",
        alter: |subject| {
            subject.flip_at(HEADER + GUID)?;
            subject.flip_at(GUID - HEADER)
        },
        ends: Ends::Refused(Stage::Disk),
        says: "vda: both copies of the partition table are bad",
        offline: Offline::Refused(Stage::Gpt),
    }
    fast the_root_elsewhere {
        changed: "both partition tables say that the root lies in the other slot",
        alter: root_in_slot_b,
        ends: Ends::Panics,
        says: "data block 0 is corrupted",
        offline: Offline::Refused(Stage::Tree),
    }
    fast two_roots {
        changed: "two partitions of one disk have the root's UUID",
        alter: |subject| subject.table(|table| {
            let (root, other) = (entry(table, ROOT)?, entry(table, "root-b")?);
            table.entries[other].guid = table.entries[root].guid;
            Ok(())
        }),
        ends: Ends::Refused(Stage::Disk),
        says: "2 roots",
        offline: Offline::Refused(Stage::Disk),
    }
}

fn entry(table: &orlop_chain::gpt::Gpt, name: &str) -> Result<usize> {
    table.entries.iter().position(|entry| entry.name == name).context("the partition")
}

fn root_in_slot_b(subject: &mut Subject) -> Result<()> {
    subject.table(|table| {
        let (root, other) = (entry(table, ROOT)?, entry(table, "root-b")?);
        let guid = table.entries[root].guid;
        table.entries[root].guid = table.entries[other].guid;
        table.entries[other].guid = guid;
        Ok(())
    })
}
