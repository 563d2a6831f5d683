//! Modules that Go programs were compiled of, in the go command's own cache.

use std::path::PathBuf;

use super::super::error::{At, Error};
use super::super::go::{locked_toolchain, module_folder};
use super::super::produce::Produced;
use super::{Collecting, Owner, Texts, files, programs};
use crate::formats::go_binary::{self, Module};

/// The module that is generated around a component's commands; nobody else has a part in it.
const GENERATED: &str = "orlop.invalid/";

impl Collecting<'_> {
    /// What each program says that it was built of. One that says nothing leaves its component without a text.
    pub(super) fn go_programs(&mut self, component: &str, made: &Produced) -> Result<(), Error> {
        let mut silent = true;
        for (path, _) in programs(made) {
            let bytes = std::fs::read(path).at(path.display())?;
            let Ok(info) = go_binary::build_info(&bytes, component) else { continue };
            silent = false;
            for module in info.modules().map(Module::compiled) {
                if is_somebodys(module) {
                    let folder = module_folder(self.bench.cache, &module.path, &module.version)?;
                    self.add((Owner::Go, &module.path, &module.version), component, || of_module(folder))?;
                }
            }
            // `go1.26.8 X:experiment`
            let version = info.go_version.split(' ').next().unwrap_or_default();
            let version = version.strip_prefix("go").unwrap_or(version);
            let go = locked_toolchain(self.bench, self.lockfile)?;
            self.add((Owner::Go, "stdlib", version), component, || files::folder(&go.root))?;
        }
        if silent {
            self.add((Owner::Component, component, &made.version), component, || Ok(Texts::new()))?;
        }
        Ok(())
    }
}

/// A folder of this build is nobody's module.
fn is_somebodys(module: &Module) -> bool {
    let folder = module.path.starts_with(['.', '/']) || module.path.starts_with(GENERATED);
    !folder && module.version.starts_with('v')
}

fn of_module(folder: PathBuf) -> Result<Texts, Error> {
    if !folder.is_dir() {
        // Others would find its texts, and the document would be another one.
        let next = "a module that was fetched is gone; delete the folder `go` of the cache, and the next build fetches it again";
        return Err(Error::format(folder.display(), next));
    }
    files::folder(&folder)
}
