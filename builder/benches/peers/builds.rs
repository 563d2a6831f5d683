//! Whole builds: tree → complete image beside mkosi, the same again with nothing changed, and all of it from nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use serde_json::{Value, json};

use crate::formats::in_turns;
use crate::row::{Measured, Samples};
use crate::tools::{Tools, run, timed};

/// The program that is measured.
pub const ORLOP: &str = env!("CARGO_BIN_EXE_orlop");
/// Runs of what takes seconds.
const RUNS: usize = 3;
/// Runs of a build with nothing to do.
const AGAIN: usize = 7;
/// The file in which a cold build's time is kept.
const COLD: &str = "cold.json";

/// What is built, and where.
pub struct Builds<'a> {
    /// The definition.
    pub definition: &'a Path,
    /// The keys that sign.
    pub keys: &'a Path,
    /// The user's cache.
    pub cache: &'a Path,
    /// For results.
    pub work: &'a Path,
}

impl Builds<'_> {
    fn command(&self, out: &Path) -> Command {
        let mut command = Command::new(ORLOP);
        command.arg("build").arg(self.definition).arg("--keys").arg(self.keys).arg("--out").arg(out).arg("--json");
        command
    }

    fn out(&self) -> PathBuf {
        self.work.join("build")
    }

    /// Builds it; the JSON document that says what was made.
    pub fn image(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&run(&mut self.command(&self.out()))?)?)
    }

    /// The same again, with nothing changed.
    pub fn again(&self) -> Measured {
        let once = || timed(&mut self.command(&self.out()));
        let times: anyhow::Result<Vec<f64>> = (0..AGAIN).map(|_| once()).collect();
        times.map_err(|error| format!("{error:#}")).and_then(Samples::of)
    }

    /// From the tree to a complete image: ours with a cache that has every component and no root; mkosi from the
    /// root's files and a finished UKI, which spares it the making of one.
    pub fn tree_to_image(&self, tools: Result<&Tools, String>, tree: &Path) -> (Measured, Measured) {
        let (cache, out) = (self.work.join("cache"), self.work.join("fresh"));
        let mut ours = || {
            self.cache_without_roots(&cache)?;
            let _ = fs::remove_dir_all(&out);
            timed(self.command(&out).arg("--offline").env("ORLOP_CACHE", &cache))
        };
        let prepared = tools.and_then(|tools| {
            self.mkosi(tree).map_err(|error| format!("{error:#}"))?;
            Ok(tools)
        });
        let mut peer = || {
            let tools = prepared.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
            timed(tools.command(self.work, "mkosi")?.args(["--force", "build"]))
        };
        in_turns(RUNS, &mut ours, &mut peer)
    }

    /// A cache like the user's, by links, without any root image.
    fn cache_without_roots(&self, view: &Path) -> anyhow::Result<()> {
        let _ = fs::remove_dir_all(view);
        let results = view.join("results");
        fs::create_dir_all(&results)?;
        for name in ["sha256", "go", "cargo", "zig"] {
            symlink(self.cache.join(name), view.join(name))?;
        }
        for entry in fs::read_dir(self.cache.join("results"))?.flatten() {
            let name = entry.file_name();
            if !name.to_string_lossy().starts_with("root-") {
                symlink(entry.path(), results.join(name))?;
            }
        }
        Ok(())
    }

    /// mkosi's configuration: a disk with ESP, EROFS root (compressed as ours) and verity tree.
    fn mkosi(&self, tree: &Path) -> anyhow::Result<()> {
        let boot = self.work.join("esp/efi/EFI/BOOT");
        let release = self.work.join("esp/usr/lib");
        let repart = self.work.join("repart");
        for folder in [&boot, &release, &repart, &self.work.join("mkosi.out")] {
            fs::create_dir_all(folder)?;
        }
        fs::copy(self.work.join("BOOTX64.EFI"), boot.join("BOOTX64.EFI")).context("the UKI for mkosi")?;
        fs::copy(tree.join("etc/os-release"), release.join("os-release"))?;
        let files = [
            (
                "mkosi.conf",
                "[Distribution]\nDistribution=custom\n[Output]\nFormat=disk\nOutput=peer\nOutputDirectory=/mnt/mkosi.out\n\
                 RepartDirectories=/mnt/repart\n[Content]\nBaseTrees=/mnt/tree,/mnt/esp\nBootable=no\n\
                 CleanPackageMetadata=no\n[Build]\nHistory=no\nBuildSources=\n",
            ),
            (
                "repart/00-esp.conf",
                "[Partition]\nType=esp\nFormat=vfat\nCopyFiles=/efi:/\nSizeMinBytes=256M\nSizeMaxBytes=256M\n",
            ),
            (
                "repart/10-root.conf",
                "[Partition]\nType=root\nFormat=erofs\nCompression=zstd\nCompressionLevel=3\nCopyFiles=/:/\n\
                 ExcludeFiles=/efi/\nVerity=data\nVerityMatchKey=root\nMinimize=best\n",
            ),
            (
                "repart/20-verity.conf",
                "[Partition]\nType=root-verity\nVerity=hash\nVerityMatchKey=root\nMinimize=best\n",
            ),
        ];
        for (name, text) in files {
            fs::write(self.work.join(name), text)?;
        }
        Ok(())
    }

    /// All of it from nothing, in a clone of this repository with a cache of its own; the time is kept.
    pub fn cold(&self, repository: &Path) -> anyhow::Result<()> {
        let folder = tempfile::tempdir_in(self.work)?;
        let clone = folder.path().join("clone");
        run(Command::new("git").args(["clone", "--quiet", "--local"]).arg(repository).arg(&clone))?;
        let mut make = Command::new("make");
        make.current_dir(&clone).arg("image").env("ORLOP_CACHE", folder.path().join("cache"));
        // What cargo tells its children would choose another target folder.
        for name in ["CARGO_TARGET_DIR", "CARGO", "RUSTUP_TOOLCHAIN", "MAKEFLAGS", "MAKELEVEL"] {
            make.env_remove(name);
        }
        let start = Instant::now();
        run(&mut make)?;
        let document = json!({"seconds": start.elapsed().as_secs_f64(), "machine": crate::host::describe()});
        fs::write(self.kept(), serde_json::to_vec_pretty(&document)?)?;
        Ok(())
    }

    fn kept(&self) -> PathBuf {
        self.cache.join("peers").join(COLD)
    }

    /// The time of a clean checkout's `make test`, which that keeps in `out`.
    pub fn clean_test(repository: &Path, began: &str) -> Measured {
        let seconds = fs::read_to_string(repository.join(format!("out/test-{began}.seconds"))).ok();
        let seconds = seconds.and_then(|text| text.trim().parse().ok());
        seconds.map_or(
            Err(format!("no `make test` that began {began} in a clean checkout ended well here")),
            Samples::exact,
        )
    }

    /// The last cold build's time.
    pub fn last_cold(&self) -> Measured {
        let document = fs::read(self.kept()).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let seconds = document.and_then(|document| document["seconds"].as_f64());
        seconds.map_or(Err("no cold build was measured on this machine; --cold measures one".into()), Samples::exact)
    }
}
