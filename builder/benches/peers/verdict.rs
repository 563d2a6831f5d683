//! `orlop scan` of the whole image beside `govulncheck -mode=binary` of each of its Go programs, by the same advisories: how long,
//! how much memory, and which findings only one of the two has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use orlop::formats::go_binary;
use serde_json::{Value, json};

use crate::formats::in_turns;
use crate::row::{Limit, Measured, Row, Samples, Unit};
use crate::tools::{program, run};

/// Where `make bench` puts the program that users run: compiled for speed.
const ORLOP: &str = "target/release/orlop";
/// Where it puts the peer.
const PEER: &str = "out/bench-tools/govulncheck";
const NAME: &str = "govulncheck";
const RUNS: usize = 5;
/// No day is old enough to matter to a time.
const ANY_AGE: &str = "100000";
/// What was promised: seconds, bytes.
const LIMITS: (f64, f64) = (1.0, 200e6);
/// Runs what follows and says its seconds and the KiB that it had resident at most, behind its own output.
const METER: &str = "import resource, subprocess, sys, time
start = time.monotonic()
done = subprocess.run(sys.argv[1:])
print('\\nmeter', time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode if done.returncode != 4 else 0)
";

/// A flaw of a module in a program: the advisory (`GO-2024-2687`), the module, the program's file.
type Flaw = (String, String, String);

/// The image, its root's files, and the advisories.
pub struct Verdict<'a> {
    /// The disk image.
    pub image: &'a Path,
    /// The root's files as a folder, or why there is none.
    pub tree: Result<&'a Path, String>,
    /// Go's vulnerability database: a zip archive of OSV documents.
    pub advisories: Option<&'a Path>,
    /// For what is made.
    pub work: &'a Path,
}

/// What a program said, and what that took.
struct Said {
    text: String,
    seconds: f64,
    bytes: f64,
}

impl Verdict<'_> {
    /// Both rows; how many findings both have, and a line for each that only one has. Empty where one was not measured.
    pub fn rows(&self, rows: &mut Vec<Row>) -> Vec<String> {
        let mut most = (0.0_f64, 0.0_f64);
        let (mut mine, mut theirs) = (BTreeMap::new(), BTreeSet::new());
        let prepared = self.prepare().map_err(|error| format!("{error:#}"));
        let mut ours = || {
            let mut command = program_at(ORLOP)?;
            command.args(["scan", "--json", "--max-age", ANY_AGE, "--db"]).arg(self.advisories()?).arg(self.image);
            let said = metered(&command)?;
            mine = found(&serde_json::from_str(&said.text)?)?;
            most.0 = most.0.max(said.bytes);
            Ok(said.seconds)
        };
        let mut peer = || {
            let (database, programs) = prepared.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
            let mut seconds = 0.0;
            theirs.clear();
            for (name, file) in programs {
                let mut command = program_at(PEER)?;
                command.args(["-mode=binary", "-format=json", "-db"]).arg(format!("file://{}", database.display()));
                let said = metered(command.arg(file))?;
                reported(&said.text, name, &mut theirs)?;
                seconds += said.seconds;
                most.1 = most.1.max(said.bytes);
            }
            Ok(seconds)
        };
        let (ours, peer) = in_turns(RUNS, &mut ours, &mut peer);
        let memory =
            |measured: &Measured, bytes| measured.as_ref().map_err(String::clone).and_then(|_| Samples::exact(bytes));
        let (my_memory, their_memory) = (memory(&ours, most.0), memory(&peer, most.1));
        let both = ours.is_ok() && peer.is_ok();
        for (what, unit, ours, peer, limit) in [
            ("scan of the Go programs", Unit::Seconds, ours, peer, LIMITS.0),
            ("… resident at most", Unit::Bytes, my_memory, their_memory, LIMITS.1),
        ] {
            let (must, aim) = (Limit::AtMost(limit), Limit::OfPeer(1.0));
            rows.push(Row { what, unit, ours, peer: Some((NAME, peer)), must, aim });
        }
        if both { differences(&mine, &theirs) } else { Vec::new() }
    }

    fn advisories(&self) -> anyhow::Result<&Path> {
        self.advisories.context("no advisories were named: BENCH='--advisories ARCHIVE'")
    }

    /// The advisories in the layout that the peer wants, with its indexes; the Go programs, by their place in the root.
    fn prepare(&self) -> anyhow::Result<(PathBuf, Vec<(String, PathBuf)>)> {
        let tree = self.tree.clone().map_err(|error| anyhow::anyhow!("{error}"))?;
        let database = self.work.canonicalize()?.join("vulndb");
        write_database(self.advisories()?, &database)?;
        let mut programs = Vec::new();
        go_programs(tree, tree, &mut programs)?;
        if programs.is_empty() {
            bail!("no Go program in {}", tree.display());
        }
        Ok((database, programs))
    }
}

fn program_at(path: &str) -> anyhow::Result<Command> {
    let path = fs::canonicalize(path).with_context(|| format!("no {path}: make bench builds it"))?;
    Ok(Command::new(path))
}

/// Runs a program, of which status 4 (the gates fail) is a result like any other.
fn metered(command: &Command) -> anyhow::Result<Said> {
    let mut meter = program("python3")?;
    meter.args(["-c", METER]).arg(command.get_program()).args(command.get_args());
    let text = run(&mut meter)?;
    let (text, meter) = text.rsplit_once("\nmeter ").context("the meter says nothing")?;
    let (seconds, kib) = meter.trim().split_once(' ').context("the meter says one number")?;
    Ok(Said { text: text.into(), seconds: seconds.parse()?, bytes: kib.parse::<f64>()? * 1024.0 })
}

/// Ours, with the state of each.
fn found(report: &Value) -> anyhow::Result<BTreeMap<Flaw, String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a string is missing in the report");
    let mut flaws = BTreeMap::new();
    for finding in report["findings"].as_array().context("the report has no findings")? {
        if finding["package"]["ecosystem"] != "Go" {
            continue;
        }
        let names = finding["names"].as_array().context("a finding without names")?;
        for name in names.iter().filter_map(Value::as_str).filter(|name| name.starts_with("GO-")) {
            for place in finding["places"].as_array().context("a finding without places")? {
                let flaw = (name.to_owned(), text(&finding["package"]["name"])?, text(&place["path"])?);
                flaws.insert(flaw, text(&place["outcome"])?);
            }
        }
    }
    Ok(flaws)
}

/// The peer's: a stream of documents, of which some are findings.
fn reported(text: &str, file: &str, flaws: &mut BTreeSet<Flaw>) -> anyhow::Result<()> {
    for message in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let message = message.context("the peer's output")?;
        if let (Some(id), Some(module)) =
            (message["finding"]["osv"].as_str(), message["finding"]["trace"][0]["module"].as_str())
        {
            flaws.insert((id.into(), module.into(), file.into()));
        }
    }
    Ok(())
}

/// How many both have, and each that one alone has.
fn differences(ours: &BTreeMap<Flaw, String>, theirs: &BTreeSet<Flaw>) -> Vec<String> {
    let both = ours.keys().filter(|flaw| theirs.contains(flaw)).count();
    let mut lines = vec![format!("{both} findings by both, {} by orlop, {} by {NAME}", ours.len(), theirs.len())];
    let line = |(id, module, file): &Flaw, whose: &str| format!("only {whose}: {id} {module} in {file}");
    let mine = ours.iter().filter(|(flaw, _)| !theirs.contains(flaw));
    lines.extend(mine.map(|(flaw, state)| format!("{} ({state})", line(flaw, "orlop"))));
    lines.extend(theirs.iter().filter(|flaw| !ours.contains_key(flaw)).map(|flaw| line(flaw, NAME)));
    lines
}

/// The layout of <https://go.dev/doc/security/vuln/database>: `ID/*.json`, `index/db.json`, `index/modules.json`.
fn write_database(archive: &Path, folder: &Path) -> anyhow::Result<()> {
    let file = fs::File::open(archive).with_context(|| format!("{} cannot be opened", archive.display()))?;
    let mut archive = zip::ZipArchive::new(file)?;
    for name in ["ID", "index"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let mut modules: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut newest = String::new();
    for index in 0..archive.len() {
        let member = archive.by_index(index)?;
        if !member.name()?.ends_with(".json") {
            continue;
        }
        let document: Value = serde_json::from_reader(member)?;
        let (Some(id), Some(modified)) = (document["id"].as_str(), document["modified"].as_str()) else { continue };
        let affected = document["affected"].as_array().into_iter().flatten();
        let names: BTreeSet<&str> = affected.filter_map(|affected| affected["package"]["name"].as_str()).collect();
        for name in names {
            modules.entry(name.into()).or_default().push(json!({"id": id, "modified": modified}));
        }
        newest = newest.max(modified.to_owned());
        fs::write(folder.join("ID").join(format!("{id}.json")), serde_json::to_vec(&document)?)?;
    }
    let modules: Vec<Value> = modules.into_iter().map(|(path, vulns)| json!({"path": path, "vulns": vulns})).collect();
    fs::write(folder.join("index/modules.json"), serde_json::to_vec(&modules)?)?;
    fs::write(folder.join("index/db.json"), serde_json::to_vec(&json!({"modified": newest}))?)?;
    Ok(())
}

/// Every Go program below a folder, with its path in the root.
fn go_programs(root: &Path, folder: &Path, found: &mut Vec<(String, PathBuf)>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = {
            let entry = entry?;
            (entry.path(), entry.file_type()?)
        };
        if kind.is_dir() {
            go_programs(root, &path, found)?;
        } else if kind.is_file() && go_binary::is_go(&fs::read(&path)?) {
            found.push((format!("/{}", path.strip_prefix(root)?.display()), path));
        }
    }
    found.sort();
    Ok(())
}
