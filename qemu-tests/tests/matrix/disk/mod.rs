//! What somebody with the disk in hand may write to it.

mod manifest;
mod place;
mod root;
mod signature;
mod table;
mod tree;

use crate::row::Row;

pub const ROWS: [&[Row]; 6] = [root::ROWS, tree::ROWS, signature::ROWS, manifest::ROWS, table::ROWS, place::ROWS];
