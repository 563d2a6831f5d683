//! The scan: what was found, by what, and what could not be judged.

use std::collections::BTreeSet;

use serde::Serialize;

use super::found::{Found, Outcome};
use super::gate::Failure;
use super::judge::{Judged, judge};
use super::package::{Inventory, Unjudged};
use super::vex::PassedOver;
use crate::advisories::{Database, Source, Target};

/// A scan's result. It depends on the image, the databases, the gates and the exceptions; of the clock, only on which
/// exceptions have expired.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of this document's shape, first: 1.
    pub version: u32,
    /// The image's name.
    pub image: String,
    /// The image's version.
    pub image_version: String,
    /// What it was judged by.
    pub databases: Databases,
    /// How many packages were judged; the same one in two programs counts twice.
    pub packages: usize,
    /// What was found, the worst first.
    pub findings: Vec<Found>,
    /// What could not be judged.
    pub unjudged: Vec<Unjudged>,
    /// Exceptions that are about nothing here: of another image, or of packages that nobody looked up.
    pub passed_over: Vec<PassedOver>,
    /// What fails: exceptions that must not stand, then what the gates fail.
    pub failures: Vec<Failure>,
    /// The components that brought packages.
    #[serde(skip)]
    pub(super) components: BTreeSet<String>,
    /// Ecosystems of the image in which no package was looked up: no database is about them, or packages of two names were
    /// looked up by the other one.
    #[serde(skip)]
    pub(super) not_looked_for: BTreeSet<String>,
}

/// The databases of a scan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Databases {
    /// How many advisories they have.
    pub advisories: usize,
    /// Each of them, as it was named.
    pub sources: Vec<Source>,
}

/// Why a scan would say nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no database is about anything in this image: it has packages of {wanted}, and the databases are about {had}; name \
     others with --db"
)]
pub struct WrongDatabase {
    /// The ecosystems of the image.
    pub wanted: String,
    /// Those of the databases.
    pub had: String,
}

/// Judges what an image is made of. Nothing fails yet: [`super::vex::apply`] and [`super::gate()`] say what does.
pub fn scan(inventory: &Inventory, database: &Database) -> Result<Report, WrongDatabase> {
    let target = inventory.architecture.as_deref().map(|architecture| Target { system: "linux", architecture });
    let Judged { findings, unknown, packages, ecosystems } = judge(inventory, database, target);
    let mut wanted: Vec<&str> = inventory.packages.iter().map(|package| &*package.identity.ecosystem).collect();
    wanted.sort_unstable();
    wanted.dedup();
    if !wanted.is_empty() && packages == 0 {
        let had = database.ecosystems().into_iter().collect::<Vec<_>>().join(", ");
        return Err(WrongDatabase { wanted: wanted.join(", "), had });
    }
    let names =
        inventory.packages.iter().flat_map(|package| std::iter::once(&package.identity).chain(&package.otherwise));
    let not_looked_for =
        names.map(|of| of.ecosystem.clone()).filter(|ecosystem| !ecosystems.contains(ecosystem)).collect();
    let mut unjudged: Vec<Unjudged> = inventory.unjudged.iter().cloned().chain(unknown).collect();
    if inventory.packages.is_empty() && unjudged.is_empty() {
        let reason = "nothing in it says what it is made of".to_owned();
        unjudged.push(Unjudged { what: inventory.image.clone(), component: String::new(), reason });
    }
    unjudged.sort();
    unjudged.dedup();
    Ok(Report {
        version: 1,
        image: inventory.image.clone(),
        image_version: inventory.version.clone(),
        databases: Databases { advisories: database.advisories().len(), sources: database.sources().to_vec() },
        packages,
        findings,
        unjudged,
        passed_over: Vec::new(),
        failures: Vec::new(),
        components: inventory.packages.iter().map(|package| package.by.component.clone()).collect(),
        not_looked_for,
    })
}

impl Report {
    /// How many findings have this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.findings.iter().filter(|found| found.outcome == outcome).count()
    }
}
