//! Loads modules after their dependencies, each once.

use super::alias;
use crate::sys::module;
use orlop_config::node::{Module, ModuleLists};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::path::Path;

/// Reads `modules.json`.
pub fn read_lists(path: &str) -> Result<ModuleLists, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{path}: {error}"))
}

/// Which modules there are and which are loaded.
#[derive(Debug)]
pub struct Loader<'a> {
    lists: &'a ModuleLists,
    by_name: BTreeMap<&'a str, &'a Module>,
    loaded: BTreeSet<&'a str>,
    parameters: BTreeMap<&'static str, &'static CStr>,
}

impl<'a> Loader<'a> {
    /// Knows the lists; what the kernel has already (from the initramfs) is not loaded again.
    pub fn new(lists: &'a ModuleLists) -> Self {
        let by_name: BTreeMap<&str, &Module> =
            lists.first.iter().chain(&lists.later).chain(&lists.by_alias).map(|m| (m.name.as_str(), m)).collect();
        let present = std::fs::read_to_string("/proc/modules").unwrap_or_default();
        let loaded = present
            .lines()
            .filter_map(|line| line.split(' ').next())
            .filter_map(|name| by_name.get_key_value(name).map(|(known, _)| *known))
            .collect();
        Loader { lists, by_name, loaded, parameters: BTreeMap::new() }
    }

    /// Gives a module parameters for when it is loaded.
    pub fn give(&mut self, name: &'static str, parameters: &'static CStr) {
        self.parameters.insert(name, parameters);
    }

    /// Loads one module before its turn, where the lists have it.
    pub fn ahead(&mut self, name: &str) -> Result<(), String> {
        match self.by_name.contains_key(name) {
            true => self.load(name).map_err(|error| error.to_string()),
            false => Ok(()),
        }
    }

    /// Loads the first wave, one after the other: from two threads it took twice as long (tried under
    /// emulation: each load stops all processors to patch the kernel's text).
    pub fn first(&mut self) -> Result<(), String> {
        self.all(self.lists.first.iter())
    }

    /// Loads what nothing of the boot waits for.
    pub fn later(&mut self) -> Result<(), String> {
        self.all(self.lists.later.iter())
    }

    fn all(&mut self, mut modules: impl Iterator<Item = &'a Module>) -> Result<(), String> {
        modules.try_for_each(|module| self.load(&module.name).map_err(|error| error.to_string()))
    }

    /// Loads what the devices that are there ask for; the number of modules that it loaded. A driver
    /// that does not load is left out and named: its device may not matter.
    pub fn by_alias(&mut self, failures: &mut Vec<String>) -> usize {
        let before = self.loaded.len();
        let devices = modaliases();
        for wanted in &self.lists.by_alias {
            let asked = || wanted.aliases.iter().any(|p| devices.iter().any(|device| alias::matches(p, device)));
            if !self.loaded.contains(wanted.name.as_str())
                && asked()
                && let Err(error) = self.load(&wanted.name)
            {
                failures.push(error.to_string());
            }
        }
        self.loaded.len() - before
    }

    /// Loads one module after those that it depends on. The lists are closed and in order, so the
    /// depth is small; a circle ends because each module counts as loaded before its dependencies are.
    fn load(&mut self, name: &str) -> io::Result<()> {
        let Some((known, module)) = self.by_name.get_key_value(name).map(|(known, module)| (*known, *module)) else {
            return Err(io::Error::other(format!("module {name} is in none of the lists")));
        };
        if !self.loaded.insert(known) {
            return Ok(());
        }
        for dependency in &module.depends {
            self.load(dependency)?;
        }
        load_file(Path::new(&module.path), self.parameters.get(known).copied().unwrap_or_default())
    }
}

fn load_file(path: &Path, parameters: &CStr) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("module {}: {error}", path.display()));
    match module::load(&File::open(path).map_err(named)?, parameters) {
        // Its hardware is not there (sha256_ssse3 on an old processor): whoever needs it says so.
        Err(error) if error.raw_os_error() == Some(nix::libc::ENODEV) => Ok(()),
        other => other.map_err(named),
    }
}

/// The modaliases of every device that the kernel found: those on a bus, and keys and buttons, which are on none.
fn modaliases() -> BTreeSet<String> {
    let buses = std::fs::read_dir("/sys/bus").into_iter().flatten().flatten();
    buses
        .map(|bus| bus.path().join("devices"))
        .chain(["/sys/class/input".into()])
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|devices| devices.flatten())
        .filter_map(|device| std::fs::read_to_string(device.path().join("modalias")).ok())
        .map(|alias| alias.trim_end().to_owned())
        .filter(|alias| !alias.is_empty())
        .collect()
}
