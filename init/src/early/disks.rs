//! Finding the root's disk: drivers by the devices' aliases, then every disk's partition table, again
//! whenever the kernel announces a device, until the root is there or the time is up.

use crate::modules::Loader;
use crate::modules::uevent::Uevents;
use crate::report::{Refusal, or_refuse};
use crate::sys::block;
use orlop_chain::disk::{Disk, Found, find_root};
use orlop_chain::gpt::{self, Entry, Gpt, Table, types};
use orlop_chain::{At, Guid, RootHash, Stage};
use orlop_config::manifest::BootManifest;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a disk may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the disk that the firmware started from may take when another one has the same root.
const OTHER_PATIENCE: Duration = Duration::from_secs(5);
/// Once the root is found, another disk with the same root may still be on its way (SCSI and NVMe
/// look for theirs in the background): the choice is made when nothing new came for this long.
const SETTLED: Duration = Duration::from_millis(30);

/// The root's partitions, as device nodes.
#[derive(Debug)]
pub struct RootDisk {
    /// Kernel name of the disk.
    pub disk: String,
    /// Root hash.
    pub root_hash: RootHash,
    /// Device nodes.
    pub root: PathBuf,
    /// Of the verity tree.
    pub verity: PathBuf,
    /// Of the signature partition.
    pub signature: PathBuf,
    /// What the report should say.
    pub notes: Vec<String>,
}

/// A disk that has a partition table.
struct Seen {
    name: String,
    sector_size: u64,
    table: Table,
}

/// The search, from one look to the next.
pub struct Search<'a, 'm> {
    loader: &'a mut Loader<'m>,
    uevents: &'a Uevents,
    failures: Vec<String>,
    /// Disks without a partition table that can be read, as the last look found them.
    unreadable: Vec<String>,
    /// The partition from which the firmware started the machine.
    started_from: Option<Guid>,
}

impl<'a, 'm> Search<'a, 'm> {
    /// A search that loads drivers and hears of devices.
    pub fn new(loader: &'a mut Loader<'m>, uevents: &'a Uevents, started_from: Option<Guid>) -> Self {
        Search { loader, uevents, failures: Vec::new(), unreadable: Vec::new(), started_from }
    }

    /// Looks until the root's disk is there.
    pub fn find(mut self, manifest: &BootManifest) -> Result<RootDisk, Refusal> {
        let root_hash: RootHash = manifest.verity.root_hash.parse().at(Stage::Manifest)?;
        let begin = Instant::now();
        loop {
            let seen = self.look();
            let found = self.choose(&seen, &root_hash);
            let patience = match &found {
                Ok(found) if self.is_firmwares(&seen[found.disk]) => SETTLED,
                Ok(_) => OTHER_PATIENCE.saturating_sub(begin.elapsed()),
                Err(_) if carriers(&seen, &root_hash) > 0 => SETTLED,
                Err(_) => PATIENCE.saturating_sub(begin.elapsed()),
            };
            let heard = or_refuse(self.uevents.wait(Instant::now() + patience), "disk", "waiting for disks")?;
            // A device that comes and goes for ever must not keep the search from its end.
            if heard && begin.elapsed() < PATIENCE {
                continue;
            }
            return match found {
                Ok(found) => describe(&seen, found, root_hash),
                Err(refusal) => Err(explain(refusal.into(), self.failures.iter().chain(&self.unreadable))),
            };
        }
    }

    /// Loads drivers for what is there, then reads every disk with a partition table. A disk that
    /// has none is no candidate, and is named when nothing is found.
    fn look(&mut self) -> Vec<Seen> {
        while self.loader.by_alias(&mut self.failures) > 0 {}
        let devices = fs::read_dir("/sys/class/block").into_iter().flatten().flatten();
        let names = devices.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| is_disk(name)).collect();
        names.sort();
        self.unreadable.clear();
        names.into_iter().filter_map(|name| read(name).map_err(|why| self.unreadable.push(why)).ok()).collect()
    }

    fn choose(&self, seen: &[Seen], root_hash: &RootHash) -> Result<Found, orlop_chain::Refusal> {
        let disks: Vec<Disk<'_>> = seen.iter().map(|disk| Disk { name: &disk.name, gpt: &disk.table.gpt }).collect();
        find_root(&disks, root_hash, self.started_from)
    }

    /// Whether the firmware started from this disk, or does not say from which.
    fn is_firmwares(&self, disk: &Seen) -> bool {
        self.started_from.is_none_or(|guid| disk.table.gpt.of_type(types::ESP).any(|esp| esp.guid == guid))
    }
}

/// Disks that have a root with this hash: when there is one, waiting for more mends nothing.
fn carriers(seen: &[Seen], root_hash: &RootHash) -> usize {
    let carries = |gpt: &Gpt| gpt.of_type(types::ROOT_X86_64).any(|entry| entry.guid == root_hash.root_guid());
    seen.iter().filter(|disk| carries(&disk.table.gpt)).count()
}

fn explain<'a>(mut refusal: Refusal, failures: impl Iterator<Item = &'a String>) -> Refusal {
    for failure in failures {
        refusal.reason = format!("{}; {failure}", refusal.reason);
    }
    refusal
}

/// Disks only: no partitions, and none of the kernel's own inventions.
fn is_disk(name: &str) -> bool {
    let invented = ["loop", "ram", "dm-", "zram", "sr", "md", "fd", "nbd"].iter().any(|kind| name.starts_with(kind));
    !invented && !Path::new("/sys/class/block").join(name).join("partition").exists()
}

fn read(name: String) -> Result<Seen, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    let device = File::open(Path::new("/dev").join(&name)).map_err(|error| failed(&error))?;
    let sector_size = block::sector_size(&device).map_err(|error| failed(&error))?;
    let table = gpt::read(&device, sector_size).map_err(|error| failed(&error))?;
    Ok(Seen { name, sector_size, table })
}

fn describe(seen: &[Seen], found: Found, root_hash: RootHash) -> Result<RootDisk, Refusal> {
    let disk = &seen[found.disk];
    let mut notes: Vec<String> = disk.table.damage().into_iter().collect();
    if !found.others.is_empty() {
        notes.push(format!(
            "{} chosen by the firmware's boot partition; also on {}",
            disk.name,
            found.others.join(" ")
        ));
    }
    Ok(RootDisk {
        root: node(disk, &found.root)?,
        verity: node(disk, &found.verity)?,
        signature: node(disk, &found.signature)?,
        disk: disk.name.clone(),
        root_hash,
        notes,
    })
}

/// A partition's device node, once the kernel's own reading of the table is the same as ours.
fn node(disk: &Seen, entry: &Entry) -> Result<PathBuf, Refusal> {
    let name = partition_name(&disk.name, entry.number);
    let number = |file: &str| -> Option<u64> {
        fs::read_to_string(format!("/sys/class/block/{name}/{file}")).ok()?.trim().parse().ok()
    };
    let unit = disk.sector_size / 512;
    let want = (entry.first * unit, entry.sectors() * unit);
    match number("start").zip(number("size")) {
        Some(kernel) if kernel == want => Ok(Path::new("/dev").join(name)),
        kernel => {
            let reason = format!("{name}: the kernel says (start, size) {kernel:?}, the partition table {want:?}");
            Err(Refusal::new(Stage::Disk.name(), reason))
        }
    }
}

/// The kernel's name of a partition: `vda1`, `nvme0n1p1`.
pub fn partition_name(disk: &str, number: u32) -> String {
    let p = if disk.ends_with(|last: char| last.is_ascii_digit()) { "p" } else { "" };
    format!("{disk}{p}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_partitions() {
        assert_eq!(partition_name("vda", 8), "vda8");
        assert_eq!(partition_name("nvme0n1", 8), "nvme0n1p8");
    }
}
