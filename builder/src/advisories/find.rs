//! Which advisories concern which packages.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::advisory::{Advisory, Affected, Import, Platforms};
use super::database::Database;
use super::judge::{Verdict, judge};
use super::severity::Severity;
use crate::formats::go_binary::Functions;

/// A package to look for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// As OSV names it: `Go`, `crates.io`, `Debian:13`, `Linux`.
    pub ecosystem: &'a str,
    /// Of Go the module (`stdlib` for the standard library), of Debian the source package.
    pub name: &'a str,
    /// Its version; `None` where it is not known (Go's `(devel)`).
    pub version: Option<&'a str>,
    /// Of Go: the functions in the program, where they were read.
    pub functions: Option<&'a Functions>,
}

/// What the packages run on, by Go's names; what only shows elsewhere is told apart.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// `linux`
    pub system: &'a str,
    /// `amd64`
    pub architecture: &'a str,
}

/// A function that an advisory names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    /// The package's path.
    pub path: String,
    /// `Type.Method` or the function; `None` where the advisory means all of the package.
    pub name: Option<String>,
}

/// How a package is concerned, the least first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The fault shows on other systems or architectures only.
    OtherPlatform,
    /// The module is affected; none of the functions that the advisory names is in the program.
    NotLinked,
    /// It cannot be said.
    Undecided(String),
    /// The package is affected. Of its functions nothing is said, or they were not looked at.
    Affected,
    /// The package is affected, and these functions are in the program.
    Linked(Vec<Symbol>),
}

/// An advisory that concerns a package.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    /// Which advisory.
    pub advisory: &'a Advisory,
    /// Which package.
    pub subject: Subject<'a>,
    /// How.
    pub state: State,
    /// How bad, for this package.
    pub severity: Severity,
    /// The versions that end it, the nearest of each range; empty where none is known.
    pub fixed: Vec<String>,
    /// The advisory has ranges of a scheme that cannot be compared with this package's version: it may be fine.
    pub other_scheme: bool,
}

/// The advisories that concern these packages: in the order of the packages, then by name. Withdrawn ones are left out.
pub fn findings<'a>(database: &'a Database, subjects: &[Subject<'a>], target: Option<Target<'_>>) -> Vec<Finding<'a>> {
    let mut found = Vec::new();
    for subject in subjects {
        let start = found.len();
        for (advisory, affected) in database.about(subject.ecosystem, subject.name) {
            if let Some(finding) = finding(advisory, affected, *subject, target) {
                add(&mut found, start, finding);
            }
        }
        found[start..].sort_by(|a, b| a.advisory.id.cmp(&b.advisory.id));
    }
    found
}

/// An advisory may have several entries for a package: together they are one finding, the worst.
fn add<'a>(found: &mut Vec<Finding<'a>>, start: usize, new: Finding<'a>) {
    let Some(old) = found[start..].iter_mut().find(|old| std::ptr::eq(old.advisory, new.advisory)) else {
        found.push(new);
        return;
    };
    old.severity = old.severity.max(new.severity);
    old.other_scheme &= new.other_scheme;
    old.fixed.extend(new.fixed.into_iter().filter(|version| !old.fixed.contains(version)).collect::<Vec<_>>());
    old.state = match (std::mem::replace(&mut old.state, State::NotLinked), new.state) {
        (State::Linked(a), State::Linked(b)) => {
            State::Linked(a.into_iter().chain(b).collect::<BTreeSet<_>>().into_iter().collect())
        }
        (a, b) => a.max(b),
    };
}

fn finding<'a>(
    advisory: &'a Advisory,
    affected: &'a Affected,
    subject: Subject<'a>,
    target: Option<Target<'_>>,
) -> Option<Finding<'a>> {
    let (state, fixed) = match judge(affected, subject.version) {
        Verdict::Unaffected => return None,
        Verdict::Affected { fixed } => (state(affected, subject, target), fixed),
        Verdict::Undecided { reason } => (State::Undecided(reason), Vec::new()),
    };
    let severity = affected.severity.unwrap_or_default().max(advisory.rating.severity);
    Some(Finding { advisory, subject, state, severity, fixed, other_scheme: affected.other_scheme })
}

fn state(affected: &Affected, subject: Subject<'_>, target: Option<Target<'_>>) -> State {
    if !shows_on(&affected.platforms, target) {
        return State::OtherPlatform;
    }
    if affected.imports.is_empty() {
        return State::Affected;
    }
    let mut here = affected.imports.iter().filter(|import| shows_on(&import.platforms, target)).peekable();
    if here.peek().is_none() {
        return State::OtherPlatform;
    }
    let Some(functions) = subject.functions else { return State::Affected };
    let linked: BTreeSet<Symbol> = here.flat_map(|import| linked(import, functions)).collect();
    if linked.is_empty() { State::NotLinked } else { State::Linked(linked.into_iter().collect()) }
}

/// The functions of an import that are in a program.
fn linked(import: &Import, functions: &Functions) -> Vec<Symbol> {
    let path = &import.path;
    if import.symbols.is_empty() {
        let all = Symbol { path: path.clone(), name: None };
        return Vec::from_iter(functions.has_package(path).then_some(all));
    }
    let there = import.symbols.iter().filter(|symbol| functions.has(path, &in_program(symbol)));
    there.map(|symbol| Symbol { path: path.clone(), name: Some(symbol.clone()) }).collect()
}

/// The database counts the functions `init` of a package from 1 (`init#1`), the compiler from 0 (`init.0`).
fn in_program(symbol: &str) -> Cow<'_, str> {
    match symbol.strip_prefix("init#").and_then(|number| number.parse::<u32>().ok()) {
        Some(number) => Cow::Owned(format!("init.{}", number.saturating_sub(1))),
        None => Cow::Borrowed(symbol),
    }
}

fn shows_on(platforms: &Platforms, target: Option<Target<'_>>) -> bool {
    let Some(Target { system, architecture }) = target else { return true };
    let names = |list: &[String], name: &str| list.is_empty() || list.iter().any(|listed| listed == name);
    names(&platforms.systems, system) && names(&platforms.architectures, architecture)
}
