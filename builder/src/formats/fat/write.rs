//! A plan onto a device.

use std::io::{self, Read};

use orlop_chain::device::Device;

use super::Plan;

/// Bytes that are copied at a time.
const CHUNK: usize = 1 << 20;

/// Writes the volume at `offset` of `out`, which must hold zeros there. `open` gives each file's content by its index.
pub fn write<'a>(
    plan: &Plan,
    out: &impl Device,
    offset: u64,
    open: &mut dyn FnMut(usize) -> io::Result<Box<dyn Read + 'a>>,
) -> io::Result<()> {
    for (at, bytes) in &plan.structures {
        out.write_all_at(bytes, offset + at)?;
    }
    let mut buffer = vec![0; CHUNK];
    for (index, (at, size)) in plan.files.iter().enumerate() {
        let mut content = open(index)?;
        let mut done = 0;
        while done < *size {
            let count = (size - done).min(CHUNK as u64) as usize;
            content.read_exact(&mut buffer[..count])?;
            out.write_all_at(&buffer[..count], offset + at + done)?;
            done += count as u64;
        }
        if content.read(&mut buffer[..1])? != 0 {
            let text = format!("file {index} of the FAT volume is longer than its {size} bytes were planned");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
    }
    Ok(())
}
