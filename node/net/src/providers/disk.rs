//! Documents on disks: a volume labelled `cidata`, or the EFI system partition. Nothing is mounted: a filesystem that
//! somebody else made does not reach the kernel.

use super::{Fetched, Places, fat, gpt, iso9660};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

const LABEL: &str = "cidata";
const USER_DATA: &str = "user-data";
const ON_ESP: [&str; 3] = ["EFI", "orlop", "config.toml"];
/// More disks and partitions than this are not looked at.
const DEVICES: usize = 128;

/// `user-data` of the NoCloud volume.
pub fn nocloud(places: &Places) -> Fetched {
    for name in devices(places)? {
        let Ok(mut device) = File::open(places.dev.join(&name)) else { continue };
        let found =
            iso9660::file(&mut device, LABEL, USER_DATA).or_else(|| fat::file(&mut device, Some(LABEL), &[USER_DATA]));
        if let Some(found) = found {
            return found.map_err(|error| format!("{USER_DATA} of {name}: {error}"));
        }
    }
    Err(format!("no volume {LABEL} with a file {USER_DATA} on any disk"))
}

/// `EFI/orlop/config.toml` of the EFI system partition.
pub fn esp(places: &Places) -> Fetched {
    for name in devices(places)? {
        let block =
            std::fs::read_to_string(places.sys.join("class/block").join(&name).join("queue/logical_block_size"));
        // Partitions have no queue, and no table.
        let Some(block) = block.ok().and_then(|text| text.trim().parse().ok()) else { continue };
        let Ok(mut device) = File::open(places.dev.join(&name)) else { continue };
        for part in gpt::system_partitions(&mut device, block).unwrap_or_default() {
            let window = Window { device: &device, part, at: 0 };
            if let Some(found) = fat::file(window, None, &ON_ESP) {
                return found.map_err(|error| format!("{} of {name}: {error}", ON_ESP.join("/")));
            }
        }
    }
    Err(format!("no EFI system partition with a file {}", ON_ESP.join("/")))
}

/// Names of disks and partitions, in order.
fn devices(places: &Places) -> Result<Vec<String>, String> {
    let folder = places.sys.join("class/block");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    // The root's and the state's are not for reading here, and loop devices are pods'.
    names.retain(|name| !["dm-", "loop", "ram", "zram", "nbd"].iter().any(|prefix| name.starts_with(prefix)));
    names.sort();
    // Last: which ones are left out must depend neither on others nor on the folder's order.
    names.truncate(DEVICES);
    Ok(names)
}

/// A part of a disk as if it were one.
struct Window<'a> {
    device: &'a File,
    part: Range<u64>,
    at: u64,
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = (self.part.end - self.part.start).saturating_sub(self.at);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        self.device.seek(SeekFrom::Start(self.part.start.saturating_add(self.at)))?;
        let read = self.device.read(&mut buffer[..length])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => (self.part.end - self.part.start).checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_are_not_read_take_no_place_from_those_that_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places { sys: folder.path().into(), ..Places::default() };
        let class = folder.path().join("class/block");
        for number in 100..400 {
            std::fs::create_dir_all(class.join(format!("loop{number}"))).expect("a folder");
            std::fs::create_dir_all(class.join(format!("vda{number}"))).expect("a folder");
        }
        let first: Vec<String> = (100..100 + DEVICES).map(|number| format!("vda{number}")).collect();
        assert_eq!(devices(&places), Ok(first), "the first by their names, whatever the folder's order");
    }
}
