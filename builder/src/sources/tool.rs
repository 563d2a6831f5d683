//! Tools whose output lands in the image: programs of locked packages, run by the loader and with the libraries
//! that were locked with them, so that the host's version never matters.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::FileHeader;
use orlop_config::lockfile::Lockfile;

use super::Bench;
use super::cache::Key;
use super::error::{At, Error, relock};
use super::unpack;
use crate::formats::elf::is_elf;

/// Counts up when what is made of the same packages, or asked of them, changes.
const RECIPE: u32 = 2;
/// Where the packages have their programs, and where their libraries.
const PROGRAMS: [&str; 2] = ["usr/bin", "usr/sbin"];
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

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
        let key = Key::new("tool", RECIPE, &hashes);
        let root = bench.cache.result(&key, |folder| {
            bench.step(&format!("unpack {package}"), || {
                for part in &parts {
                    unpack::deb(&bench.archive_blob(lockfile, part)?, folder)?;
                }
                complete(folder, &name)?;
                Ok(((), own.version.clone()))
            })
        })?;
        Ok(Tool { root, version: own.version.clone(), key: key.as_str().into() })
    }

    /// A command that runs one of the package's programs, with nothing of the user's environment.
    pub fn command(&self, program: &str) -> Command {
        let folders = PROGRAMS.map(|folder| self.root.join(folder).join(program));
        let path = folders.iter().find(|path| path.exists()).unwrap_or(&folders[0]);
        let mut command = Command::new(self.loader());
        command.args(["--inhibit-cache", "--argv0", program, "--library-path"]).arg(self.root.join(LIBRARIES));
        command.arg(path).env_clear();
        command.env("LC_ALL", "C").env("TZ", "UTC").env("PATH", "/nonexistent");
        command.env("MKE2FS_CONFIG", self.root.join("etc/mke2fs.conf"));
        command
    }

    fn loader(&self) -> PathBuf {
        self.root.join(LIBRARIES).join("ld-linux-x86-64.so.2")
    }

    /// The folder that the package and its libraries are unpacked in.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Whether the programs find every library that they ask for among the locked ones. The loader would take one that
/// is missing from the host's folders, and the host's version would matter after all.
fn complete(root: &Path, name: &str) -> Result<(), Error> {
    let mut open = Vec::new();
    for folder in PROGRAMS.map(|folder| root.join(folder)).iter().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder).at(folder.display())? {
            open.push(entry.at(folder.display())?.path());
        }
    }
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop() {
        let bytes = fs::read(&path).at(path.display())?;
        // Scripts stand beside the programs.
        if !is_elf(&bytes) {
            continue;
        }
        let asked = needed(&bytes).map_err(|error| Error::format(path.display(), error))?;
        for library in asked.into_iter().filter(|library| !seen.contains(library)).collect::<Vec<_>>() {
            let found = root.join(LIBRARIES).join(&library);
            if !found.is_file() {
                let (program, next) = (path.file_name().unwrap_or_default().display(), relock(name));
                return Err(Error::Unresolved(format!(
                    "input `{name}`: {program} asks for {library}, which is in none of the packages that were locked \
                     with it; {next}"
                )));
            }
            seen.insert(library);
            open.push(found);
        }
    }
    Ok(())
}

/// The libraries that an ELF file asks for (`DT_NEEDED`).
fn needed(bytes: &[u8]) -> object::Result<Vec<String>> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let table = sections.dynamic_table(endian, bytes)?;
    let asked = table.iter().filter(|entry| entry.tag == DT_NEEDED);
    asked.map(|entry| Ok(String::from_utf8_lossy(table.string(entry)?).into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This very test is a program that asks for the C library, on the machines that we build on.
    #[test]
    fn a_library_that_was_not_locked_is_named() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(needed(&own).unwrap().contains(&"libc.so.6".to_owned()));
        let root = tempfile::tempdir().unwrap();
        for folder in ["usr/sbin", LIBRARIES] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("usr/sbin/mkfs"), &own).unwrap();
        fs::write(root.path().join("usr/sbin/script"), "#!/bin/sh\n").unwrap();
        for library in needed(&own).unwrap() {
            let error = complete(root.path(), "tool.mkfs").unwrap_err().to_string();
            let says = ["`tool.mkfs`", "mkfs asks for", "orlop lock DEFINITION --update tool.mkfs"];
            assert!(says.iter().all(|part| error.contains(part)), "{error}");
            fs::write(root.path().join(LIBRARIES).join(library), "a linker script, say").unwrap();
        }
        complete(root.path(), "tool.mkfs").unwrap();
    }

    #[test]
    fn what_only_begins_like_a_program_is_an_error() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        for cut in [4, 16, 63, 64, 200, own.len() / 2, own.len() - 1] {
            assert!(needed(&own[..cut]).is_err(), "{cut}");
        }
    }
}
