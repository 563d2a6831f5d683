//! The programs of the lab's servers, which `make lab-tools` builds.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Where they are.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The folder `out/lab-tools` of this workspace, or the one that `ORLOP_LAB_TOOLS` names.
    #[must_use]
    pub fn find() -> Tools {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        let folder = std::env::var_os("ORLOP_LAB_TOOLS");
        Tools { folder: folder.map_or_else(|| workspace.join("out/lab-tools"), PathBuf::from) }
    }

    /// One of them.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(Error::Lab(format!(
            "{} is missing: `make lab-tools` builds it (some ten minutes on two cores, once), or set ORLOP_LAB_TOOLS",
            path.display()
        )))
    }
}
