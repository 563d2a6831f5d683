//! What Secure Boot's signatures cost: the UKI's beside sbsigntool, a whole image verified beside SHA-256 of the same bytes, and
//! the same image started by a firmware with Secure Boot and by one without.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use orlop::formats::{authenticode, pe};
use orlop::image::open::Image;
use orlop::keys::{KeySet, trusted_certificates};
use orlop_chain::device::ReadAt;
use orlop_chain::gpt::types;
use orlop_config::manifest::parse_release;
use orlop_machine::feed::Mark;
use orlop_machine::firmware::Enrolled;
use orlop_machine::{Accelerator, Event, Machine, within};
use sha2::{Digest, Sha256};

use crate::boots::{LIMIT, phases};
use crate::builds::ORLOP;
use crate::formats::{both_missing, in_turns, memory_folder};
use crate::row::{Limit, Measured, Row, Samples, Unit};
use crate::tools::{program, run, timed};

/// Runs of what takes less than a second.
const RUNS: usize = 7;
/// Bytes that a thread hashes at a time.
const PIECE: usize = 1 << 20;
/// The phases that have to do with trust.
const PHASES: [&str; 4] = ["firmware", "verity", "ipe", "sysctls"];

/// A built image and the keys that signed it.
pub struct Signed<'a> {
    /// The disk image.
    pub image: &'a Path,
    /// A folder that `orlop keygen` made.
    pub keys: &'a Path,
    /// For what is made.
    pub work: &'a Path,
}

impl Signed<'_> {
    fn certificate(&self) -> PathBuf {
        self.keys.join("db.crt")
    }

    /// Signature and its check, and the whole image's.
    pub fn rows(&self, rows: &mut Vec<Row>) {
        let mut row = |what, (ours, peer): (Measured, Measured), name, aim| {
            let peer = Some((name, peer));
            rows.push(Row { what, unit: Unit::Seconds, ours, peer, must: Limit::None, aim });
        };
        row("UKI signed", self.sign(), "sbsign", Limit::None);
        row("UKI verified", self.check(), "sbverify", Limit::None);
        // The aim is what SHA-256 of the same bytes takes on all cores; a tenth more is the same.
        let aim = self.hash_limit().map_or(Limit::None, |seconds| Limit::AtMost(seconds * 1.1));
        row("`orlop verify`, whole image", self.whole(), "sha256sum, one core", aim);
    }

    /// Both read the unsigned UKI from a file in memory and write the signed one there; each result passes the other's check.
    fn sign(&self) -> (Measured, Measured) {
        let Ok(memory) = memory_folder() else { return both_missing("no folder in memory") };
        let made = (|| {
            let unsigned = authenticode::strip(&Image::open(self.image)?.uki()?.bytes)?;
            let file = memory.path().join("unsigned.efi");
            fs::write(&file, unsigned)?;
            anyhow::Ok((file, KeySet::open(self.keys)?, trusted_certificates(&[self.certificate()])?))
        })();
        let (file, keys, trusted) = match made {
            Ok(made) => made,
            Err(error) => return both_missing(&format!("{error:#}")),
        };
        let (mine, theirs) = (memory.path().join("ours"), memory.path().join("peer"));
        let mut ours = || {
            let start = Instant::now();
            let (bytes, certificate) = (fs::read(&file)?, &keys.db.certificate);
            let digest = pe::authenticode_digest(&bytes)?;
            let signature = keys.db.sign(&authenticode::to_sign(&digest, 0, certificate)?)?;
            fs::write(&mine, authenticode::attach(&bytes, 0, certificate, &signature)?)?;
            let time = start.elapsed().as_secs_f64();
            if let Ok(mut sbverify) = program("sbverify") {
                run(sbverify.arg("--cert").arg(self.certificate()).arg(&mine))?;
            }
            Ok(time)
        };
        let mut peer = || {
            let mut sbsign = program("sbsign").context("apt-get install sbsigntool")?;
            sbsign.arg("--key").arg(self.keys.join("db.key")).arg("--cert").arg(self.certificate());
            let time = timed(sbsign.arg("--output").arg(&theirs).arg(&file))?;
            authenticode::signed_by(&fs::read(&theirs)?, &trusted)?;
            Ok(time)
        };
        in_turns(RUNS, &mut ours, &mut peer)
    }

    fn check(&self) -> (Measured, Measured) {
        let made = (|| {
            let file = self.work.join("signed.efi");
            fs::write(&file, Image::open(self.image)?.uki()?.bytes)?;
            anyhow::Ok((file, trusted_certificates(&[self.certificate()])?))
        })();
        let (file, trusted) = match made {
            Ok(made) => made,
            Err(error) => return both_missing(&format!("{error:#}")),
        };
        let mut ours = || {
            let start = Instant::now();
            authenticode::signed_by(&fs::read(&file)?, &trusted)?;
            Ok(start.elapsed().as_secs_f64())
        };
        let mut peer = || {
            let mut sbverify = program("sbverify").context("apt-get install sbsigntool")?;
            timed(sbverify.arg("--cert").arg(self.certificate()).arg(&file))
        };
        in_turns(RUNS, &mut ours, &mut peer)
    }

    /// The program as it is called, and sha256sum of what that hashes.
    fn whole(&self) -> (Measured, Measured) {
        let file = self.work.join("hashed");
        let written = self.hashed().and_then(|bytes| Ok(fs::write(&file, bytes)?));
        let mut ours = || {
            let mut verify = Command::new(ORLOP);
            verify.arg("verify").arg(self.image).arg("--key").arg(self.keys.join("release.pub"));
            timed(verify.arg("--cert").arg(self.certificate()))
        };
        let mut peer = || {
            written.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
            timed(program("sha256sum")?.arg(&file))
        };
        in_turns(RUNS, &mut ours, &mut peer)
    }

    /// What `orlop verify` hashes: the UKI once; root and hash tree for dm-verity and again for the release manifest.
    fn hashed(&self) -> anyhow::Result<Vec<u8>> {
        let image = Image::open(self.image)?;
        let release = parse_release(&fs::read(self.image.with_extension("release.json"))?)?;
        let mut bytes = image.uki()?.bytes;
        for (kind, length) in
            [(types::ROOT_X86_64, release.root_bytes), (types::ROOT_VERITY_X86_64, release.verity_bytes)]
        {
            let entry = image.table.gpt.of_type(kind).next().context("a partition is missing")?;
            let part = image.region(entry).bytes_at(0, usize::try_from(length)?)?;
            bytes.extend_from_slice(&part);
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    /// The least time that all cores need to hash it, from memory.
    fn hash_limit(&self) -> anyhow::Result<f64> {
        let (bytes, threads) = (self.hashed()?, std::thread::available_parallelism()?.get());
        let share = bytes.len().div_ceil(threads).max(1);
        let once = |_| {
            let start = Instant::now();
            std::thread::scope(|scope| {
                for part in bytes.chunks(share) {
                    scope.spawn(move || {
                        part.chunks(PIECE).for_each(|piece| {
                            black_box(Sha256::digest(piece));
                        })
                    });
                }
            });
            start.elapsed().as_secs_f64()
        };
        let seconds = (0..RUNS).map(once).fold(f64::INFINITY, f64::min);
        let megabytes = bytes.len() as f64 / 1e6;
        crate::note(&format!("`orlop verify` hashes {megabytes:.1} MB: SHA-256 on {threads} cores {seconds:.3} s"));
        Ok(seconds)
    }

    /// The same image with Secure Boot and without, in turns, until kubelet is healthy.
    pub fn boots(&self, times: usize, rows: &mut Vec<Row>) {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for round in 1..=times {
            crate::note(&format!("boot {round} of {times} by each firmware"));
            with.push(self.boot(true).map_err(|error| format!("{error:#}")));
            without.push(self.boot(false).map_err(|error| format!("{error:#}")));
        }
        let mut row = |what, pick: &dyn Fn(&Firmware) -> Option<f64>| {
            let (ours, peer) = (times_of(&with, pick), Some(("without Secure Boot", times_of(&without, pick))));
            rows.push(Row { what, unit: Unit::Seconds, ours, peer, must: Limit::None, aim: Limit::None });
        };
        row("Secure Boot: power → kernel start", &|boot| Some(boot.wall - boot.healthy));
        for name in PHASES {
            row(name_of(name), &|boot| boot.took(name));
        }
        row("Secure Boot: kernel start → kubelet healthy", &|boot| Some(boot.healthy));
        row("Secure Boot: power → kubelet healthy", &|boot| Some(boot.wall));
    }

    fn boot(&self, secure: bool) -> anyhow::Result<Firmware> {
        let mut machine = Machine::new(self.image);
        if secure {
            machine = machine.secure_boot(Enrolled::of_folder(self.keys)?);
        }
        let log = self.work.join(if secure { "secure-boot.log" } else { "firmware.log" });
        machine.serial_log = Some(log);
        machine.accelerator = Some(Accelerator::Tcg { because: "Secure Boot needs it".into() });
        let running = machine.start()?;
        let start = Instant::now();
        let healthy = running.wait_since(Mark::default(), "healthy", within(LIMIT), |happening| {
            if let Some(Event::Healthy { ms }) = happening.event() { Some(*ms as f64 / 1000.0) } else { None }
        })?;
        let wall = start.elapsed().as_secs_f64();
        let rung = if secure { "secure-boot+ipe" } else { "root-hash" };
        let said = running.wait_event("trust", within(LIMIT), |event| matches!(event, Event::Trust { .. }))?;
        if !matches!(&said, Event::Trust { rung: reached } if reached == rung) {
            bail!("{said:?} instead of the rung {rung}");
        }
        Ok(Firmware { wall, healthy, phases: phases(&running) })
    }
}

/// One boot by a firmware, in seconds.
struct Firmware {
    /// From QEMU's start to a healthy kubelet.
    wall: f64,
    /// From the kernel's.
    healthy: f64,
    /// When each phase was done, in ms.
    phases: Vec<(String, u64)>,
}

impl Firmware {
    /// How long a phase took: since the one before it.
    fn took(&self, name: &str) -> Option<f64> {
        let at = self.phases.iter().position(|(phase, _)| phase == name)?;
        let before = at.checked_sub(1).map_or(0, |at| self.phases[at].1);
        Some((self.phases[at].1 - before) as f64 / 1000.0)
    }
}

fn times_of(boots: &[Result<Firmware, String>], pick: &dyn Fn(&Firmware) -> Option<f64>) -> Measured {
    let times: Vec<f64> = boots.iter().flatten().filter_map(pick).collect();
    let error = boots.iter().find_map(|boot| boot.as_ref().err().cloned());
    if times.is_empty() { Err(error.unwrap_or_else(|| "no boot was asked for".into())) } else { Samples::of(times) }
}

fn name_of(phase: &str) -> &'static str {
    match phase {
        "firmware" => "Secure Boot: phase firmware",
        "verity" => "Secure Boot: phase verity",
        "ipe" => "Secure Boot: phase ipe",
        _ => "Secure Boot: phase sysctls",
    }
}
