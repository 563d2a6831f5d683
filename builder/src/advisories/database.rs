//! Advisories, found by the package that they are about.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::advisory::{Advisory, Affected};

/// A folder or archive that advisories were read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// As it was named.
    pub path: String,
    /// How many documents were read.
    pub documents: usize,
    /// See [`Database::newest`], for this one.
    pub newest: Option<String>,
}

/// All advisories of some files.
#[derive(Debug, Default)]
pub struct Database {
    advisories: Vec<Advisory>,
    /// Package's name → places in `advisories` and in its `affected`.
    index: HashMap<String, Vec<(usize, usize)>>,
    /// Ecosystems with their releases, as documents write them.
    ecosystems: BTreeSet<String>,
    /// Day of the newest document, see [`Database::newest`].
    newest: Option<String>,
    sources: Vec<Source>,
}

impl Database {
    /// A database of these advisories. Of two documents by one name the one that was changed last counts.
    pub fn new(advisories: Vec<Advisory>) -> Database {
        let mut by_name: HashMap<String, usize> = HashMap::new();
        let mut kept: Vec<Advisory> = Vec::new();
        for advisory in advisories {
            match by_name.get(&advisory.id) {
                Some(at) if kept[*at].modified < advisory.modified => kept[*at] = advisory,
                Some(_) => {}
                None => {
                    by_name.insert(advisory.id.clone(), kept.len());
                    kept.push(advisory);
                }
            }
        }
        kept.sort_by(|a, b| a.id.cmp(&b.id));
        let mut database = Database { advisories: kept, ..Database::default() };
        for (at, advisory) in database.advisories.iter().enumerate() {
            let root = |affected: &Affected| affected.ecosystem.split(':').next().map(str::to_owned);
            // One that names packages of several ecosystems stands in a collection of one of them: nobody knows which.
            let is_of_one = advisory.affected.iter().map(root).collect::<BTreeSet<_>>().len() == 1;
            for (of, affected) in advisory.affected.iter().enumerate() {
                if is_of_one && !database.ecosystems.contains(&affected.ecosystem) {
                    database.ecosystems.insert(affected.ecosystem.clone());
                }
                match database.index.get_mut(&affected.name) {
                    Some(places) => places.push((at, of)),
                    None => _ = database.index.insert(affected.name.clone(), vec![(at, of)]),
                }
            }
        }
        database.newest = newest(&database.advisories);
        database
    }

    /// All advisories, by name.
    pub fn advisories(&self) -> &[Advisory] {
        &self.advisories
    }

    /// What those advisories that were not withdrawn say of a package. `Debian:13` is asked for what is said of that
    /// release, and of Debian without a release.
    pub fn about<'a>(&'a self, ecosystem: &str, name: &str) -> impl Iterator<Item = (&'a Advisory, &'a Affected)> {
        let places = self.index.get(name).map(Vec::as_slice).unwrap_or_default();
        let all = ecosystem.split(':').next().unwrap_or_default().to_owned();
        let ecosystem = ecosystem.to_owned();
        places
            .iter()
            .map(|(at, of)| (&self.advisories[*at], &self.advisories[*at].affected[*of]))
            .filter(|(advisory, _)| advisory.withdrawn.is_none())
            .filter(move |(_, affected)| affected.ecosystem == ecosystem || affected.ecosystem == all)
    }

    /// The ecosystems that any advisory is about, without their releases. A package of another one was not looked for:
    /// that nothing was found says nothing.
    pub fn ecosystems(&self) -> BTreeSet<&str> {
        self.ecosystems.iter().filter_map(|ecosystem| ecosystem.split(':').next()).collect()
    }

    /// Whether any advisory is about this ecosystem: `Debian:13` by those about that release, and about Debian without one.
    pub fn covers(&self, ecosystem: &str) -> bool {
        let all = ecosystem.split(':').next().unwrap_or_default();
        self.ecosystems.contains(ecosystem) || self.ecosystems.contains(all)
    }

    /// The day on which the newest document was published, changed or withdrawn, `2026-08-21`; where no document says, the
    /// newest time of an archive's members or of the files. `None` where nothing says.
    ///
    /// Go's own documents are all changed in the year 1, which is passed over.
    pub fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// What the advisories were read from.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Sets what the advisories were read from, and [`Database::newest`] where no document said.
    pub(super) fn read_from(&mut self, sources: Vec<Source>) {
        let files = sources.iter().filter_map(|source| source.newest.clone()).max();
        self.newest = self.newest.take().or(files);
        self.sources = sources;
    }
}

/// The newest day that documents name.
pub(super) fn newest(advisories: &[Advisory]) -> Option<String> {
    let mut newest = None;
    for advisory in advisories {
        for time in [&advisory.published, &advisory.modified, &advisory.withdrawn].into_iter().flatten() {
            newest = newest.max(day(time));
        }
    }
    newest.map(str::to_owned)
}

/// The day of a time, if it is one that somebody set.
fn day(time: &str) -> Option<&str> {
    let day = time.get(..10)?;
    (day >= "1970" && orlop_config::date::parse(day).is_some()).then_some(day)
}
