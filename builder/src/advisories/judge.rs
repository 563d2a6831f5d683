//! Whether a version is affected: the evaluation that OSV's schema defines (§ "Evaluation").

use std::cmp::Ordering;

use super::advisory::{Affected, Event, Range, RangeKind};
use super::order::{Order, Version};

/// Whether a version is affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is not.
    Unaffected,
    /// It is.
    Affected {
        /// The versions that are not any more, for each range the first; empty where none is known.
        fixed: Vec<String>,
    },
    /// Nobody can say from this document.
    Undecided {
        /// Why.
        reason: String,
    },
}

/// Whether a version of a package is affected.
///
/// One range that holds the version is enough; a range that cannot be judged leaves the question open, unless another
/// holds the version. Commits are not judged, and left aside where the document has versions beside them.
pub fn judge(affected: &Affected, version: Option<&str>) -> Verdict {
    if affected.versions.is_empty() && affected.ranges.is_empty() {
        // Said of the package without versions, it is said of all of them.
        return Verdict::Affected { fixed: Vec::new() };
    }
    let Some(version) = version else {
        return Verdict::Undecided { reason: "the package's version is not known".into() };
    };
    let listed = affected.versions.iter().any(|listed| same(listed, version));
    let (mut hit, mut fixed, mut open) = (listed, Vec::new(), None);
    let comparable = |range: &&Range| range.kind != RangeKind::Git;
    for range in affected.ranges.iter().filter(comparable) {
        match in_range(range, &affected.ecosystem, version) {
            Ok(None) => {}
            Ok(Some(fix)) => {
                hit = true;
                fixed.extend(fix);
            }
            Err(reason) => open = Some(reason),
        }
    }
    if hit {
        return Verdict::Affected { fixed };
    }
    if affected.versions.is_empty() && !affected.ranges.iter().any(|range| range.kind != RangeKind::Git) {
        open = Some("the advisory names commits only".into());
    }
    open.map_or(Verdict::Unaffected, |reason| Verdict::Undecided { reason })
}

/// Whether two texts are one version, in a list that has every version by its name.
fn same(listed: &str, version: &str) -> bool {
    listed.strip_prefix('v').unwrap_or(listed) == version.strip_prefix('v').unwrap_or(version)
}

/// Whether a range holds a version, and which version is the next that is fixed.
fn in_range(range: &Range, ecosystem: &str, version: &str) -> Result<Option<Option<String>>, String> {
    let order = match &range.kind {
        RangeKind::Semver => Order::Semantic,
        RangeKind::Ecosystem => {
            Order::of(ecosystem).ok_or_else(|| format!("versions of the ecosystem {ecosystem:?} cannot be compared"))?
        }
        RangeKind::Git => return Ok(None),
        RangeKind::Unknown(kind) => return Err(format!("the advisory has a range of the unknown type {kind:?}")),
    };
    let parse = |text: &str| order.version(text).ok_or_else(|| format!("{text:?} is no version of {ecosystem}"));
    let version = parse(version)?;
    let mut edges = Vec::new();
    let mut limits = Vec::new();
    for event in &range.events {
        match event {
            Event::Limit(limit) if limit == "*" => limits.push(None),
            Event::Limit(limit) => limits.push(Some(parse(limit)?)),
            Event::Introduced(from) if from == "0" => edges.push(Edge { at: None, event }),
            Event::Introduced(at) | Event::Fixed(at) | Event::LastAffected(at) => {
                edges.push(Edge { at: Some(parse(at)?), event });
            }
        }
    }
    let before =
        |limit: &Option<Version>| limit.as_ref().is_none_or(|limit| version.compare(limit) == Some(Ordering::Less));
    if !limits.is_empty() && !limits.iter().any(before) {
        return Ok(None);
    }
    edges.sort_by(Edge::compare);
    let passed = edges.iter().rfind(|edge| edge.is_passed_by(&version));
    if !passed.is_some_and(|edge| matches!(edge.event, Event::Introduced(_))) {
        return Ok(None);
    }
    let next = edges.iter().find_map(|edge| match edge.event {
        Event::Fixed(fixed) if !edge.is_passed_by(&version) => Some(fixed.clone()),
        _ => None,
    });
    Ok(Some(next))
}

/// An event at its place.
struct Edge<'a> {
    /// `None` is before all versions.
    at: Option<Version>,
    event: &'a Event,
}

impl Edge<'_> {
    fn compare(&self, other: &Edge<'_>) -> Ordering {
        let place = match (&self.at, &other.at) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => a.compare(b).unwrap_or(Ordering::Equal),
        };
        // What is fixed and introduced at one place is affected there; the last affected version is affected.
        let rank = |edge: &Edge<'_>| match edge.event {
            Event::Fixed(_) => 0,
            Event::Introduced(_) => 1,
            Event::LastAffected(_) | Event::Limit(_) => 2,
        };
        place.then(rank(self).cmp(&rank(other)))
    }

    fn is_passed_by(&self, version: &Version) -> bool {
        let Some(at) = &self.at else { return true };
        match (version.compare(at), self.event) {
            (Some(Ordering::Greater), _) => true,
            (Some(Ordering::Equal), event) => !matches!(event, Event::LastAffected(_)),
            _ => false,
        }
    }
}
