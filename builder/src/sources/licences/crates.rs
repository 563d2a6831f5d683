//! Crates that the programs of this repository were compiled of, as they were fetched.

use super::super::error::{At, Error};
use super::super::produce::Produced;
use super::super::workspace;
use super::{Collecting, Found, Owner, declared, files, own, programs};
use crate::formats::auditable::{self, Kind, LOCAL};

impl Collecting<'_> {
    /// What each program says that it was built of.
    pub(super) fn rust_programs(&mut self, component: &str, made: &Produced) -> Result<(), Error> {
        let fetched = workspace::fetch(self.bench)?.join("crates");
        for (path, _) in programs(made) {
            let bytes = std::fs::read(path).at(path.display())?;
            let crates = auditable::crates(&bytes, component).map_err(|error| Error::format(path.display(), error))?;
            let crates = crates.unwrap_or_default().packages;
            for one in crates.iter().filter(|one| one.kind == Kind::Runtime && !one.root) {
                let folder = fetched.join(format!("{}-{}", one.name, one.version));
                self.add((Owner::Cargo, &one.name, &one.version), component, || match one.source == LOCAL {
                    true => Ok(own()),
                    false => Ok(Found { texts: files::folder(&folder)?, declared: declared::of_crate(&folder)? }),
                })?;
            }
        }
        Ok(())
    }
}
