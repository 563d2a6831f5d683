//! The initramfs: init, the boot modules, the boot manifest and the release key, in one uncompressed cpio.
//! The kernel is packed already and modules come packed, so packing this again would gain little.

use std::collections::BTreeMap;

use anyhow::bail;

use super::root::json_line;
use crate::formats::cpio::{self, Entry, Kind};
use crate::sources::Produced;
use crate::tree::{self, ModuleWaves};

/// Folders that init mounts onto.
const FOLDERS: &[&str] = &["dev", "modules", "orlop", "proc", "root", "run", "sys"];

/// What goes into an initramfs.
pub struct Contents<'a> {
    /// The init binary.
    pub init: &'a [u8],
    /// Exact bytes of the boot manifest.
    pub boot_manifest: &'a [u8],
    /// The public keys' file: those whose signature over the boot manifest counts.
    pub public_keys: &'a str,
    /// Its modules.
    pub modules: &'a ModuleWaves,
    /// Where they come from.
    pub kernel: &'a Produced,
    /// Every time in it.
    pub epoch: u64,
}

/// Makes the initramfs.
pub fn make(contents: &Contents<'_>) -> anyhow::Result<Vec<u8>> {
    let mut members: BTreeMap<String, Kind> = BTreeMap::new();
    for folder in FOLDERS {
        members.insert((*folder).into(), Kind::Folder { mode: 0o755 });
    }
    // The kernel opens it as init's standard streams, before anything is mounted.
    members.insert("dev/console".into(), Kind::CharDevice { mode: 0o600, major: 5, minor: 1 });
    let file = |mode: u32, bytes: &[u8]| Kind::File { mode, bytes: bytes.to_vec() };
    members.insert("init".into(), file(0o755, contents.init));
    members.insert("orlop/boot.json".into(), file(0o644, contents.boot_manifest));
    members.insert("orlop/modules.json".into(), file(0o644, &json_line(&contents.modules.initramfs)?));
    members.insert("orlop/release.pub".into(), file(0o644, contents.public_keys.as_bytes()));
    let lists = &contents.modules.initramfs;
    for module in [&lists.first, &lists.later, &lists.by_alias].into_iter().flatten() {
        let from = &contents.modules.files[&module.name];
        let bytes = tree::read_produced(&contents.kernel.files[from])?;
        let Some(name) = module.path.strip_prefix('/') else { bail!("module path `{}`", module.path) };
        members.insert(name.into(), file(0o644, &bytes));
    }
    let entries: Vec<_> = members.into_iter().map(|(path, kind)| Entry { path, kind }).collect();
    Ok(cpio::write(&entries, contents.epoch)?)
}
