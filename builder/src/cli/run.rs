//! `orlop run`: boots an image in QEMU and shows its boot report as it happens.

mod report;
mod stop;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use orlop_chain::manifest;
use orlop_machine::feed::Mark;
use orlop_machine::firmware::Enrolled;
use orlop_machine::image::Image;
use orlop_machine::{Disk, Error, Format, Happening, Machine, PortForward, Running, overlay};

use self::report::BootReport;
use self::stop::Stops;
use super::{Context, Usage};
use crate::image::open;
use crate::sources::Report;

/// Boot an image in QEMU, without privilege, and show its boot report.
///
/// What the machine writes is thrown away, unless --persist. Without --until it runs until it ends by itself;
/// Ctrl-C ends it too, with --persist by its power key.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop run out/standalone/standalone.raw --until pod hello")]
pub struct RunArgs {
    /// The disk image.
    image: PathBuf,
    /// Start by UEFI firmware (OVMF), as a real machine does; this is the default.
    #[arg(long, conflicts_with = "direct")]
    firmware: bool,
    /// Let QEMU start kernel and initramfs, taken out of the UKI: some seconds earlier under emulation.
    #[arg(long)]
    direct: bool,
    /// Start by firmware with Secure Boot and the keys in this folder, which `orlop keygen` made; under emulation.
    #[arg(long, value_name = "FOLDER", conflicts_with = "direct")]
    secure_boot: Option<PathBuf>,
    /// Write into the image itself; the machine is powered off properly in the end.
    #[arg(long)]
    persist: bool,
    /// Memory, such as 2G; MiB without a suffix.
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = parse_size)]
    memory: u64,
    /// Virtual processors.
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=255))]
    cpus: u32,
    /// Size of the disk, at least the image's, such as 8G; MiB without a suffix.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    disk_size: Option<u64>,
    /// Lead a port of this machine (TCP) to the guest's: PORT:GUEST on loopback, or ADDRESS:PORT:GUEST. May be repeated.
    #[arg(long, value_name = "HOST:GUEST")]
    forward: Vec<PortForward>,
    /// What the machine is told at boot, for an image that joins a cluster. With it the guest reaches what this machine
    /// reaches; else nothing.
    #[arg(long, value_name = "FILE")]
    node_config: Option<PathBuf>,
    /// When to stop: `healthy` (kubelet is), `pod NAME` (it runs), or `poweroff`.
    #[arg(long, value_name = "EVENT", num_args = 1..=2, default_value = "poweroff")]
    until: Vec<String>,
    /// Fail when that has not happened after so many seconds [default: 300, with `--until poweroff` none].
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Keep all that the serial console says in this file.
    #[arg(long, value_name = "FILE")]
    serial_log: Option<PathBuf>,
}

/// A boot that the emulator broke is tried this often.
const EMULATOR_TRIES: usize = 3;

/// How long an orderly end may take: the containers' grace periods, the state's unmounting.
const POWER_OFF: Duration = Duration::from_secs(120);

/// When to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Until {
    Healthy,
    Pod(String),
    Poweroff,
}

/// Runs the verb.
pub fn run(args: &RunArgs, context: &Context) -> anyhow::Result<()> {
    let until = Until::parse(&args.until)?;
    let stops = Stops::catch()?;
    check_forwards(&args.forward)?;
    let image = Image::open(&args.image)?;
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let machine = machine(args, &image, folder.path())?;
    let root_hash = root_hash(&args.image);
    let run = Run { args, until, stops, root_hash, progress: &context.progress };
    let mut tries = 1..EMULATOR_TRIES;
    let (report, ended) = loop {
        let (report, ended) = run.boot(&machine)?;
        match &ended {
            Err(error) if error.is_emulators() && !args.persist && tries.next().is_some() => {
                context.progress.note("started again: the emulator broke the kernel (Oops: int3)");
            }
            _ => break (report, ended),
        }
    };
    context.result(&report, &if ended.is_ok() { report.verdict() } else { String::new() })?;
    Ok(ended?)
}

/// The root hash that an image's own boot manifest names. Nothing is judged here: an image that names none is booted, and the
/// machine says what is wrong with it.
fn root_hash(image: &Path) -> Option<String> {
    let uki = open::Image::open(image).ok()?.uki().ok()?;
    let boot = manifest::parse_boot(&uki.boot_manifest().ok()?).ok()?;
    Some(boot.verity.root_hash)
}

/// Each port of this host once, and free.
fn check_forwards(forwards: &[PortForward]) -> anyhow::Result<()> {
    for (index, forward) in forwards.iter().enumerate() {
        if forwards[..index].iter().any(|other| other.host == forward.host) {
            return Err(Usage(format!("--forward: {} stands there twice; each port leads to one", forward.host)).into());
        }
        forward.check_free()?;
    }
    Ok(())
}

fn machine(args: &RunArgs, image: &Image, folder: &Path) -> anyhow::Result<Machine> {
    let mut disk = match args.persist {
        true => Disk::kept(&args.image, Format::Raw),
        false => Disk::image(&args.image),
    };
    disk.size = args.disk_size.filter(|_| !args.persist);
    let mut machine = Machine::with_disk(disk);
    machine.memory_mib = u32::try_from(args.memory >> 20).map_err(|_| Usage("--memory is too much".into()))?;
    machine.cpus = args.cpus;
    machine.serial_log = args.serial_log.clone();
    machine.forwards = args.forward.clone();
    if let Some(file) = &args.node_config {
        let document = fs::read_to_string(file).with_context(|| format!("{}: no node config", file.display()))?;
        machine = machine.node_config(&document);
        machine.outward = true;
    }
    if args.direct {
        machine = machine.direct(image.direct_boot(folder)?);
    }
    if let Some(keys) = &args.secure_boot {
        machine = machine.secure_boot(Enrolled::of_folder(keys)?);
    }
    if let Some(size) = args.disk_size.filter(|_| args.persist) {
        // The image stays as it is where it cannot be booted anyway.
        machine.find_host()?;
        overlay::grow(&args.image, size)?;
    }
    Ok(machine)
}

/// One call of the verb.
struct Run<'a> {
    args: &'a RunArgs,
    until: Until,
    stops: Stops,
    root_hash: Option<String>,
    progress: &'a dyn Report,
}

impl Run<'_> {
    /// Boots once, until what is awaited has happened.
    fn boot(&self, machine: &Machine) -> anyhow::Result<(BootReport, Result<(), Error>)> {
        let running = machine.start()?;
        self.stops.tell(running.feed());
        self.progress.note(&format!("{} runs on {}", self.args.image.display(), running.accelerator()));
        for forward in &self.args.forward {
            self.progress.note(&forward.to_string());
        }
        let mut report = BootReport::new(self.args, &running);
        report.root_hash.clone_from(&self.root_hash);
        let watched = self.watch(&running, &mut report);
        report.outcome = match &watched {
            Ok(()) => self.until.to_string(),
            Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let ended = self.end(&running, &watched);
        Ok((report, ended.and(watched)))
    }

    /// Takes in what happens until the awaited event has happened.
    fn watch(&self, running: &Running, report: &mut BootReport) -> Result<(), Error> {
        let start = Instant::now();
        self.progress.begin("boot");
        let awaited = self.until.awaited();
        let watched = running.wait_since(Mark::default(), &awaited, self.args.limit(&self.until), |happening| {
            let gone = matches!(happening, Happening::Gone);
            if let Some(event) = happening.event() {
                report.take(event, self.progress);
            }
            report.reached(&self.until, gone).then_some(())
        });
        let outcome = match &watched {
            Ok(()) => &awaited,
            Err(Error::Stopped { .. }) => "stopped",
            Err(_) => "failed",
        };
        self.progress.end("boot", outcome, start.elapsed());
        watched
    }

    /// A disk that keeps what is written gets the time to be unmounted.
    fn end(&self, running: &Running, watched: &Result<(), Error>) -> Result<(), Error> {
        let stopped = matches!(watched, Err(Error::Stopped { .. }));
        if stopped && self.args.persist {
            self.progress.note("powering the machine off, as asked; a second signal pulls its plug");
        }
        let runs_on = stopped || (watched.is_ok() && self.until != Until::Poweroff);
        if self.args.persist && runs_on { running.power_off(POWER_OFF) } else { Ok(()) }
    }
}

impl RunArgs {
    fn limit(&self, until: &Until) -> Duration {
        const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
        match (self.timeout, until) {
            (Some(seconds), _) => Duration::from_secs(seconds).min(FOR_EVER),
            (None, Until::Poweroff) => FOR_EVER,
            (None, _) => Duration::from_secs(300),
        }
    }
}

impl Until {
    fn parse(words: &[String]) -> Result<Until, Usage> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["healthy"] => Ok(Until::Healthy),
            ["poweroff"] => Ok(Until::Poweroff),
            ["pod", name] => Ok(Until::Pod((*name).to_owned())),
            ["pod"] => Err(Usage("`--until pod` wants the pod's name after it, such as `--until pod hello`".into())),
            other => {
                let other = other.join(" ");
                Err(Usage(format!(
                    "`--until {other}`: want `healthy`, `pod NAME` or `poweroff` (and the image before it)"
                )))
            }
        }
    }

    /// What is waited for, in words.
    fn awaited(&self) -> String {
        match self {
            Until::Healthy => "healthy kubelet".into(),
            Until::Pod(name) => format!("running pod {name}"),
            Until::Poweroff => "power off".into(),
        }
    }
}

impl std::fmt::Display for Until {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Until::Healthy => write!(out, "healthy"),
            Until::Pod(name) => write!(out, "pod {name}"),
            Until::Poweroff => write!(out, "poweroff"),
        }
    }
}

/// `512M`, `2G`, `1T`; a bare number is MiB.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("want a size such as 512M, 8G or 1T, got `{text}`");
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "M" | "MIB" => 20,
        "G" | "GIB" => 30,
        "T" | "TIB" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|size| *size > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn sizes_are_read_with_and_without_suffix() {
        assert_eq!(parse_size("1G"), Ok(1 << 30));
        assert_eq!(parse_size("512"), Ok(512 << 20));
        assert_eq!(parse_size("2tib"), Ok(2 << 40));
        for wrong in ["", "0", "G", "-1", "1.5G", "1X", "99999999999T", "1é"] {
            assert!(parse_size(wrong).unwrap_err().contains("512M"), "{wrong}");
        }
    }

    #[test]
    fn until_wants_one_of_three_events() {
        assert_eq!(Until::parse(&words("healthy")).unwrap(), Until::Healthy);
        assert_eq!(Until::parse(&words("pod hello")).unwrap(), Until::Pod("hello".into()));
        assert!(Until::parse(&words("pod")).unwrap_err().to_string().contains("pod's name"));
        assert!(Until::parse(&words("healthy image.raw")).unwrap_err().to_string().contains("image before it"));
        assert!(Until::parse(&words("sunrise")).is_err());
    }
}
