//! One flaw has several names, and databases have it by each.

use std::collections::{BTreeMap, BTreeSet};

use super::find::Finding;

/// Findings of one package that are one flaw.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// All names of the flaw: of the documents and their aliases.
    pub names: BTreeSet<&'a str>,
    /// What was found about it, one for each document; never empty.
    pub findings: Vec<Finding<'a>>,
}

/// Puts those findings together that are about one package in one version and know each other by a name, however many
/// names lie between them. Groups stand where their first finding stood.
pub fn group(findings: Vec<Finding<'_>>) -> Vec<Group<'_>> {
    let mut parents: Vec<usize> = (0..findings.len()).collect();
    let mut first: BTreeMap<_, usize> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        for name in names(finding) {
            let subject = finding.subject;
            let other = *first.entry((subject.ecosystem, subject.name, subject.version, name)).or_insert(index);
            let (a, b) = (root(&mut parents, index), root(&mut parents, other));
            parents[a.max(b)] = a.min(b);
        }
    }
    let mut groups: BTreeMap<usize, Group<'_>> = BTreeMap::new();
    for (index, finding) in findings.into_iter().enumerate() {
        let empty = || Group { names: BTreeSet::new(), findings: Vec::new() };
        let group = groups.entry(root(&mut parents, index)).or_insert_with(empty);
        group.names.extend(names(&finding));
        group.findings.push(finding);
    }
    groups.into_values().collect()
}

fn names<'a>(finding: &Finding<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let advisory = finding.advisory;
    std::iter::once(&*advisory.id).chain(advisory.aliases.iter().map(String::as_str))
}

/// The first of those that an index was put together with. Parents are never greater, so that this ends.
fn root(parents: &mut [usize], mut index: usize) -> usize {
    while parents[index] != index {
        parents[index] = parents[parents[index]];
        index = parents[index];
    }
    index
}
