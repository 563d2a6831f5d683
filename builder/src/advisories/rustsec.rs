//! RustSec's own format: Markdown that begins with a block of TOML (`advisory`, `affected`, `versions`), then a heading.
//!
//! RustSec says which versions are *not* affected, by requirements as Cargo knows them. They are turned into what they leave
//! open: ranges of affected versions, as RustSec's own export to OSV does it. A requirement is an interval here; of a
//! version before a release (`2.0.0-rc.1`) `^1.2` says nothing, and it counts as affected.

use std::collections::BTreeMap;

use semver::{BuildMetadata, Comparator, Op, Prerelease, Version, VersionReq};
use serde::Deserialize;

use super::advisory::{Advisory, Affected, Event, Import, Platforms, Range, RangeKind};
use super::severity::Rating;
use super::text;

const BEGIN: &str = "```toml\n";
const END: &str = "\n```";

#[derive(Deserialize)]
struct Front {
    advisory: Head,
    #[serde(default)]
    affected: Scope,
    versions: Versions,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    package: String,
    date: Option<String>,
    url: Option<String>,
    aliases: Option<Vec<String>>,
    cvss: Option<String>,
    informational: Option<String>,
    withdrawn: Option<String>,
}

#[derive(Deserialize, Default)]
struct Scope {
    #[serde(default)]
    functions: BTreeMap<String, Vec<String>>,
    os: Option<Vec<String>>,
    arch: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Versions {
    patched: Vec<String>,
    unaffected: Option<Vec<String>>,
}

/// Reads a document; an error says what is wrong with it, with line and column or the value. `toolchain`: it is about
/// Rust's own library or tools (ecosystem `Rust`), not about a crate (`crates.io`).
pub(super) fn parse(markdown: &str, toolchain: bool) -> Result<Advisory, String> {
    let unified = markdown.replace("\r\n", "\n");
    let rest = unified.strip_prefix(BEGIN).ok_or("no RustSec document: line 1 is not ```toml")?;
    let (front, prose) = rest.split_once(END).ok_or("no RustSec document: the block of TOML does not end")?;
    let front: Front = toml::from_str(front).map_err(|error| {
        let line = error.span().map_or(0, |span| front[..span.start.min(front.len())].matches('\n').count());
        format!("no RustSec document: line {}: {}", line + 2, error.message())
    })?;
    let Front { advisory: head, affected: scope, versions } = front;
    let title = prose.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default();
    let name = text::name("`package`", head.package)?;
    let mut rating = Rating::default();
    if let Some(vector) = &head.cvss {
        rating.add(&text::line(vector));
    }
    let affected = Affected {
        ecosystem: if toolchain { "Rust" } else { "crates.io" }.to_owned(),
        ranges: ranges(&versions)?,
        imports: imports(&name, scope.functions)?,
        platforms: Platforms {
            systems: text::names("`os`", scope.os)?.into_iter().map(|name| go_name(name, &SYSTEMS)).collect(),
            architectures: text::names("`arch`", scope.arch)?
                .into_iter()
                .map(|name| go_name(name, &MACHINES))
                .collect(),
        },
        name,
        ..Affected::default()
    };
    Ok(Advisory {
        id: text::id(head.id)?,
        aliases: text::names("`aliases`", head.aliases)?,
        upstream: Vec::new(),
        withdrawn: head.withdrawn.map(|day| text::name("`withdrawn`", day)).transpose()?,
        published: None,
        modified: head.date.map(|day| text::name("`date`", day)).transpose()?,
        summary: text::line(title),
        url: head.url.map(|url| text::name("`url`", url)).transpose()?,
        rating,
        informational: head.informational.map(|kind| text::name("`informational`", kind)).transpose()?,
        affected: vec![affected],
        source: String::new(),
    })
}

/// Rust's names and Go's, where they differ.
const SYSTEMS: [(&str, &str); 1] = [("macos", "darwin")];
const MACHINES: [(&str, &str); 3] = [("x86_64", "amd64"), ("x86", "386"), ("aarch64", "arm64")];

fn go_name(name: String, names: &[(&str, &str)]) -> String {
    names.iter().find(|(rust, _)| *rust == name).map_or(name, |(_, go)| (*go).to_owned())
}

/// Functions are named by their whole path; no program of Rust says which it has.
fn imports(package: &str, functions: BTreeMap<String, Vec<String>>) -> Result<Vec<Import>, String> {
    if functions.is_empty() {
        return Ok(Vec::new());
    }
    let symbols = text::names("`affected.functions`", Some(functions.into_keys().collect()))?;
    Ok(vec![Import { path: package.to_owned(), symbols, platforms: Platforms::default() }])
}

/// Versions from the first on, up to the second without it; `None` is the end of all.
type Interval = (Version, Option<Version>);

/// What the requirements leave open.
fn ranges(versions: &Versions) -> Result<Vec<Range>, String> {
    let mut safe = Vec::new();
    for text in versions.patched.iter().chain(versions.unaffected.iter().flatten()) {
        let requirement = VersionReq::parse(text.trim())
            .map_err(|error| format!("the requirement \"{}\" in `versions`: {error}", text.escape_default()))?;
        safe.extend(interval(&requirement));
    }
    safe.sort();
    let mut events = Vec::new();
    let mut from = Some(first());
    for (start, end) in safe {
        let Some(open) = &from else { break };
        if *open < start {
            events.extend([introduced(open), Event::Fixed(start.to_string())]);
        }
        if end.as_ref().is_none_or(|end| end > open) {
            from = end;
        }
    }
    events.extend(from.as_ref().map(introduced));
    // Without any event, no version is affected; without any range, all were.
    Ok(vec![Range { kind: RangeKind::Semver, events }])
}

fn introduced(at: &Version) -> Event {
    Event::Introduced(if *at == first() { "0".to_owned() } else { at.to_string() })
}

/// What a requirement holds; `None` if that is nothing.
fn interval(requirement: &VersionReq) -> Option<Interval> {
    let (mut start, mut end) = (first(), None);
    for comparator in &requirement.comparators {
        let (from, to) = bounds(comparator);
        start = start.max(from);
        end = match (end, to) {
            (Some(a), Some(b)) => Some(Version::min(a, b)),
            (a, b) => a.or(b),
        };
    }
    end.as_ref().is_none_or(|end| start < *end).then_some((start, end))
}

fn bounds(comparator: &Comparator) -> Interval {
    let Comparator { op, major, minor, patch, pre } = comparator;
    let exact = Version { pre: pre.clone(), ..release(*major, minor.unwrap_or(0), patch.unwrap_or(0)) };
    // Behind everything that begins with the numbers that stand there.
    let behind = match (minor, patch) {
        (Some(_), Some(_)) => after(&exact),
        (Some(minor), None) => before(*major, minor.saturating_add(1), 0),
        (None, _) => before(major.saturating_add(1), 0, 0),
    };
    let next_major = before(major.saturating_add(1), 0, 0);
    let next_minor = before(*major, minor.unwrap_or(0).saturating_add(1), 0);
    match op {
        Op::Greater => (behind, None),
        Op::GreaterEq => (exact, None),
        Op::Less => (first(), Some(exact)),
        Op::LessEq => (first(), Some(behind)),
        Op::Tilde if minor.is_some() => (exact, Some(next_minor)),
        Op::Tilde => (exact, Some(next_major)),
        Op::Caret => match (major, minor, patch) {
            (0, Some(0), Some(patch)) => (exact, Some(before(0, 0, patch.saturating_add(1)))),
            (0, Some(_), _) => (exact, Some(next_minor)),
            _ => (exact, Some(next_major)),
        },
        // `=1.2.3`, `1.2.*`, and whatever may come.
        _ => (exact, Some(behind)),
    }
}

fn release(major: u64, minor: u64, patch: u64) -> Version {
    Version::new(major, minor, patch)
}

/// The least version of all those that begin with these numbers: what lies before it lies before their pre-releases too.
fn before(major: u64, minor: u64, patch: u64) -> Version {
    Version { pre: Prerelease::new("0").unwrap_or(Prerelease::EMPTY), ..release(major, minor, patch) }
}

fn first() -> Version {
    before(0, 0, 0)
}

/// The least version that is newer than this one.
fn after(version: &Version) -> Version {
    let Version { major, minor, patch, pre, .. } = version;
    if pre.is_empty() {
        return before(*major, *minor, patch.saturating_add(1));
    }
    let pre = Prerelease::new(&format!("{pre}.0")).unwrap_or(Prerelease::EMPTY);
    Version { major: *major, minor: *minor, patch: *patch, pre, build: BuildMetadata::EMPTY }
}
