//! Tools whose output lands in the image: programs of locked packages, run by the loader and with the libraries
//! that were locked with them, so that the host's version never matters.

use std::path::{Path, PathBuf};
use std::process::Command;

use orlop_config::lockfile::Lockfile;

use super::Bench;
use super::cache::Key;
use super::error::Error;
use super::unpack;

/// The programs of one package.
#[derive(Debug, Clone)]
pub struct Tool {
    root: PathBuf,
    /// The package's version.
    pub version: String,
    /// The result's key: changes when the package or one of its libraries does.
    pub key: String,
}

/// The tools of every build.
#[derive(Debug, Clone)]
pub struct Tools {
    /// `mkfs.erofs`, `dump.erofs`, `fsck.erofs`.
    pub erofs: Tool,
    /// `mke2fs`, `e2fsck`, `dumpe2fs`.
    pub ext4: Tool,
}

/// The name of a tool's input, or of one of its libraries'.
pub fn input_name(package: &str, library: Option<&str>) -> String {
    match library {
        None => format!("tool.{package}"),
        Some(library) => format!("tool.{package}.{library}"),
    }
}

/// The locked tools, unpacked.
pub fn tools(bench: &Bench<'_>, lockfile: &Lockfile) -> Result<Tools, Error> {
    Ok(Tools {
        ext4: Tool::locked(bench, lockfile, "e2fsprogs")?,
        erofs: Tool::locked(bench, lockfile, "erofs-utils")?,
    })
}

impl Tool {
    fn locked(bench: &Bench<'_>, lockfile: &Lockfile, package: &str) -> Result<Tool, Error> {
        let name = input_name(package, None);
        let own = bench.input(lockfile, &name)?;
        let prefix = format!("{name}.");
        let parts: Vec<_> =
            lockfile.inputs.keys().filter(|input| **input == name || input.starts_with(&prefix)).collect();
        let hashes: Vec<&str> = parts.iter().map(|part| lockfile.inputs[*part].sha256.as_str()).collect();
        let key = Key::new("tool", 1, &hashes);
        let root = bench.cache.result(&key, |folder| {
            bench.step(&format!("unpack {package}"), || {
                for part in &parts {
                    unpack::deb(&bench.archive_blob(lockfile, part)?, folder)?;
                }
                Ok(((), own.version.clone()))
            })
        })?;
        Ok(Tool { root, version: own.version.clone(), key: key.as_str().into() })
    }

    /// A command that runs one of the package's programs, with nothing of the user's environment.
    pub fn command(&self, program: &str) -> Command {
        let folders = ["usr/sbin", "usr/bin"].map(|folder| self.root.join(folder).join(program));
        let path = folders.iter().find(|path| path.exists()).unwrap_or(&folders[0]);
        let mut command = Command::new(self.loader());
        command.arg("--argv0").arg(program).arg("--library-path").arg(self.root.join("usr/lib/x86_64-linux-gnu"));
        command.arg(path).env_clear();
        command.env("LC_ALL", "C").env("TZ", "UTC").env("PATH", "/nonexistent");
        command.env("MKE2FS_CONFIG", self.root.join("etc/mke2fs.conf"));
        command
    }

    fn loader(&self) -> PathBuf {
        self.root.join("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    }

    /// The folder that the package and its libraries are unpacked in.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
