//! Kernel modules: the definition's lists closed over their dependencies, in loading order.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use orlop_config::definition::Modules;
use orlop_config::node::{Module, ModuleLists};

use crate::formats::kmod::{self, ModuleInfo};
use crate::sources::{Produced, ProducedFile, ProducedKind};

/// What the initramfs and the root carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleWaves {
    /// `modules.json` of the initramfs; its paths are `/modules/NAME.ko.xz`.
    pub initramfs: ModuleLists,
    /// `modules.json` of the root; its paths are those of [`ModuleWaves::files`].
    pub root: ModuleLists,
    /// Module name → path in what the kernel component yields.
    pub files: BTreeMap<String, String>,
}

/// The folder of the kernel package in which its modules lie.
const FOLDER: &str = "usr/lib/modules/";

/// Closes the definition's lists. Reads only the modules that are named, and those they depend on.
pub fn waves(modules: &Modules, kernel: &Produced) -> anyhow::Result<ModuleWaves> {
    let index = Index::new(kernel)?;
    let Modules { boot, boot_by_alias, early, always, by_alias } = modules;
    let named = [boot, boot_by_alias, early, always, by_alias].map(Vec::as_slice).concat();
    let infos = index.read_all(&named)?;
    let mut closure = Closure { index, infos };
    let boot = closure.order(&modules.boot)?;
    let boot_by_alias = closure.order(&modules.boot_by_alias)?;
    let early = closure.order(&modules.early)?;
    let always = closure.order(&modules.always)?;
    let by_alias = closure.order(&modules.by_alias)?;
    let initramfs = closure.lists(&[&boot, &[], &boot_by_alias], &|name, _| format!("/modules/{name}.ko.xz"));
    let root = closure.lists(&[&early, &always, &by_alias], &|_, path| format!("/{path}"));
    // A module that only the initramfs carries is in the root's table too, so that a dependency is always found.
    Ok(ModuleWaves { initramfs, root, files: closure.index.used(&closure.infos) })
}

/// Module name → path, for all modules of the package.
struct Index {
    paths: BTreeMap<String, String>,
    builtin: BTreeSet<String>,
    contents: BTreeMap<String, ProducedFile>,
}

impl Index {
    fn new(kernel: &Produced) -> anyhow::Result<Self> {
        let mut index = Index { paths: BTreeMap::new(), builtin: BTreeSet::new(), contents: BTreeMap::new() };
        for (path, file) in &kernel.files {
            let Some(base) = path.rsplit('/').next().filter(|_| path.starts_with(FOLDER)) else { continue };
            if !matches!(file.kind, ProducedKind::File { .. }) {
                continue;
            }
            if base == "modules.builtin" {
                let text = String::from_utf8(super::read_produced(file)?);
                let text = text.with_context(|| file.path.display().to_string())?;
                index.builtin.extend(text.lines().filter_map(module_name));
            } else if let Some(name) = module_name(base) {
                index.contents.insert(name.clone(), file.clone());
                index.paths.insert(name, path.clone());
            }
        }
        Ok(index)
    }

    fn read(&self, name: &str) -> anyhow::Result<ModuleInfo> {
        let file = &self.contents[name];
        let bytes = super::read_produced(file)?;
        kmod::modinfo(&bytes).with_context(|| format!("kernel module `{name}` in {}", file.path.display()))
    }

    /// Reads modules on all cores, since each has to be unpacked. A name that is none is left to who looks for it.
    fn read_all(&self, names: &[String]) -> anyhow::Result<BTreeMap<String, ModuleInfo>> {
        let names: Vec<String> = names.iter().map(|name| name.replace('-', "_")).collect();
        let names: Vec<&String> = names.iter().filter(|name| self.paths.contains_key(*name)).collect();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let read = |part: &[&String]| part.iter().map(|name| Ok(((*name).clone(), self.read(name)?))).collect();
        std::thread::scope(|scope| {
            let parts: Vec<_> =
                names.chunks(names.len().div_ceil(cores).max(1)).map(|part| scope.spawn(move || read(part))).collect();
            let mut infos = BTreeMap::new();
            for part in parts {
                let found: anyhow::Result<Vec<_>> =
                    part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                infos.extend(found?);
            }
            Ok(infos)
        })
    }

    fn used(&self, infos: &BTreeMap<String, ModuleInfo>) -> BTreeMap<String, String> {
        infos.keys().map(|name| (name.clone(), self.paths[name].clone())).collect()
    }
}

/// `kernel/drivers/block/virtio-blk.ko.xz` → `virtio_blk`, as `/proc/modules` writes it.
pub fn module_name(path: &str) -> Option<String> {
    let base = path.rsplit('/').next()?;
    let stem = base.strip_suffix(".ko.xz").or_else(|| base.strip_suffix(".ko"))?;
    Some(stem.replace('-', "_"))
}

struct Closure {
    index: Index,
    infos: BTreeMap<String, ModuleInfo>,
}

impl Closure {
    /// `names` and all they depend on, dependencies first.
    fn order(&mut self, names: &[String]) -> anyhow::Result<Vec<String>> {
        let mut order = Vec::new();
        for name in names {
            let name = name.replace('-', "_");
            if self.index.builtin.contains(&name) {
                bail!("kernel.modules: `{name}` is built into this kernel; take it off the list");
            }
            self.visit(&name, &name, &mut order, &mut Vec::new())?;
        }
        Ok(order)
    }

    fn visit(
        &mut self,
        name: &str,
        wanted: &str,
        order: &mut Vec<String>,
        path: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        if order.iter().any(|done| done == name) || path.iter().any(|above| above == name) {
            return Ok(());
        }
        if !self.index.paths.contains_key(name) {
            bail!("kernel.modules: this kernel has no module `{name}`{}", near(name, wanted, &self.index));
        }
        if !self.infos.contains_key(name) {
            let info = self.index.read(name)?;
            self.infos.insert(name.into(), info);
        }
        path.push(name.into());
        for dependency in self.dependencies(name) {
            self.visit(&dependency, wanted, order, path)?;
        }
        path.pop();
        order.push(name.into());
        Ok(())
    }

    /// Hard dependencies, and soft ones that this package has.
    fn dependencies(&self, name: &str) -> Vec<String> {
        let info = &self.infos[name];
        let soft = info.soft_before.iter().filter(|soft| self.index.paths.contains_key(*soft));
        info.depends.iter().chain(soft).cloned().collect()
    }

    /// `[first, later, by_alias]` as a document. A module stands in the first list that names it; what
    /// `by_alias` needs but no device asks for has no aliases and is loaded with what needs it.
    fn lists(&self, waves: &[&[String]; 3], place: &dyn Fn(&str, &str) -> String) -> ModuleLists {
        let mut taken = BTreeSet::new();
        let mut list = |names: &[String], with_aliases: bool| -> Vec<Module> {
            let new = names.iter().filter(|name| taken.insert((*name).clone()));
            new.map(|name| self.module(name, with_aliases, place)).collect()
        };
        ModuleLists { first: list(waves[0], false), later: list(waves[1], false), by_alias: list(waves[2], true) }
    }

    fn module(&self, name: &str, with_aliases: bool, place: &dyn Fn(&str, &str) -> String) -> Module {
        let aliases = if with_aliases { self.infos[name].aliases.clone() } else { Vec::new() };
        Module {
            name: name.into(),
            path: place(name, &self.index.paths[name]),
            depends: self.dependencies(name),
            aliases,
        }
    }
}

fn near(name: &str, wanted: &str, index: &Index) -> String {
    if name != wanted {
        return format!(", which `{wanted}` depends on");
    }
    let nearest = index.paths.keys().min_by_key(|other| strsim::levenshtein(name, other));
    nearest.map_or(String::new(), |other| format!("; did you mean `{other}`?"))
}

#[cfg(test)]
mod tests {
    use super::module_name;

    #[test]
    fn file_names_become_module_names() {
        assert_eq!(module_name("kernel/drivers/block/virtio-blk.ko.xz").as_deref(), Some("virtio_blk"));
        assert_eq!(module_name("kernel/fs/ext4/ext4.ko").as_deref(), Some("ext4"));
        assert_eq!(module_name("modules.order"), None);
    }
}
