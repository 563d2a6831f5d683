//! Advisories, found by the package that they are about.

use std::collections::{BTreeSet, HashMap};

use super::advisory::{Advisory, Affected};

/// All advisories of some files.
#[derive(Debug, Default)]
pub struct Database {
    advisories: Vec<Advisory>,
    /// Package's name → places in `advisories` and in its `affected`.
    index: HashMap<String, Vec<(usize, usize)>>,
    /// Day of the newest document, see [`Database::newest`].
    newest: Option<String>,
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
            for (of, affected) in advisory.affected.iter().enumerate() {
                match database.index.get_mut(&affected.name) {
                    Some(places) => places.push((at, of)),
                    None => _ = database.index.insert(affected.name.clone(), vec![(at, of)]),
                }
            }
            let days = [&advisory.modified, &advisory.withdrawn].into_iter().flatten();
            database.newest = days.filter_map(|time| day(time)).chain(database.newest.take()).max();
        }
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
        let affected = self.advisories.iter().flat_map(|advisory| &advisory.affected);
        affected.filter_map(|affected| affected.ecosystem.split(':').next()).collect()
    }

    /// The day on which the newest document was changed, `2026-08-21`; where no document says (Go's have the year 1), the
    /// newest time of an archive's members or of the files. `None` where nothing says.
    pub fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// Sets [`Database::newest`] where no document said.
    pub(super) fn written(&mut self, day: Option<String>) {
        self.newest = self.newest.take().or(day);
    }
}

/// The day of a time, if it is one that somebody set.
fn day(time: &str) -> Option<String> {
    let day = time.get(..10)?;
    let shape =
        day.bytes().enumerate().all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    (shape && day >= "1970").then(|| day.to_owned())
}
