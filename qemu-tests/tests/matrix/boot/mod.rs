//! What is put in the way of the boot: the UKI, what lies beside it, the command line, the firmware's keys.

mod beside;
mod cmdline;
mod firmware;
mod ipe;
mod uki;

use crate::row::Row;

pub const ROWS: [&[Row]; 5] = [uki::ROWS, beside::ROWS, cmdline::ROWS, firmware::ROWS, ipe::ROWS];
