//! `orlop scan`: what is known to be wrong with what an image is made of.

use std::path::{Path, PathBuf};

use clap::Args;
use orlop_config::definition::Gates;

use super::{Context, naming, write_whole};
use crate::advisories::Database;
use crate::scan::sarif::Locations;
use crate::scan::vex::{self, Exception};
use crate::scan::{Inventory, Report, Today, check_age, cyclonedx, gate, packages, sarif, scan, table, verdict};
use crate::sources::{Project, beside};

/// Judge what an image is made of by databases of advisories: OSV documents, RustSec's. No connection is opened.
///
/// Exit status 4: the gates fail (`[gates]` of the definition; without one: critical, high and what nobody rated).
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  orlop scan out/standalone/standalone.raw --db osv/Go/all.zip --definition images/standalone.toml"
)]
pub struct ScanArgs {
    /// The disk image, or an SBOM of it (CycloneDX or SPDX 2, in JSON).
    image: PathBuf,
    /// A folder or zip archive with advisories; given again, one more.
    #[arg(long, value_name = "PATH", required = true)]
    db: Vec<PathBuf>,
    /// The image definition with the gates and their exceptions.
    #[arg(long, value_name = "FILE")]
    definition: Option<PathBuf>,
    /// An OpenVEX document with exceptions, beside those of the definition; given again, one more.
    #[arg(long, value_name = "FILE")]
    vex: Vec<PathBuf>,
    /// How many days old each database may be at most, in place of what the gates say.
    #[arg(long, value_name = "DAYS")]
    max_age: Option<u32>,
    /// Write the findings as SARIF 2.1.0, too.
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Write the findings as CycloneDX 1.6 with VEX, too.
    #[arg(long, value_name = "FILE")]
    cyclonedx: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(args: &ScanArgs, context: &Context) -> anyhow::Result<()> {
    let project = args.definition.as_deref().map(Project::load).transpose()?;
    let rules = Rules { db: &args.db, vex: &args.vex, max_age: args.max_age, project: project.as_ref() };
    // At the same time: each takes as long as the other.
    let (inventory, judge) = std::thread::scope(|scope| {
        let judge = scope.spawn(|| Judge::load(&rules));
        let inventory = inventory(&args.image)?;
        match judge.join() {
            Ok(judge) => anyhow::Ok((inventory, judge?)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    let report = judge.judge(&inventory)?;
    write(args, project.as_ref(), &report)?;
    context.result(&report, &table(&report))?;
    Ok(verdict(&report)?)
}

/// What an image is judged by.
pub(super) struct Rules<'a> {
    /// Databases.
    pub db: &'a [PathBuf],
    /// Exceptions beside those of the definition.
    pub vex: &'a [PathBuf],
    /// Allowed age of databases, in place of what the gates say.
    pub max_age: Option<u32>,
    /// The definition with the gates.
    pub project: Option<&'a Project>,
}

/// All that, read and checked.
pub(super) struct Judge {
    database: Database,
    gates: Gates,
    exceptions: Vec<Exception>,
    today: Today,
}

impl Judge {
    /// For verbs that judge only where a database is named; the gates are those of this definition.
    pub fn where_asked(rules: Rules<'_>, definition: Option<&Path>) -> anyhow::Result<Option<Judge>> {
        if rules.db.is_empty() {
            return Ok(None);
        }
        let project = definition.map(Project::load).transpose()?;
        Judge::load(&Rules { project: project.as_ref(), ..rules }).map(Some)
    }

    /// Reads databases and exceptions, and checks how old they are.
    pub fn load(rules: &Rules<'_>) -> anyhow::Result<Judge> {
        let gates = rules.project.map_or_else(Gates::default, |project| project.definition().gates.clone());
        let exceptions = exceptions(rules)?;
        let (database, today) = (Database::load(rules.db)?, Today::now());
        let limit = rules.max_age.unwrap_or(gates.max_database_age_days);
        check_age(database.sources(), today, limit.into())?;
        Ok(Judge { database, gates, exceptions, today })
    }

    /// Judges what an image is made of; its failures are in the report.
    pub fn judge(&self, inventory: &Inventory) -> anyhow::Result<Report> {
        let mut report = scan(inventory, &self.database)?;
        vex::apply(&mut report, &self.exceptions, &self.gates, self.today);
        gate(&mut report, &self.gates);
        Ok(report)
    }
}

fn exceptions(rules: &Rules<'_>) -> anyhow::Result<Vec<Exception>> {
    let mut files = rules.vex.to_vec();
    if let Some(project) = rules.project {
        let from = project.resolved.file_of_exceptions();
        files.extend(project.definition().gates.exceptions.iter().map(|file| beside(file, from).into()));
    }
    let mut exceptions = Vec::new();
    for file in &files {
        exceptions.append(&mut vex::read(file)?);
    }
    Ok(exceptions)
}

/// What an image, or an SBOM, says that it is made of.
pub(super) fn inventory(path: &Path) -> anyhow::Result<Inventory> {
    if packages::is_sbom(path) {
        return packages::of_sbom(path);
    }
    // Nothing is verified here, so nothing is refused: what cannot be read is a failure like any other.
    packages::of_image(path).map_err(|error| naming(path, &error))
}

/// Writes the documents that were asked for, whether the gates fail or not.
fn write(args: &ScanArgs, project: Option<&Project>, report: &Report) -> anyhow::Result<()> {
    let pretty = |document: &serde_json::Value| format!("{document:#}\n").into_bytes();
    if let Some(file) = &args.sarif {
        write_whole(file, &pretty(&sarif::document(report, &locations(args, project))))?;
    }
    if let Some(file) = &args.cyclonedx {
        write_whole(file, &pretty(&cyclonedx::document(report)))?;
    }
    Ok(())
}

/// Components stand in the definition, or in those that it extends as far as they are files.
fn locations(args: &ScanArgs, project: Option<&Project>) -> Locations {
    let mut locations = Locations { file: args.image.to_string_lossy().into_owned(), ..Locations::default() };
    if let Some(project) = project.filter(|project| !project.is_shipped()) {
        locations.file = project.path.to_string_lossy().into_owned();
        for file in project.resolved.files.iter().filter(|file| !file.starts_with("orlop:")) {
            // It was read a moment ago; if it is gone, results stand at the definition's beginning.
            locations.add(file, &std::fs::read_to_string(file).unwrap_or_default());
        }
    }
    locations
}
