//! Where OVMF lies, and this machine's own copy of its variables.

mod enrolled;
mod variables;

use std::fs;
use std::path::{Path, PathBuf};

pub use enrolled::{Enrolled, certificate};

use crate::{Error, Result};

/// Firmware code and the variables that it starts with. The 4M build first: Debian 13 has no other.
const PAIRS: [(&str, &str); 3] =
    [("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"), ("OVMF_CODE.fd", "OVMF_VARS.fd"), ("OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd")];
/// The same with code that knows Secure Boot, and guards its variables by System Management Mode.
const SECURE_PAIRS: [(&str, &str); 3] = [
    ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.fd"),
    ("OVMF_CODE.secboot.fd", "OVMF_VARS.fd"),
    ("OVMF_CODE.secboot.4m.fd", "OVMF_VARS.4m.fd"),
];

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
        Ovmf::find_in(&folders(), &PAIRS)
    }

    /// The same for the build that knows Secure Boot.
    pub fn find_secure() -> Result<Ovmf> {
        Ovmf::find_in(&folders(), &SECURE_PAIRS)
    }

    fn find_in(folders: &[PathBuf], pairs: &[(&str, &str)]) -> Result<Ovmf> {
        let found = folders
            .iter()
            .flat_map(|folder| pairs.iter().map(|(code, variables)| (folder.join(code), folder.join(variables))))
            .find(|(code, variables)| code.is_file() && variables.is_file());
        let Some((code, variables)) = found else {
            let tried: Vec<_> = folders.iter().map(|folder| folder.join(pairs[0].0).display().to_string()).collect();
            return Err(Error::NoFirmware { looked_for: tried.join(", ") });
        };
        Ok(Ovmf { code, variables })
    }

    /// Copies the variables into `folder`: the firmware writes to them.
    pub fn own_variables(&self, folder: &Path) -> Result<PathBuf> {
        self.write_variables(folder, |_| Ok(()))
    }

    /// The same with these keys in them.
    pub fn enroll(&self, folder: &Path, keys: &Enrolled) -> Result<PathBuf> {
        self.write_variables(folder, |bytes| keys.enroll(bytes))
    }

    fn write_variables(&self, folder: &Path, change: impl Fn(&mut [u8]) -> Result<(), String>) -> Result<PathBuf> {
        let mut bytes = fs::read(&self.variables).map_err(Error::file("reading", &self.variables))?;
        change(&mut bytes).map_err(|reason| Error::Image { path: self.variables.clone(), reason })?;
        let copy = folder.join("variables.fd");
        fs::write(&copy, bytes).map_err(Error::file("writing", &copy))?;
        Ok(copy)
    }
}

fn folders() -> Vec<PathBuf> {
    match std::env::var_os("ORLOP_OVMF") {
        Some(folder) => vec![PathBuf::from(folder)],
        None => FOLDERS.map(PathBuf::from).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_without_variables_is_not_firmware() {
        let folder = tempfile::tempdir().unwrap();
        let find = |pairs| Ovmf::find_in(&[folder.path().to_owned()], pairs);
        fs::write(folder.path().join("OVMF_CODE_4M.fd"), "code").unwrap();
        let error = find(&PAIRS).unwrap_err().to_string();
        assert!(error.contains("make setup") && error.contains("--direct"), "{error}");
        fs::write(folder.path().join("OVMF_VARS_4M.fd"), "variables").unwrap();
        let found = find(&PAIRS).unwrap();
        let copy = found.own_variables(folder.path()).unwrap();
        assert_eq!(fs::read(copy).unwrap(), b"variables");
        let error = find(&SECURE_PAIRS).unwrap_err().to_string();
        assert!(error.contains("OVMF_CODE_4M.secboot.fd"), "{error}");
        let keys = Enrolled { pk: vec![1], kek: vec![2], db: vec![], dbx: vec![], enforcing: true };
        let error = found.enroll(folder.path(), &keys).unwrap_err().to_string();
        assert!(error.contains("OVMF_VARS_4M.fd: no variable store"), "{error}");
    }
}
