//! What a row is.

use anyhow::Result;
use orlop_chain::Stage;

use crate::bench::Built;
use crate::probe::Probed;
use crate::subject::Subject;

/// One attack.
pub struct Row {
    /// Its test's name.
    pub id: &'static str,
    /// What is changed, in words.
    pub changed: &'static str,
    /// On which machine.
    pub on: On,
    /// Which image.
    pub image: Built,
    /// Changes it.
    pub alter: fn(&mut Subject) -> Result<()>,
    /// How that must end.
    pub ends: Ends,
    /// What a line of the console has then; for a refusal, its reason.
    pub says: &'static str,
    /// What `orlop verify` must say of the disk.
    pub offline: Offline,
    /// QEMU's word for the machine's end after a refusal or a panic, where the row waits for that.
    pub stops: &'static str,
}

/// What starts the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// QEMU itself: for what is refused later, by init or the kernel.
    Direct,
    /// Firmware without Secure Boot.
    Uefi,
    /// Firmware with Secure Boot and our keys.
    SecureBoot,
}

/// How a row ends.
#[derive(Clone, Copy)]
pub enum Ends {
    /// The firmware starts none of the disks.
    NotStarted,
    /// init refuses at this stage.
    Refused(Stage),
    /// dm-verity makes the kernel panic, during the boot.
    Panics,
    /// The node panics when this was done to it, or before: its boot may read the same block.
    PanicsAfter(fn(&Subject, &Probed) -> Result<()>),
    /// It boots up to its state; what is appended to the command line is reported, and nothing else.
    Boots,
    /// A test of `tests/boot` shows it, with what comes after: who refuses, the test's file and its name.
    Elsewhere(&'static str, &'static str, &'static str),
}

/// What `orlop verify` says of the altered disk.
#[derive(Clone, Copy)]
pub enum Offline {
    /// It refuses, at this stage.
    Refused(Stage),
    /// It accepts: what was changed is not on the disk, or not its to judge.
    Unseen,
}

impl Row {
    /// What most rows share.
    pub const USUAL: Row = Row {
        id: "",
        changed: "",
        on: On::Direct,
        image: Built::Standalone,
        alter: |_| Ok(()),
        ends: Ends::Boots,
        says: "",
        offline: Offline::Unseen,
        stops: "",
    };
}

/// Rows, and a test for each: `fast` ones always, `slow` ones with the feature.
macro_rules! rows {
    ($($speed:ident $id:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        pub const ROWS: &[$crate::row::Row] = &[$($crate::row::Row {
            id: stringify!($id),
            $($field: $value,)*
            ..$crate::row::Row::USUAL
        }),*];

        mod row {
            $($crate::row::rows!(@test $speed $id);)*
        }
    };
    (@test fast $id:ident) => {
        #[test]
        fn $id() -> anyhow::Result<()> {
            $crate::run::row(super::ROWS, stringify!($id))
        }
    };
    (@test slow $id:ident) => {
        #[test]
        #[cfg_attr(not(feature = "slow"), ignore = "left to make test-slow")]
        fn $id() -> anyhow::Result<()> {
            $crate::run::row(super::ROWS, stringify!($id))
        }
    };
}
pub(crate) use rows;
