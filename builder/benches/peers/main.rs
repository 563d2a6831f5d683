//! The numbers that Orlop promises, measured now, each beside its peer in the same run: `make bench`.
//!
//! A time says something only beside another one of the same machine and hour, so ours and the peer's take turns. A peer that is
//! not to be had here is named as missing, with the reason. Nothing is a test: a missed number fails nothing.

mod boots;
mod builds;
mod formats;
mod host;
mod row;
mod tools;
mod trust;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use boots::{Boot, Debian};
use builds::Builds;
use clap::Parser;
use formats::Pieces;
use row::{Limit, Measured, Row, Samples, Unit, table};
use serde_json::{Value, json};
use tools::{Peers, Tools};
use trust::Signed;
use verdict::Verdict;

/// Measure Orlop beside its peers.
#[derive(Debug, Parser)]
struct Args {
    /// The definition that is built and booted.
    #[arg(long, default_value = "images/standalone.toml")]
    definition: PathBuf,
    /// The keys that sign.
    #[arg(long, default_value = "out/keys")]
    keys: PathBuf,
    /// Where the numbers go, as JSON.
    #[arg(long, default_value = "out/bench.json")]
    json: PathBuf,
    /// Boots of each side; 0 leaves them out.
    #[arg(long, default_value_t = 3)]
    boots: usize,
    /// Boots by a firmware with Secure Boot, and by one without; 0 leaves them out.
    #[arg(long, default_value_t = 2)]
    firmware_boots: usize,
    /// Go's vulnerability database, a zip archive of OSV documents, for the scan; without it that is named as missing.
    #[arg(long)]
    advisories: Option<PathBuf>,
    /// Build everything from nothing too, in a clone with a cache of its own (half an hour).
    #[arg(long)]
    cold: bool,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    // Cargo starts benchmarks in the crate's folder.
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in the repository")?;
    std::env::set_current_dir(repository)?;
    let args = Args::parse();
    let machine = host::describe();
    eprintln!("bench: {machine}");
    let cache = orlop::sources::Cache::open()?.folder("peers")?;
    let cache = cache.parent().context("the cache has a folder")?.to_owned();
    let work = tempfile::Builder::new().prefix("bench").tempdir_in("out")?;
    let builds = Builds { definition: &args.definition, keys: &args.keys, cache: &cache, work: work.path() };
    let built = builds.image()?;
    let image = repository.join(built["image"].as_str().context("the build names its image")?);
    let bench = Bench { args: &args, builds, image, work: work.path(), peers: Peers::in_cache(&cache)?, cache: &cache };
    let Numbers { rows, boots, findings } = bench.measure(&built, repository)?;
    let document = json!({
        "machine": machine,
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
        "boot_phases_ms": boots.middle().map(|boot| &boot.phases),
        "failed_boots": boots.failed,
        "findings": findings,
    });
    fs::write(&args.json, serde_json::to_vec_pretty(&document)?).context("writing the numbers")?;
    eprintln!("bench: {}", args.json.display());
    print!("{}{}", report(&rows, &boots, &machine), lines(&findings));
    Ok(())
}

/// What is measured with.
struct Bench<'a> {
    args: &'a Args,
    builds: Builds<'a>,
    image: PathBuf,
    work: &'a Path,
    peers: Peers,
    cache: &'a Path,
}

/// What was measured.
struct Numbers {
    rows: Vec<Row>,
    boots: Boots,
    /// The scan's findings beside the peer's, a line each; empty where they were not compared.
    findings: Vec<String>,
}

/// What became of the boots.
struct Boots {
    /// Ours, the quickest first.
    ours: Vec<Boot>,
    /// Whose failed, and why.
    failed: Vec<String>,
}

impl Boots {
    /// The middle one of ours.
    fn middle(&self) -> Option<&Boot> {
        self.ours.get(self.ours.len() / 2)
    }
}

impl Bench<'_> {
    fn measure(&self, built: &Value, repository: &Path) -> anyhow::Result<Numbers> {
        let pieces = Pieces::of(&self.image, self.work)?;
        let tools = self.peers.tools().map_err(|error| format!("{error:#}"));
        let tree = tools.as_ref().map_err(String::clone).and_then(|tools| said(pieces.extract(tools)));
        let mut rows = Vec::new();
        let boots = self.boots(&tree, &mut rows);
        sizes(built, &boots.ours, &pieces, &tools, &mut rows);
        note("verity tree, ESP");
        verity(&pieces, &mut rows);
        let (ours, peer) = pieces.esp(256);
        let peer = Some(("mkfs.vfat + mtools", peer));
        rows.push(Row {
            what: "ESP with the UKI",
            unit: Unit::Seconds,
            ours,
            peer,
            must: Limit::None,
            aim: Limit::None,
        });
        let signed = Signed { image: &self.image, keys: &self.args.keys, work: self.work };
        note("signatures");
        signed.rows(&mut rows);
        signed.boots(self.args.firmware_boots, &mut rows);
        note("the scan");
        let findings = self.scan(&tree, &mut rows);
        self.builds(tools.as_ref(), &tree, &mut rows);
        if self.args.cold {
            note("cold build");
            self.builds.cold(repository)?;
        }
        let (must, aim) = (Limit::AtMost(25.0 * 60.0), Limit::AtMost(12.0 * 60.0));
        let ours = self.builds.last_cold();
        rows.push(Row { what: "cold `make image`", unit: Unit::Seconds, ours, peer: None, must, aim });
        for (what, began, must, aim) in
            [("cold `.ci/run`", "cold", 60.0, 45.0), ("`.ci/run`, full cache", "cached", 30.0, 20.0)]
        {
            let (must, aim) = (Limit::AtMost(must * 60.0), Limit::AtMost(aim * 60.0));
            let ours = Builds::clean_test(repository, began);
            rows.push(Row { what, unit: Unit::Seconds, ours, peer: None, must, aim });
        }
        Ok(Numbers { rows, boots, findings })
    }

    /// The scan beside its peer; how their findings differ.
    fn scan(&self, tree: &Result<PathBuf, String>, rows: &mut Vec<Row>) -> Vec<String> {
        let tree = tree.as_deref().map_err(String::clone);
        let verdict =
            Verdict { image: &self.image, tree, advisories: self.args.advisories.as_deref(), work: self.work };
        verdict.rows(rows)
    }

    /// Boots of both, in turns.
    fn boots(&self, tree: &Result<PathBuf, String>, rows: &mut Vec<Row>) -> Boots {
        let debian = tree.clone().and_then(|tree| {
            let modules = self.args.definition.with_extension("go");
            said(Debian::make(&self.peers, &tree, self.cache, &modules))
        });
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 1..=self.args.boots {
            note(&format!("boot {round} of {}", self.args.boots));
            ours.push(booted("ours", boots::ours(&self.image, self.work)));
            let debian = debian.as_ref().map_err(String::clone);
            theirs.push(debian.and_then(|debian| booted("Debian", debian.boot(self.work))));
        }
        let times = |boots: &[Result<Boot, String>], pick: fn(&Boot) -> f64| -> Measured {
            // A boot that failed is said when it does, and is no time; none that went well is no measurement.
            let times: Vec<f64> = boots.iter().flatten().map(pick).collect();
            let error = boots.iter().find_map(|boot| boot.as_ref().err().cloned());
            if times.is_empty() {
                Err(error.unwrap_or_else(|| "no boot was asked for".into()))
            } else {
                Samples::of(times)
            }
        };
        let mut row = |what, pick: fn(&Boot) -> f64, must: f64, aim: f64| {
            let peer = Some(("Debian 13, systemd", times(&theirs, pick)));
            let (must, aim) = (Limit::OfPeer(must), Limit::OfPeer(aim));
            rows.push(Row { what, unit: Unit::Seconds, ours: times(&ours, pick), peer, must, aim });
        };
        row("kernel start → kubelet healthy", |boot| boot.healthy, 1.0 / 2.0, 1.0 / 4.0);
        row("kernel start → first pod running", |boot| boot.pod, 1.0 / 2.0, 1.0 / 3.0);
        let failed = |whose: &str, boots: &[Result<Boot, String>]| {
            let failed = boots.iter().filter_map(|boot| boot.as_ref().err());
            failed.map(|error| format!("{whose}: {error}")).collect::<Vec<_>>()
        };
        let failed = [failed("ours", &ours), failed("Debian", &theirs)].concat();
        let mut ours: Vec<Boot> = ours.into_iter().flatten().collect();
        ours.sort_by(|one, other| one.pod.total_cmp(&other.pod));
        Boots { ours, failed }
    }

    fn builds(&self, tools: Result<&Tools, &String>, tree: &Result<PathBuf, String>, rows: &mut Vec<Row>) {
        note("tree to image");
        let tools = tools.map_err(String::clone);
        let both = tools.and_then(|tools| Ok((tools, tree.as_ref().map_err(String::clone)?)));
        let (tools, tree) = match both {
            Ok((tools, tree)) => (Ok(tools), tree.as_path()),
            Err(error) => (Err(error), Path::new("")),
        };
        let (ours, peer) = self.builds.tree_to_image(tools, tree);
        let peer = Some(("mkosi 25", peer));
        let (must, aim) = (Limit::OfPeer(1.0), Limit::OfPeer(1.0 / 5.0));
        rows.push(Row { what: "tree → complete image", unit: Unit::Seconds, ours, peer, must, aim });
        let (must, aim) = (Limit::AtMost(0.5), Limit::AtMost(0.3));
        let ours = self.builds.again();
        rows.push(Row { what: "rebuild, nothing changed", unit: Unit::Seconds, ours, peer: None, must, aim });
    }
}

fn sizes(built: &Value, boots: &[Boot], pieces: &Pieces, tools: &Result<Tools, String>, rows: &mut Vec<Row>) {
    let number = |value: &Value| value.as_f64().map_or(Err("the build does not say".into()), Samples::exact);
    let mut row = |what, ours, peer, must, aim| {
        let (must, aim) = (Limit::AtMost(must), Limit::AtMost(aim));
        rows.push(Row { what, unit: Unit::Bytes, ours, peer, must, aim });
    };
    row("root image", number(&built["surface"]["numbers"]["root_bytes"]["is"]), None, 55e6, 50e6);
    row("init binary", number(&built["init_bytes"]), None, 1.5e6, 0.8e6);
    let resident = boots.iter().filter_map(|boot| boot.resident).collect();
    let (must, aim) = (3.0 * 1048576.0, 1.5 * 1048576.0);
    row("init, resident memory when ready", Samples::of(resident), None, must, aim);
    let ukify = tools.as_ref().map_err(String::clone).and_then(|tools| said(pieces.ukify(tools)));
    let ukify = ukify.and_then(|bytes| Samples::exact(bytes as f64));
    row("UKI", Samples::exact(pieces.uki_bytes() as f64), Some(("ukify", ukify)), 14e6, 12.5e6);
}

fn verity(pieces: &Pieces, rows: &mut Vec<Row>) {
    let (ours, peer) = pieces.verity();
    // The aim is the time that the hashes alone take on all cores; a tenth more is the same.
    let aim = pieces.hash_limit().map_or(Limit::None, |seconds| Limit::AtMost(seconds * 1.1));
    let peer = Some(("veritysetup", peer));
    rows.push(Row { what: "verity tree", unit: Unit::Seconds, ours, peer, must: Limit::OfPeer(1.0 / 2.5), aim });
}

/// The table, and what the time of a boot went to.
fn report(rows: &[Row], boots: &Boots, machine: &Value) -> String {
    let mut text = table(rows);
    for failed in &boots.failed {
        text.push_str(&format!("failed boot, {failed}\n"));
    }
    if let Some(boot) = boots.middle() {
        text.push_str("\n| phase of the middle boot | done at ms | took ms |\n|---|---|---|\n");
        let mut before = 0;
        for (name, ms) in &boot.phases {
            text.push_str(&format!("| {name} | {ms} | {} |\n", ms - before));
            before = *ms;
        }
    }
    text.push_str(&format!("\n{machine}\n"));
    text
}

/// Says a boot that failed, by the first line of what went wrong: the rest is the console.
fn booted(whose: &str, boot: anyhow::Result<Boot>) -> Result<Boot, String> {
    said(boot).map_err(|error| {
        let line = error.lines().next().unwrap_or_default().to_owned();
        note(&format!("a boot of {whose} failed: {line}"));
        line
    })
}

fn said<T>(result: anyhow::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{error:#}"))
}

/// A paragraph of them.
fn lines(findings: &[String]) -> String {
    findings.iter().map(|line| format!("{line}\n")).collect()
}

fn note(text: &str) {
    eprintln!("bench: {text}");
}
