//! Other people's programs: those of this machine, and those that a Debian 13 of its own brings along.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};

/// Runs a peer's tool in its root; see there.
const INSIDE: &str = include_str!("inside.sh");
/// What the peers' tools are: packages of the suite.
const TOOLS: &str = "cryptsetup-bin,dosfstools,e2fsprogs,erofs-utils,kmod,mkosi,mtools,systemd-boot-efi,systemd-repart,\
                     systemd-ukify,zstd";
/// What the Debian with systemd is made of, beside the minimum.
const SYSTEM: &str = "dbus,initramfs-tools,iproute2,linux-image-cloud-amd64,mount,systemd-sysv,udev,zstd";
const SUITE: &str = "trixie";

/// A program of this machine, also from the folders that only root has in its PATH.
pub fn program(name: &str) -> anyhow::Result<Command> {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{path}:/usr/sbin:/sbin");
    let found = path.split(':').map(|folder| Path::new(folder).join(name)).find(|file| file.is_file());
    let mut command = Command::new(found.with_context(|| format!("{name} is not installed"))?);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    Ok(command)
}

/// Runs a program to its end; its standard output. A failure tells its last words.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{name} cannot be started"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let mut tail: Vec<&str> = text.lines().rev().take(3).collect();
        tail.reverse();
        bail!("{name}: {}: {}", output.status, tail.join("; "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same; the seconds it took.
pub fn timed(command: &mut Command) -> anyhow::Result<f64> {
    let start = Instant::now();
    run(command)?;
    Ok(start.elapsed().as_secs_f64())
}

/// Peers that are made once and kept.
pub struct Peers {
    folder: PathBuf,
}

impl Peers {
    /// They are kept in this cache.
    pub fn in_cache(cache: &Path) -> anyhow::Result<Peers> {
        let folder = cache.join("peers");
        fs::create_dir_all(&folder)?;
        Ok(Peers { folder })
    }

    /// Where they are kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A Debian 13 with systemd and a kernel, as an archive.
    pub fn debian(&self) -> anyhow::Result<PathBuf> {
        self.archive("debian.tar", SYSTEM)
    }

    /// The tools of Debian 13, whatever this machine runs.
    pub fn tools(&self) -> anyhow::Result<Tools> {
        let root = self.folder.join("tools");
        if !root.is_dir() {
            let archive = self.archive("tools.tar", TOOLS)?;
            let temporary = self.folder.join(".tools");
            let _ = fs::remove_dir_all(&temporary);
            fs::create_dir_all(&temporary)?;
            run(program("tar")?.arg("-C").arg(&temporary).arg("-xf").arg(&archive))?;
            fs::rename(&temporary, &root)?;
        }
        Ok(Tools { root })
    }

    fn archive(&self, name: &str, packages: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
        if !nix::unistd::geteuid().is_root() {
            bail!("a Debian of its own for this peer can only be made as root");
        }
        eprintln!("bench: making {name}, once (mmdebstrap, a few minutes)");
        let temporary = self.folder.join(format!(".{name}"));
        let mut command = program("mmdebstrap").context("apt-get install mmdebstrap")?;
        command.args(["--variant=minbase", "--mode=root", "--format=tar"]).arg(format!("--include={packages}"));
        run(command.arg(SUITE).arg(&temporary).args(mirror()?))?;
        fs::rename(&temporary, &path)?;
        Ok(path)
    }
}

/// The archive that the machine's own apt is told.
fn mirror() -> anyhow::Result<Option<String>> {
    let archive = orlop::sources::Archive::of_this_machine().context("the peers' packages")?;
    Ok(archive.base("Debian").map(str::to_owned))
}

/// A root with the peers' tools.
pub struct Tools {
    root: PathBuf,
}

impl Tools {
    /// A program of it, which sees `work` as `/mnt`, and is there.
    pub fn command(&self, work: &Path, name: &str) -> anyhow::Result<Command> {
        let mut command = program("unshare")?;
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE, "inside.sh"]);
        command.arg(&self.root).arg(work.canonicalize()?).arg(name);
        Ok(command)
    }
}
