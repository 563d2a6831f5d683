//! The matrix of attacks: what is changed, who refuses it, and at which stage. See `docs/testing.md`.
//!
//! Each row is data and a test of its own. `orlop verify` judges the altered disk first, then a machine boots it, up to
//! the awaited line and no further. The table in `docs/security.md` is made of the same rows.

#[allow(dead_code)]
#[path = "../boot/altered.rs"]
mod altered;
#[allow(dead_code)]
#[path = "../boot/attempts.rs"]
mod attempts;
#[allow(dead_code)]
#[path = "../boot/bench.rs"]
mod bench;
mod boot;
mod disk;
mod document;
mod forge;
#[allow(dead_code)]
#[path = "../boot/probe.rs"]
mod probe;
mod row;
mod run;
mod running;
mod subject;
mod uki;

/// All rows, group by group, in the order of the document.
const GROUPS: [(&str, &[&[row::Row]]); 4] =
    [("disk", &disk::ROWS), ("boot", &boot::ROWS), ("state", &[running::STATE]), ("run time", &[running::RUN_TIME])];
