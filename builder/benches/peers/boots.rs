//! From the kernel's start to a running pod: our image, and a Debian with systemd that runs the same programs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use orlop::sources::hash;
use orlop_machine::feed::Mark;
use orlop_machine::image::{DirectBoot, Image};
use orlop_machine::{Accelerator, Disk, Event, Machine, Running, within};

use crate::tools::{Peers, program, run};

/// Makes the peer's disk.
const RECIPE: &str = include_str!("debian-systemd.sh");
/// How long either may take, on a slow and busy machine.
pub const LIMIT: u64 = 600;

/// Times of one boot, in seconds since the kernel's start.
#[derive(Debug, Clone, PartialEq)]
pub struct Boot {
    /// Kubelet answers its health check.
    pub healthy: f64,
    /// The first pod runs.
    pub pod: f64,
    /// Bytes of PID 1's resident memory.
    pub resident: Option<f64>,
    /// The phases, with the milliseconds at which each was done.
    pub phases: Vec<(String, u64)>,
}

/// The same machine for both: emulation, two processors, 1 GiB, kernel and initramfs put into memory by QEMU.
fn machine(disk: &Path, boot: DirectBoot, log: &Path) -> Machine {
    let mut machine = Machine::with_disk(Disk::image(disk)).direct(boot).serial_log(log);
    machine.accelerator = Some(Accelerator::Tcg { because: "both sides are measured under emulation".into() });
    machine
}

/// Boots our image until it is ready.
pub fn ours(image: &Path, work: &Path) -> anyhow::Result<Boot> {
    let boot = Image::open(image)?.direct_boot(work)?;
    let running = machine(image, boot, &work.join("ours.log")).start()?;
    running.wait_event("ready", within(LIMIT), |event| matches!(event, Event::Ready { .. }))?;
    // A pod that is late does not keep the node from being ready; here it must come.
    running.wait_event("pod", within(LIMIT), |event| matches!(event, Event::Pod { .. }))?;
    let first = |pick: &dyn Fn(&Event) -> Option<u64>| {
        running.feed().collect(Mark::default(), |happening| happening.event().and_then(pick)).into_iter().min()
    };
    let seconds = |ms: Option<u64>, what: &str| ms.map(|ms| ms as f64 / 1000.0).with_context(|| format!("no {what}"));
    let healthy = first(&|event| if let Event::Healthy { ms } = event { Some(*ms) } else { None });
    let pod = first(&|event| if let Event::Pod { ms, .. } = event { Some(*ms) } else { None });
    let (healthy, pod) = (seconds(healthy, "healthy kubelet")?, seconds(pod, "pod")?);
    Ok(Boot { healthy, pod, resident: resident(&running), phases: phases(&running) })
}

/// The phases, with the milliseconds at which each was done.
pub fn phases(running: &Running) -> Vec<(String, u64)> {
    let mut phases: Vec<(String, u64)> = Vec::new();
    let all = running.feed().collect(Mark::default(), |happening| match happening.event() {
        Some(Event::Phase { name, ms }) => Some((name.clone(), *ms)),
        _ => None,
    });
    // Each comes twice, by the console and by the port.
    for phase in all {
        if !phases.contains(&phase) {
            phases.push(phase);
        }
    }
    phases.sort_by_key(|(_, ms)| *ms);
    phases
}

/// `orlop: init: resident_kib=…`, which PID 1 says when it is ready.
fn resident(running: &Running) -> Option<f64> {
    let line = running.wait_line("resident_kib=", within(5)).ok()?;
    let digits: String = line.rsplit("resident_kib=").next()?.chars().take_while(char::is_ascii_digit).collect();
    Some(digits.parse::<f64>().ok()? * 1024.0)
}

/// The peer's disk, kernel and initramfs.
pub struct Debian {
    folder: PathBuf,
}

impl Debian {
    /// Makes it of the programs in `tree` (our root as a folder), unless it is there already.
    pub fn make(peers: &Peers, tree: &Path, cache: &Path, modules: &Path) -> anyhow::Result<Debian> {
        let base = peers.debian()?;
        let ctr = ctr(peers, cache, modules)?;
        let folder = peers.folder().join("debian");
        let components = fs::read(tree.join("usr/share/orlop/components.json"))?;
        let stamp = hash(&[RECIPE.as_bytes(), &components].concat());
        let stamped = folder.join("stamp");
        if fs::read_to_string(&stamped).is_ok_and(|found| found == stamp) {
            return Ok(Debian { folder });
        }
        eprintln!("bench: making the Debian with systemd that runs these programs");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let mut command = program("bash")?;
        command.args(["-c", RECIPE, "debian-systemd.sh"]).arg(&base).arg(tree).arg(&ctr).arg(&folder);
        run(&mut command).context("debian-systemd.sh")?;
        fs::write(stamped, stamp)?;
        Ok(Debian { folder })
    }

    /// Boots it until its pod runs.
    pub fn boot(&self, work: &Path) -> anyhow::Result<Boot> {
        let command_line = "console=ttyS0 root=/dev/vda rw quiet loglevel=1 net.ifnames=0".into();
        let boot =
            DirectBoot { kernel: self.folder.join("kernel"), initramfs: self.folder.join("initrd"), command_line };
        let running = machine(&self.folder.join("disk.img"), boot, &work.join("debian.log")).start()?;
        let at = |text: &str| -> anyhow::Result<f64> {
            let line = running.wait_line(text, within(LIMIT))?;
            stamp_of(&line).with_context(|| format!("no time in `{line}`"))
        };
        let (healthy, pod) = (at("peer: kubelet healthy")?, at("peer: pod running")?);
        Ok(Boot { healthy, pod, resident: None, phases: Vec::new() })
    }
}

/// The kernel's time before a line: `[   12.345678] …`.
fn stamp_of(line: &str) -> Option<f64> {
    let (_, rest) = line.split_once('[')?;
    rest.split_once(']')?.0.trim().parse().ok()
}

/// `ctr`, which imports the peer's pause image: compiled once from the module of our containerd, by its toolchain.
fn ctr(peers: &Peers, cache: &Path, modules: &Path) -> anyhow::Result<PathBuf> {
    let ctr = peers.folder().join("ctr");
    if ctr.is_file() {
        return Ok(ctr);
    }
    eprintln!("bench: compiling ctr, once");
    let work = tempfile::tempdir()?;
    for name in ["go.mod", "go.sum"] {
        fs::copy(modules.join("containerd").join(name), work.path().join(name))?;
    }
    let mut go = std::process::Command::new(toolchain(cache)?);
    go.current_dir(work.path()).args(["build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o"]).arg(&ctr);
    go.args(["-tags", "no_btrfs,no_zfs,no_devmapper,no_tracing", "github.com/containerd/containerd/v2/cmd/ctr"]);
    go.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0");
    go.env("GOMODCACHE", cache.join("go/mod")).env("GOCACHE", cache.join("go/build")).env("GOFLAGS", "");
    run(&mut go)?;
    Ok(ctr)
}

/// The newest Go toolchain of the cache.
fn toolchain(cache: &Path) -> anyhow::Result<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(cache.join("results"))?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("go-toolchain-"))
        .map(|entry| entry.path().join("bin/go"))
        .filter(|go| go.is_file())
        .collect();
    found.sort_by_key(|go| fs::metadata(go).and_then(|meta| meta.modified()).ok());
    found.pop().context("no Go toolchain in the cache; build an image first")
}
