//! Where OVMF lies, and this machine's own copy of its variables.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Firmware code and the variables that it starts with. The 4M build first: Debian 13 has no other.
const PAIRS: [(&str, &str); 3] =
    [("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"), ("OVMF_CODE.fd", "OVMF_VARS.fd"), ("OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd")];

/// Where distributions put them. `ORLOP_OVMF` names another folder, and is the only one then.
const FOLDERS: [&str; 4] = ["/usr/share/OVMF", "/usr/share/edk2/ovmf", "/usr/share/edk2/x64", "/usr/share/qemu"];

/// OVMF's two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ovmf {
    /// The code, read-only.
    pub code: PathBuf,
    /// The variables, to be copied for each machine.
    pub variables: PathBuf,
}

impl Ovmf {
    /// Looks in the usual places.
    pub fn find() -> Result<Ovmf> {
        match std::env::var_os("ORLOP_OVMF") {
            Some(folder) => Ovmf::find_in(&[PathBuf::from(folder)]),
            None => Ovmf::find_in(&FOLDERS.map(PathBuf::from)),
        }
    }

    fn find_in(folders: &[PathBuf]) -> Result<Ovmf> {
        let found = folders
            .iter()
            .flat_map(|folder| PAIRS.map(|(code, variables)| (folder.join(code), folder.join(variables))))
            .find(|(code, variables)| code.is_file() && variables.is_file());
        let Some((code, variables)) = found else {
            let tried: Vec<_> = folders.iter().map(|folder| folder.join(PAIRS[0].0).display().to_string()).collect();
            return Err(Error::NoFirmware { looked_for: tried.join(", ") });
        };
        Ok(Ovmf { code, variables })
    }

    /// Copies the variables into `folder`: the firmware writes to them.
    pub fn own_variables(&self, folder: &Path) -> Result<PathBuf> {
        let copy = folder.join("variables.fd");
        fs::copy(&self.variables, &copy).map_err(Error::file("copying to", &copy))?;
        Ok(copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_without_variables_is_not_firmware() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("OVMF_CODE_4M.fd"), "code").unwrap();
        let error = Ovmf::find_in(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("make setup") && error.contains("--direct"), "{error}");
        fs::write(folder.path().join("OVMF_VARS_4M.fd"), "variables").unwrap();
        let found = Ovmf::find_in(&[folder.path().to_owned()]).unwrap();
        let copy = found.own_variables(folder.path()).unwrap();
        assert_eq!(fs::read(copy).unwrap(), b"variables");
    }
}
