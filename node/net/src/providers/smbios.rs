//! SMBIOS (DSP0134): OEM strings (type 11) of the form `orlop.config=BASE64`, several of them joined in their order.

use super::{Fetched, base64};
use crate::bytes::Reader;
use orlop_config::node_config::LARGEST;
use std::io::Read as _;
use std::path::Path;

const TABLE: &str = "firmware/dmi/tables/DMI";
/// More than firmware has; a document in base64 is a fraction of it.
const LARGEST_TABLE: u64 = 1 << 20;
const OEM_STRINGS: u8 = 11;
const END: u8 = 127;
const PREFIX: &[u8] = b"orlop.config=";

/// The document of the machine's strings.
pub fn config(sys: &Path) -> Fetched {
    let path = sys.join(TABLE);
    let file = std::fs::File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut table = Vec::new();
    file.take(LARGEST_TABLE).read_to_end(&mut table).map_err(|error| format!("{}: {error}", path.display()))?;
    let pieces: Vec<&[u8]> = oem_strings(&table).into_iter().filter_map(|one| one.strip_prefix(PREFIX)).collect();
    if pieces.is_empty() {
        return Err("no OEM string (type 11) begins with orlop.config=".into());
    }
    let text = pieces.concat();
    // Four characters are three bytes: more than this cannot be a document.
    if text.len() > LARGEST * 4 / 3 + 4 { Err(super::too_large()) } else { base64(&text) }
}

/// All OEM strings of a table, as far as it can be read.
pub fn oem_strings(table: &[u8]) -> Vec<&[u8]> {
    let mut strings = Vec::new();
    let mut reader = Reader(table);
    while let Some([kind, length]) = reader.array() {
        // The length has the four bytes of type, length and handle in it.
        if kind == END || length < 4 || reader.take(usize::from(length) - 2).is_none() {
            break;
        }
        // Strings up to an empty one; where there are none, there are two NULs.
        let mut first = true;
        loop {
            let Some(end) = reader.0.iter().position(|byte| *byte == 0) else { return strings };
            let string = reader.take(end).unwrap_or_default();
            reader.u8();
            if string.is_empty() {
                if first {
                    reader.u8();
                }
                break;
            }
            first = false;
            if kind == OEM_STRINGS {
                strings.push(string);
            }
        }
    }
    strings
}
