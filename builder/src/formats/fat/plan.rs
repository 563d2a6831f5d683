//! Where everything goes.

use std::collections::{BTreeMap, BTreeSet};

use super::format::*;
use super::names::{ShortName, is_valid};

/// A volume to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its bytes: from 33 MiB to 2 TiB.
    pub bytes: u64,
    /// Its serial number.
    pub id: u32,
    /// Its label: up to 11 capitals.
    pub label: String,
    /// Every time in it, in seconds since 1970.
    pub epoch: u64,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FatError {
    /// A size that a FAT32 cannot have.
    #[error("FAT volume of {0} bytes; want whole sectors, 33 MiB to 2 TiB")]
    Size(u64),
    /// A label that does not fit.
    #[error("FAT label `{0}`: want 1 to 11 capitals, digits, `-` or `_`")]
    Label(String),
    /// A path that a FAT cannot have.
    #[error("FAT path `{0}`: a part that is empty, too long, or has a character that is not allowed")]
    Path(String),
    /// Two paths that a FAT cannot tell apart.
    #[error("FAT path `{0}` twice (upper and lower case are the same)")]
    Twice(String),
    /// A path below a file.
    #[error("FAT path `{0}` leads through a file")]
    ThroughFile(String),
    /// A file of 4 GiB or more.
    #[error("FAT file `{0}` has 4 GiB or more")]
    TooBig(String),
    /// More files than fit into a folder of 2 MiB.
    #[error("FAT folder `{0}` has too many entries")]
    TooMany(String),
    /// Not enough clusters.
    #[error("FAT volume: {missing} bytes too small for its files; make partitions.esp_mib bigger")]
    Full {
        /// Bytes that are missing.
        missing: u64,
    },
}

/// A volume's layout: what to write where, and where each file's content goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub(super) geometry: Geometry,
    /// Reserved sectors, tables, folders: offset in the volume and bytes.
    pub(super) structures: Vec<(u64, Vec<u8>)>,
    /// For each file, in the order given: offset in the volume and bytes.
    pub(super) files: Vec<(u64, u64)>,
}

impl Plan {
    /// Lays out `files` (path with `/` between its parts, and size) in a volume. Folders are made where a path has them.
    pub fn new(volume: &Volume, files: &[(&str, u64)]) -> Result<Plan, FatError> {
        let label = label(&volume.label)?;
        let geometry = geometry(volume.bytes)?;
        let mut root = Folder::default();
        for (index, (path, size)) in files.iter().enumerate() {
            let size = u32::try_from(*size).map_err(|_| FatError::TooBig((*path).to_owned()))?;
            root.add(path, path, File { index, size })?;
        }
        let mut layout = Layout {
            cluster_bytes: geometry.cluster_bytes(),
            next: FIRST_CLUSTER,
            chains: Vec::new(),
            folders: Vec::new(),
            files: vec![0; files.len()],
            label,
            stamp: Stamp::new(volume.epoch),
        };
        layout.folder(&root, None, "")?;
        let used = layout.next - FIRST_CLUSTER;
        if used > geometry.clusters {
            return Err(FatError::Full { missing: u64::from(used - geometry.clusters) * geometry.cluster_bytes() });
        }
        let mut structures = vec![(0, reserved(&geometry, volume.id, &label, used))];
        let table = table(&layout.chains);
        for copy in 0..TABLES {
            structures.push(((RESERVED + copy * u64::from(geometry.table_sectors)) * SECTOR, table.clone()));
        }
        structures.extend(layout.folders.into_iter().map(|(cluster, bytes)| (geometry.offset(cluster), bytes)));
        let place = |(cluster, (_, size)): (&u32, &(&str, u64))| match cluster {
            0 => (0, 0),
            cluster => (geometry.offset(*cluster), *size),
        };
        let files = layout.files.iter().zip(files).map(place).collect();
        Ok(Plan { geometry, structures, files })
    }
}

fn label(text: &str) -> Result<[u8; 11], FatError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    if !plain || !(1..=11).contains(&text.len()) {
        return Err(FatError::Label(text.to_owned()));
    }
    let mut label = [b' '; 11];
    label[..text.len()].copy_from_slice(text.as_bytes());
    Ok(label)
}

/// The biggest clusters, up to 4 KiB, with which there are enough of them for a FAT32.
fn geometry(bytes: u64) -> Result<Geometry, FatError> {
    let wrong = FatError::Size(bytes);
    let sectors = u32::try_from(bytes / SECTOR).ok().filter(|_| bytes.is_multiple_of(SECTOR)).ok_or(wrong.clone())?;
    let fitting = [8_u8, 4, 2, 1].into_iter().find_map(|sectors_per_cluster| {
        let per_cluster = u64::from(sectors_per_cluster);
        // An upper bound: the tables take space from the clusters that they are for.
        let table_sectors = ((u64::from(sectors) / per_cluster + 2) * 4).div_ceil(SECTOR);
        let data = u64::from(sectors).checked_sub(RESERVED + TABLES * table_sectors)?;
        let clusters = data / per_cluster;
        (MIN_CLUSTERS..0x0fff_fff5).contains(&clusters).then_some(Geometry {
            sectors,
            sectors_per_cluster,
            table_sectors: table_sectors as u32,
            clusters: clusters as u32,
        })
    });
    fitting.ok_or(wrong)
}

/// One table's used part: every chain is in one piece.
fn table(chains: &[(u32, u32)]) -> Vec<u8> {
    let mut entries = TABLE_HEAD.to_vec();
    for (first, clusters) in chains {
        entries.extend((first + 1)..(first + clusters));
        entries.push(END_OF_CHAIN);
    }
    let mut bytes: Vec<u8> = entries.into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.resize(bytes.len().next_multiple_of(SECTOR as usize), 0);
    bytes
}

/// A folder with its names: what is in it, by name in capitals, so that the order is the same for all readers.
#[derive(Default)]
struct Folder {
    children: BTreeMap<String, (String, Node)>,
}

enum Node {
    Folder(Folder),
    File(File),
}

struct File {
    index: usize,
    size: u32,
}

impl Folder {
    fn add(&mut self, rest: &str, path: &str, file: File) -> Result<(), FatError> {
        let (name, below) = rest.split_once('/').map_or((rest, None), |(name, below)| (name, Some(below)));
        if !is_valid(name) {
            return Err(FatError::Path(path.to_owned()));
        }
        let key = name.to_uppercase();
        match below {
            None if self.children.contains_key(&key) => Err(FatError::Twice(path.to_owned())),
            None => {
                self.children.insert(key, (name.to_owned(), Node::File(file)));
                Ok(())
            }
            Some(below) => {
                let new = || (name.to_owned(), Node::Folder(Folder::default()));
                match &mut self.children.entry(key).or_insert_with(new).1 {
                    Node::Folder(folder) => folder.add(below, path, file),
                    Node::File(_) => Err(FatError::ThroughFile(path.to_owned())),
                }
            }
        }
    }
}

struct Layout {
    cluster_bytes: u64,
    next: u32,
    chains: Vec<(u32, u32)>,
    folders: Vec<(u32, Vec<u8>)>,
    /// First cluster of each file; 0 for an empty one.
    files: Vec<u32>,
    label: [u8; 11],
    stamp: Stamp,
}

impl Layout {
    /// Lays out a folder, then what is in it; returns its first cluster. `parent` is none for the root.
    fn folder(&mut self, folder: &Folder, parent: Option<u32>, path: &str) -> Result<u32, FatError> {
        let names = names(folder, path)?;
        let own = if parent.is_some() { 2 } else { 1 };
        let entries: usize = own + names.iter().map(|(_, long)| 1 + long.len()).sum::<usize>();
        // The specification's limit for a folder.
        if entries > 65_536 {
            return Err(FatError::TooMany(path.to_owned()));
        }
        let cluster = self.take((entries * ENTRY) as u64);
        let mut bytes = Vec::with_capacity(entries * ENTRY);
        match parent {
            None => bytes.extend(entry(&self.label, LABEL, self.stamp, (0, 0))),
            Some(parent) => {
                // The root is called 0 here, whichever cluster it has.
                let above = if parent == FIRST_CLUSTER { 0 } else { parent };
                bytes.extend(entry(b".          ", FOLDER, self.stamp, (cluster, 0)));
                bytes.extend(entry(b"..         ", FOLDER, self.stamp, (above, 0)));
            }
        }
        for ((name, node), (short, long)) in folder.children.values().zip(names) {
            bytes.extend(long.concat());
            let (attributes, place) = match node {
                Node::Folder(below) => (FOLDER, (self.folder(below, Some(cluster), &format!("{path}{name}/"))?, 0)),
                Node::File(file) => (ARCHIVE, (self.file(file), file.size)),
            };
            bytes.extend(entry(&short.0, attributes, self.stamp, place));
        }
        self.folders.push((cluster, bytes));
        Ok(cluster)
    }

    fn file(&mut self, file: &File) -> u32 {
        let cluster = if file.size == 0 { 0 } else { self.take(file.size.into()) };
        self.files[file.index] = cluster;
        cluster
    }

    /// The next clusters for `bytes` bytes, in one piece. Beyond the volume's end too: the plan says how much is missing.
    fn take(&mut self, bytes: u64) -> u32 {
        let first = self.next;
        let clusters = u32::try_from(bytes.div_ceil(self.cluster_bytes)).unwrap_or(u32::MAX);
        self.next = first.saturating_add(clusters);
        self.chains.push((first, clusters));
        first
    }
}

/// Short name and long-name entries of each child, in their order.
type Names = Vec<(ShortName, Vec<[u8; ENTRY]>)>;

fn names(folder: &Folder, path: &str) -> Result<Names, FatError> {
    // Names that are their own come first, so that no made-up name takes theirs.
    let exact: Vec<_> = folder.children.values().map(|(name, _)| ShortName::exact(name)).collect();
    let mut taken: BTreeSet<ShortName> = exact.iter().flatten().copied().collect();
    let mut names = Vec::with_capacity(exact.len());
    for ((name, _), exact) in folder.children.values().zip(exact) {
        let made_up = || ShortName::made_up(name, &taken).ok_or_else(|| FatError::TooMany(path.to_owned()));
        let (short, long) = match exact {
            Some(short) => (short, Vec::new()),
            None => {
                let short = made_up()?;
                (short, long_entries(name, &short))
            }
        };
        taken.insert(short);
        names.push((short, long));
    }
    Ok(names)
}
