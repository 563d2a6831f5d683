//! `orlop run`: boots an image in QEMU and shows its boot report as it happens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use orlop_machine::feed::Mark;
use orlop_machine::image::Image;
use orlop_machine::{Disk, Error, Event, Format, Happening, Machine, Running, overlay};
use serde::Serialize;

use super::{Context, Usage};
use crate::sources::Report;

/// Boot an image in QEMU, without privilege, and show its boot report.
///
/// What the machine writes is thrown away, unless --persist. Without --until it runs until it ends by itself.
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

/// When to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Until {
    Healthy,
    Pod(String),
    Poweroff,
}

/// The boot report, as the verb's JSON document.
#[derive(Debug, Serialize)]
struct BootReport {
    image: PathBuf,
    boot: &'static str,
    accelerator: &'static str,
    outcome: String,
    phases: Vec<Phase>,
    healthy_ms: Option<u64>,
    ready_ms: Option<u64>,
    pods: BTreeMap<String, Pod>,
    refused: Option<Refused>,
    serial_log: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Phase {
    name: String,
    ms: u64,
}

#[derive(Debug, Serialize)]
struct Pod {
    state: String,
    ms: u64,
}

#[derive(Debug, Serialize)]
struct Refused {
    stage: String,
    reason: String,
}

/// Runs the verb.
pub fn run(args: &RunArgs, context: &Context) -> anyhow::Result<()> {
    let until = Until::parse(&args.until)?;
    let image = Image::open(&args.image)?;
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let machine = machine(args, &image, folder.path())?;
    let mut tries = 1..EMULATOR_TRIES;
    let (report, ended) = loop {
        let (report, ended) = boot(args, &machine, &until, context)?;
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

/// Boots once, until what is awaited has happened.
fn boot(
    args: &RunArgs,
    machine: &Machine,
    until: &Until,
    context: &Context,
) -> anyhow::Result<(BootReport, Result<(), Error>)> {
    let running = machine.start()?;
    context.progress.note(&format!("{} runs on {}", args.image.display(), running.accelerator()));
    let mut report = BootReport::new(args, &running);
    let watched = watch(&running, &mut report, until, args.limit(until), &context.progress);
    report.outcome = match &watched {
        Ok(()) => until.to_string(),
        Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    let ended = watched.and_then(|()| end(args, until, &running));
    Ok((report, ended))
}

fn machine(args: &RunArgs, image: &Image, folder: &Path) -> anyhow::Result<Machine> {
    let mut disk = match args.persist {
        true => Disk::kept(&args.image, Format::Raw),
        false => Disk::image(&args.image),
    };
    match args.disk_size {
        Some(size) if args.persist => overlay::grow(&args.image, size)?,
        size => disk.size = size,
    }
    let mut machine = Machine::with_disk(disk);
    machine.memory_mib = u32::try_from(args.memory >> 20).map_err(|_| Usage("--memory is too much".into()))?;
    machine.cpus = args.cpus;
    machine.serial_log = args.serial_log.clone();
    Ok(if args.direct { machine.direct(image.direct_boot(folder)?) } else { machine })
}

/// Takes in what happens until the awaited event has happened.
fn watch(
    running: &Running,
    report: &mut BootReport,
    until: &Until,
    limit: Duration,
    progress: &dyn Report,
) -> Result<(), Error> {
    let start = Instant::now();
    progress.begin("boot");
    let awaited = until.awaited();
    let watched = running.wait_since(Mark::default(), &awaited, limit, |happening| {
        let gone = matches!(happening, Happening::Gone);
        if let Some(event) = happening.event() {
            report.take(event, progress);
        }
        report.reached(until, gone).then_some(())
    });
    progress.end("boot", if watched.is_ok() { &awaited } else { "failed" }, start.elapsed());
    watched
}

/// A disk that keeps what is written gets the time to be unmounted.
fn end(args: &RunArgs, until: &Until, running: &Running) -> Result<(), Error> {
    if args.persist && *until != Until::Poweroff {
        running.power_key()?;
        running.wait_exit(Duration::from_secs(120))?;
    }
    Ok(())
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

impl BootReport {
    fn new(args: &RunArgs, running: &Running) -> BootReport {
        BootReport {
            image: args.image.clone(),
            boot: if args.direct { "direct" } else { "firmware" },
            accelerator: running.accelerator().name(),
            outcome: String::new(),
            phases: Vec::new(),
            healthy_ms: None,
            ready_ms: None,
            pods: BTreeMap::new(),
            refused: None,
            serial_log: args.serial_log.clone(),
        }
    }

    /// Takes an event in. Each comes by two channels, the console and the report port: the second time it is
    /// known already.
    fn take(&mut self, event: &Event, progress: &dyn Report) {
        let row = |name: &str, ms: u64, note: &str| progress.end(name, note, Duration::from_millis(ms));
        match event {
            Event::Phase { name, ms } if !self.phases.iter().any(|phase| phase.name == *name && phase.ms == *ms) => {
                let since = self.phases.last().map_or(0, |phase| phase.ms);
                row(name, *ms, &format!("+{:.2}", ms.saturating_sub(since) as f64 / 1000.0));
                self.phases.push(Phase { name: name.clone(), ms: *ms });
            }
            Event::Healthy { ms } if self.healthy_ms.is_none() => {
                row("kubelet healthy", *ms, "");
                self.healthy_ms = Some(*ms);
            }
            Event::Ready { ms } if self.ready_ms.is_none() => {
                row("ready", *ms, "");
                self.ready_ms = Some(*ms);
            }
            Event::Pod { name, state, ms } if self.pods.get(name).is_none_or(|pod| pod.state != *state) => {
                row(&format!("pod {name} {state}"), *ms, "");
                self.pods.insert(name.clone(), Pod { state: state.clone(), ms: *ms });
            }
            Event::Refused { stage, reason } => {
                self.refused = Some(Refused { stage: stage.clone(), reason: reason.clone() });
            }
            _ => {}
        }
    }

    fn reached(&self, until: &Until, gone: bool) -> bool {
        match until {
            Until::Healthy => self.healthy_ms.is_some(),
            Until::Pod(name) => self.pods.get(name).is_some_and(|pod| pod.state == "running"),
            Until::Poweroff => gone && self.refused.is_none(),
        }
    }

    /// One line for people.
    fn verdict(&self) -> String {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let healthy = self.healthy_ms.map(|ms| format!("kubelet is healthy after {:.1} s", seconds(ms)));
        let running = self.pods.iter().filter(|(_, pod)| pod.state == "running");
        let pods = running.map(|(name, pod)| format!("pod {name} runs after {:.1} s", seconds(pod.ms)));
        let parts: Vec<String> = healthy.into_iter().chain(pods).collect();
        if parts.is_empty() { "the machine has ended".into() } else { parts.join(", ") }
    }
}

/// `512M`, `2G`, `1T`; a bare number is MiB.
fn parse_size(text: &str) -> Result<u64, String> {
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
    use crate::sources::Silent;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn report() -> BootReport {
        BootReport {
            image: "image.raw".into(),
            boot: "direct",
            accelerator: "tcg",
            outcome: String::new(),
            phases: Vec::new(),
            healthy_ms: None,
            ready_ms: None,
            pods: BTreeMap::new(),
            refused: None,
            serial_log: None,
        }
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

    #[test]
    fn an_event_that_comes_twice_counts_once() {
        let mut report = report();
        let phase = Event::Phase { name: "state".into(), ms: 5000 };
        let pod = Event::Pod { name: "hello".into(), state: "running".into(), ms: 9000 };
        for event in [&phase, &pod, &phase, &pod, &Event::Healthy { ms: 8000 }] {
            report.take(event, &Silent);
        }
        assert_eq!(report.phases.len(), 1);
        assert!(report.reached(&Until::Pod("hello".into()), false) && report.reached(&Until::Healthy, false));
        assert!(!report.reached(&Until::Pod("other".into()), false));
        assert_eq!(report.verdict(), "kubelet is healthy after 8.0 s, pod hello runs after 9.0 s");
    }

    #[test]
    fn a_refused_boot_is_no_power_off() {
        let mut report = report();
        assert!(report.reached(&Until::Poweroff, true) && !report.reached(&Until::Poweroff, false));
        report.take(&Event::Refused { stage: "disk".into(), reason: "none".into() }, &Silent);
        assert!(!report.reached(&Until::Poweroff, true));
    }
}
