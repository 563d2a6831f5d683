//! What is written into an image, beside the tools that everybody uses for it: verity tree, ESP, UKI.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use orlop::formats::{fat, pe, verity};
use orlop::image::open::Image;
use orlop_chain::gpt::types;
use orlop_chain::verity::{BLOCK, BlockHash, HASH, SALT};
use orlop_config::manifest::{Verity, parse_boot};

use crate::row::{Measured, Samples};
use crate::tools::{Tools, program, run, timed};

/// Runs of what takes less than a second.
const RUNS: usize = 7;

/// Takes turns, so that a busy moment of the machine hits both alike. The first round warms up and is not counted.
pub fn in_turns(
    runs: usize,
    ours: &mut dyn FnMut() -> anyhow::Result<f64>,
    peer: &mut dyn FnMut() -> anyhow::Result<f64>,
) -> (Measured, Measured) {
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    let (mut my_error, mut their_error) = (None, None);
    for round in 0..=runs {
        let sides: [(&mut dyn FnMut() -> anyhow::Result<f64>, _, _); 2] =
            [(&mut *ours, &mut mine, &mut my_error), (&mut *peer, &mut theirs, &mut their_error)];
        for (side, times, error) in sides {
            if error.is_some() {
                continue;
            }
            match side() {
                Ok(time) if round > 0 => times.push(time),
                Ok(_) => {}
                Err(why) => *error = Some(format!("{why:#}")),
            }
        }
    }
    let result = |times, error: Option<String>| error.map_or_else(|| Samples::of(times), Err);
    (result(mine, my_error), result(theirs, their_error))
}

/// What the image is made of, as files.
pub struct Pieces {
    folder: PathBuf,
    verity: Verity,
    root: PathBuf,
    uki: Vec<u8>,
}

impl Pieces {
    /// Takes an image apart.
    pub fn of(image: &Path, folder: &Path) -> anyhow::Result<Pieces> {
        let image = Image::open(image)?;
        let uki = image.uki()?;
        let verity = parse_boot(&uki.boot_manifest()?)?.verity;
        let entry = image.table.gpt.of_type(types::ROOT_X86_64).next().context("no root partition")?;
        let root = folder.join("root.erofs");
        let mut bytes = vec![0; usize::try_from(verity.data_blocks)? * BLOCK];
        orlop_chain::device::ReadAt::read_exact_at(&image.region(entry), &mut bytes, 0)?;
        fs::write(&root, bytes)?;
        Ok(Pieces { folder: folder.into(), verity, root, uki: uki.bytes })
    }

    /// Bytes of the UKI.
    pub fn uki_bytes(&self) -> u64 {
        self.uki.len() as u64
    }

    fn salt(&self) -> anyhow::Result<[u8; SALT]> {
        let salt = hex::decode(&self.verity.salt)?;
        salt.try_into().map_err(|_| anyhow::anyhow!("a salt of another length"))
    }

    /// Superblock and tree over the same file: ours and `veritysetup format`. Both write into memory, so that the disk
    /// does not count; both must find the root hash of the image.
    pub fn verity(&self) -> (Measured, Measured) {
        let Ok(memory) = memory_folder() else { return both_missing("no folder in memory") };
        let (mine, theirs) = (memory.path().join("ours"), memory.path().join("peer"));
        let mut ours = || {
            let data = File::open(&self.root)?;
            let start = Instant::now();
            let made = verity::build(&data, &File::create(&mine)?, &self.salt()?, &self.verity.uuid)?;
            let time = start.elapsed().as_secs_f64();
            if made.root_hash != self.verity.root_hash {
                bail!("another root hash");
            }
            Ok(time)
        };
        let mut peer = || {
            let mut command = program("veritysetup").context("apt-get install cryptsetup-bin")?;
            command.args(["format", "--format=1", "--hash=sha256", "--data-block-size=4096", "--hash-block-size=4096"]);
            command.args(["--salt", &self.verity.salt, "--uuid", &self.verity.uuid]).arg(&self.root).arg(&theirs);
            let start = Instant::now();
            let said = run(&mut command)?;
            let time = start.elapsed().as_secs_f64();
            if !said.contains(&self.verity.root_hash) {
                bail!("another root hash: {said}");
            }
            Ok(time)
        };
        in_turns(RUNS, &mut ours, &mut peer)
    }

    /// The least time that the cores need for the tree's hashes alone: no file, no tree.
    pub fn hash_limit(&self) -> anyhow::Result<f64> {
        let bytes = fs::read(&self.root)?;
        let (salt, threads) = (self.salt()?, std::thread::available_parallelism()?.get());
        let share = (bytes.len() / BLOCK).div_ceil(threads).max(1) * BLOCK;
        let mut best = f64::INFINITY;
        for _ in 0..RUNS {
            let start = Instant::now();
            std::thread::scope(|scope| {
                for part in bytes.chunks(share) {
                    scope.spawn(move || {
                        let mut hashes = vec![0; part.len() / BLOCK * HASH];
                        BlockHash::new(&salt).of_blocks(part, &mut hashes);
                        black_box(hashes);
                    });
                }
            });
            best = best.min(start.elapsed().as_secs_f64());
        }
        Ok(best)
    }

    /// An ESP with the UKI on it: ours, and `mkfs.vfat` with `mmd` and `mcopy`.
    pub fn esp(&self, mib: u64) -> (Measured, Measured) {
        let Ok(memory) = memory_folder() else { return both_missing("no folder in memory") };
        let (mine, theirs) = (memory.path().join("ours"), memory.path().join("peer"));
        let uki = self.folder.join("BOOTX64.EFI");
        let path = "EFI/BOOT/BOOTX64.EFI";
        let mut ours = || {
            let start = Instant::now();
            let volume = fat::Volume { bytes: mib << 20, id: 1, label: "ESP".into(), epoch: 0 };
            let plan = fat::Plan::new(&volume, &[(path, self.uki_bytes())])?;
            let file = File::create(&mine)?;
            file.set_len(volume.bytes)?;
            fat::write(&plan, &file, 0, &mut |_| Ok(Box::new(self.uki.as_slice())))?;
            Ok(start.elapsed().as_secs_f64())
        };
        let mut peer = || {
            fs::write(&uki, &self.uki)?;
            let _ = fs::remove_file(&theirs);
            let mut time = timed(
                program("mkfs.vfat")?.args(["-F", "32", "-n", "ESP", "-C"]).arg(&theirs).arg((mib << 10).to_string()),
            )?;
            time += timed(program("mmd")?.arg("-i").arg(&theirs).args(["::/EFI", "::/EFI/BOOT"]))?;
            time += timed(program("mcopy")?.arg("-i").arg(&theirs).arg(&uki).arg(format!("::/{path}")))?;
            Ok(time)
        };
        in_turns(RUNS, &mut ours, &mut peer)
    }

    /// Bytes of the UKI that `ukify` makes of the same sections.
    pub fn ukify(&self, tools: &Tools) -> anyhow::Result<u64> {
        let image = pe::Image::parse(&self.uki)?;
        let sections = [(".linux", "linux"), (".initrd", "initrd"), (".osrel", "os-release"), (".uname", "uname")];
        for (section, file) in sections.into_iter().chain([(".cmdline", "cmdline")]) {
            fs::write(self.folder.join(file), image.section(section).with_context(|| format!("no {section}"))?)?;
        }
        let text = |file: &str| -> anyhow::Result<String> {
            let text = fs::read_to_string(self.folder.join(file))?;
            Ok(text.trim_end_matches('\0').trim().to_owned())
        };
        let mut command = tools.command(&self.folder, "ukify")?;
        command.args(["build", "--linux=linux", "--initrd=initrd", "--os-release=@os-release", "--output=ukify.efi"]);
        command.args(["--stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub"]);
        command.arg(format!("--uname={}", text("uname")?)).arg(format!("--cmdline={}", text("cmdline")?));
        run(&mut command)?;
        Ok(fs::metadata(self.folder.join("ukify.efi"))?.len())
    }

    /// The root's files as a folder.
    pub fn extract(&self, tools: &Tools) -> anyhow::Result<PathBuf> {
        let tree = self.folder.join("tree");
        let mut command = tools.command(&self.folder, "fsck.erofs")?;
        run(command.args(["--extract=tree", "--overwrite", "root.erofs"]))?;
        Ok(tree)
    }
}

/// A folder whose files lie in memory, so that the disk does not count.
pub fn memory_folder() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

/// Neither side was measured.
pub fn both_missing(why: &str) -> (Measured, Measured) {
    (Err(why.into()), Err(why.into()))
}
