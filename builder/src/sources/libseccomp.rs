//! libseccomp as a static library for runc, from Debian's source package. Upstream's release archive carries what
//! its configure and gperf would make, so that 29 files are compiled and that is all.

use std::path::{Path, PathBuf};

use orlop_config::lockfile::Lockfile;

use super::Bench;
use super::cache::Key;
use super::error::{At, Error};
use super::unpack;
use super::zig::{self, TARGET};

const NAME: &str = "library.libseccomp";
/// Counts up when what this file makes changes.
const RECIPE: u32 = 1;
/// A program of upstream's own tests that lies among the library's files.
const NOT_THE_LIBRARY: &str = "arch-syscall-dump.c";

/// Key of the library that a lockfile leads to.
pub fn key(bench: &Bench<'_>, lockfile: &Lockfile) -> Result<Key, Error> {
    let source = &bench.input(lockfile, NAME)?.sha256;
    let compiler = &bench.input(lockfile, "toolchain.zig")?.sha256;
    Ok(Key::new("libseccomp", RECIPE, &[source, compiler]))
}

/// Makes the library: a folder with `libseccomp.a` and `include/`.
pub fn build(bench: &Bench<'_>, lockfile: &Lockfile) -> Result<PathBuf, Error> {
    let key = key(bench, lockfile)?;
    bench.cache.result(&key, |folder| {
        let zig = zig::locked(bench, lockfile)?;
        let archive = bench.archive_blob(lockfile, NAME)?;
        bench.step("compile libseccomp", || {
            let what = archive.display().to_string();
            let file = std::fs::File::open(&archive).at(&what)?;
            unpack::tar(unpack::decompress(file, &what)?, &folder.join("source"), 1, &what)?;
            let objects = folder.join("objects");
            std::fs::create_dir(&objects).at(objects.display())?;
            // What its configure would find on any Linux of the last ten years; no other answer is asked for.
            std::fs::write(objects.join("configure.h"), "#define HAVE_LINUX_SECCOMP_H 1\n").at("configure.h")?;
            // Relative names: where this folder lies does not reach the objects.
            zig.run(bench, "cc")?
                .args(["-target", TARGET, "-c", "-O2", "-g0", "-fPIC", "-fvisibility=hidden", "-DNDEBUG"])
                .args(["-I.", "-I../source/include", "-I../source/src"])
                .args(names(&folder.join("source/src"), ".c")?.iter().map(|name| format!("../source/src/{name}")))
                .folder(&objects)
                .output()?;
            let objects_list = names(&objects, ".o")?;
            zig.run(bench, "ar")?.args(["rcsD", "../libseccomp.a"]).args(objects_list).folder(&objects).output()?;
            let include = folder.join("include");
            std::fs::rename(folder.join("source/include"), &include).at(include.display())?;
            std::fs::remove_dir_all(folder.join("source")).at(folder.display())?;
            std::fs::remove_dir_all(&objects).at(objects.display())?;
            Ok(((), bench.input(lockfile, NAME)?.version.clone()))
        })
    })
}

fn names(folder: &Path, end: &str) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).at(folder.display())? {
        let name = entry.at(folder.display())?.file_name().to_string_lossy().into_owned();
        if name.ends_with(end) && name != NOT_THE_LIBRARY {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
