//! OSV documents (<https://ossf.github.io/osv-schema/>, schema 1 up to 1.7). What the schema allows beyond what is read
//! here is passed over, `null` is what is not there.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::advisory::{Advisory, Affected, Event, Import, Platforms, Range, RangeKind};
use super::severity::{Rating, Severity};
use super::text;

#[derive(Deserialize)]
struct Document {
    schema_version: Option<String>,
    id: String,
    modified: Option<String>,
    published: Option<String>,
    withdrawn: Option<String>,
    aliases: Option<Vec<String>>,
    /// Schema 1.7: the flaws that a distributor's document is about. Debian's own for a CVE names that one here.
    upstream: Option<Vec<String>>,
    summary: Option<String>,
    details: Option<String>,
    severity: Option<Vec<SeverityEntry>>,
    affected: Option<Vec<AffectedEntry>>,
    references: Option<Vec<Reference>>,
    database_specific: Option<Specific>,
}

#[derive(Deserialize)]
struct SeverityEntry {
    score: String,
}

#[derive(Deserialize)]
struct AffectedEntry {
    package: Option<Package>,
    severity: Option<Vec<SeverityEntry>>,
    ranges: Option<Vec<RangeEntry>>,
    versions: Option<Vec<String>>,
    ecosystem_specific: Option<Specific>,
    database_specific: Option<Specific>,
}

#[derive(Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
    purl: Option<String>,
}

#[derive(Deserialize)]
struct RangeEntry {
    #[serde(rename = "type")]
    kind: String,
    events: Vec<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Reference {
    url: String,
}

/// What a database adds. Nothing of it is promised: what has another shape than is known says nothing.
#[derive(Deserialize, Default)]
struct Specific {
    url: Option<Value>,
    severity: Option<Value>,
    /// Debian.
    urgency: Option<Value>,
    /// RustSec.
    informational: Option<Value>,
    /// Go. A list whose entries have another shape is an error: functions would be missed.
    imports: Option<Vec<ImportEntry>>,
    custom_ranges: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct ImportEntry {
    path: String,
    symbols: Option<Vec<String>>,
    goos: Option<Vec<String>>,
    goarch: Option<Vec<String>>,
}

/// Reads a document; an error says what is wrong with it, with line and column or the value.
pub(super) fn parse(json: &str) -> Result<Advisory, String> {
    let document: Document = serde_json::from_str(json).map_err(|error| format!("no OSV document: {error}"))?;
    let schema = document.schema_version.as_deref().unwrap_or("1.0.0");
    if schema.split('.').next() != Some("1") {
        return Err(format!("schema {}, and only 1 is known", crate::text::shown(schema)));
    }
    let specific = document.database_specific.unwrap_or_default();
    let mut aliases = text::names("`aliases`", document.aliases)?;
    let upstream = text::names("`upstream`", document.upstream)?;
    if let [only] = &upstream[..] {
        // Several would become one flaw by it.
        aliases.push(only.clone());
    }
    let mut rating = rating(document.severity);
    if rating.severity == Severity::Unknown {
        rating.severity = word(specific.severity);
    }
    let summary = document.summary.filter(|summary| !summary.trim().is_empty()).or(document.details);
    let first = document.references.unwrap_or_default().into_iter().next().map(|reference| reference.url);
    let url = specific.url.as_ref().and_then(Value::as_str).map(str::to_owned).or(first);
    let entries = document.affected.unwrap_or_default();
    let informational = informational(&entries);
    let affected = entries.into_iter().filter_map(affected);
    Ok(Advisory {
        id: text::id(document.id)?,
        aliases,
        upstream,
        withdrawn: document.withdrawn.map(|time| text::name("`withdrawn`", time)).transpose()?,
        modified: document.modified.map(|time| text::name("`modified`", time)).transpose()?,
        published: document.published.map(|time| text::name("`published`", time)).transpose()?,
        summary: text::line(&summary.unwrap_or_default()),
        url: url.map(|url| text::name("`url`", url)).transpose()?,
        rating,
        informational: informational.map(|kind| text::name("`informational`", kind)).transpose()?,
        affected: affected.collect::<Result<_, _>>()?,
        source: String::new(),
    })
}

/// `None` for what names no package: commits of a repository.
fn affected(entry: AffectedEntry) -> Option<Result<Affected, String>> {
    let AffectedEntry { package, severity, ranges, versions, ecosystem_specific, database_specific } = entry;
    let package = package?;
    let (specific, database) = (ecosystem_specific.unwrap_or_default(), database_specific.unwrap_or_default());
    let severity =
        rating(severity).severity.max(word(specific.severity)).max(word(specific.urgency)).max(word(database.severity));
    // Where a document says neither, it says it of all versions; a document with an unreadable part is no such.
    let make = || {
        Ok(Affected {
            ecosystem: text::name("`package.ecosystem`", package.ecosystem)?,
            name: text::name("`package.name`", package.name)?,
            purl: package.purl.map(|purl| text::name("`package.purl`", purl)).transpose()?,
            versions: text::names("`versions`", versions)?,
            ranges: ranges.unwrap_or_default().into_iter().map(range).collect::<Result<_, _>>()?,
            imports: specific.imports.unwrap_or_default().into_iter().map(import).collect::<Result<_, _>>()?,
            platforms: Platforms::default(),
            severity: (severity != Severity::Unknown).then_some(severity),
            other_scheme: specific.custom_ranges.is_some(),
        })
    };
    Some(make())
}

fn range(entry: RangeEntry) -> Result<Range, String> {
    let kind = match entry.kind.as_str() {
        "SEMVER" => RangeKind::Semver,
        "ECOSYSTEM" => RangeKind::Ecosystem,
        "GIT" => RangeKind::Git,
        _ => RangeKind::Unknown(text::name("`ranges[].type`", entry.kind)?),
    };
    let mut events = Vec::new();
    for event in entry.events {
        for (key, value) in event {
            let value = text::name("`ranges[].events`", value)?;
            events.push(match key.as_str() {
                "introduced" => Event::Introduced(value),
                "fixed" => Event::Fixed(value),
                "last_affected" => Event::LastAffected(value),
                "limit" => Event::Limit(value),
                // Passed over, it might turn what is affected into what is not.
                _ => return Err(format!("an event of the unknown kind \"{}\" in `ranges`", key.escape_default())),
            });
        }
    }
    Ok(Range { kind, events })
}

fn import(entry: ImportEntry) -> Result<Import, String> {
    Ok(Import {
        path: text::name("`imports[].path`", entry.path)?,
        symbols: text::names("`imports[].symbols`", entry.symbols)?,
        platforms: Platforms {
            systems: text::names("`imports[].goos`", entry.goos)?,
            architectures: text::names("`imports[].goarch`", entry.goarch)?,
        },
    })
}

fn rating(entries: Option<Vec<SeverityEntry>>) -> Rating {
    let mut rating = Rating::default();
    entries.unwrap_or_default().iter().for_each(|entry| rating.add(&text::line(&entry.score)));
    rating
}

/// What RustSec's own documents call `informational`, in its export to OSV: of each of its crates.
fn informational(entries: &[AffectedEntry]) -> Option<String> {
    let word = |entry: &AffectedEntry| {
        let of_a_crate = entry.package.as_ref().is_some_and(|package| package.ecosystem == "crates.io");
        let specific = entry.database_specific.as_ref().filter(|_| of_a_crate)?;
        specific.informational.as_ref()?.as_str().map(str::to_owned)
    };
    let first = word(entries.first()?)?;
    entries.iter().all(|entry| word(entry).as_ref() == Some(&first)).then_some(first)
}

fn word(value: Option<Value>) -> Severity {
    value.as_ref().and_then(Value::as_str).map(Severity::of_word).unwrap_or_default()
}
