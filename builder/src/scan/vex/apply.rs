//! Exceptions laid over what was found.

use std::collections::BTreeSet;

use orlop_config::definition::Gates;

use super::super::age::Today;
use super::super::found::{Exempt, Found, Outcome, Place};
use super::super::gate::{Failure, may_fail};
use super::super::package::Identity;
use super::super::report::Report;
use super::{Exception, Justification, PassedOver, Product};

/// The ecosystem that images and components have as products: `pkg:generic/NAME`.
const GENERIC: &str = "generic";

/// Notes at each place the first exception that holds there; among the failures of the report each that must not stand, and
/// among what is passed over each that is about nothing here. What the gates pass by themselves needs no exception.
pub fn apply(report: &mut Report, exceptions: &[Exception], gates: &Gates, today: Today) {
    for exception in exceptions {
        if let Some(reason) = exception.is_elsewhere(report) {
            let what = format!("exception {}", exception.title());
            report.passed_over.push(PassedOver { what, reason });
            continue;
        }
        let expired = exception.expires < today;
        let seen = exception.lay_over(report, gates, expired);
        let fails = if expired {
            let next = "judge the finding again: write a new day, or take the statement out";
            Some((format!("expired on {}", exception.expires.date()), next))
        } else if let Some(reason) = seen.contradicted {
            Some((reason, "look again, and give another reason or take the statement out"))
        } else if !seen.needed {
            let why = seen.passes.map_or_else(
                || "nothing that was found is what it is about".to_owned(),
                |outcome| format!("what it is about is {}, and the gates pass that", outcome.word()),
            );
            Some((format!("needless: {why}"), "take the statement out: it would excuse what is found later"))
        } else {
            None
        };
        if let Some((reason, next)) = fails {
            let what = format!("exception {}: {reason}", exception.title());
            report.failures.push(Failure { what, next: next.into() });
        }
    }
}

/// What an exception met.
#[derive(Default)]
struct Seen {
    /// It is about something that the gates may fail.
    needed: bool,
    /// The worst of what it is about and the gates pass.
    passes: Option<Outcome>,
    /// What the program says against it.
    contradicted: Option<String>,
}

impl Exception {
    /// Why it is about nothing in this image that was looked for; `None` where it is about something. Documents may be shared
    /// between images.
    fn is_elsewhere(&self, report: &Report) -> Option<String> {
        let here: Vec<&Product> = self.products.iter().filter(|product| product.is_here(report)).collect();
        if here.is_empty() {
            let named: Vec<&str> = self.products.iter().map(|product| &*product.identity.name).collect();
            let named = named.join(", ");
            return Some(format!("neither the image nor a component that brought packages is called {named}"));
        }
        if here.iter().any(|product| product.was_looked_for(report)) {
            return None;
        }
        let packages = here.iter().flat_map(|product| product.packages());
        let ecosystems: BTreeSet<&str> = packages.map(|package| &*package.ecosystem).collect();
        let ecosystems = ecosystems.into_iter().collect::<Vec<_>>().join(", ");
        Some(format!("no package of {ecosystems} was looked up, so whether it is needed is not known"))
    }

    /// Notes it where it holds.
    fn lay_over(&self, report: &mut Report, gates: &Gates, expired: bool) -> Seen {
        let mut seen = Seen::default();
        let image = (report.image.clone(), report.image_version.clone());
        for found in &mut report.findings {
            if !self.names.iter().any(|name| found.names.contains(name)) {
                continue;
            }
            let package = found.package.clone();
            let partial = self.leaves_out(found);
            for place in &mut found.places {
                if !self.products.iter().any(|product| product.holds((&image.0, &image.1), &package, place)) {
                    continue;
                }
                if may_fail(place, gates) {
                    seen.needed = true;
                } else {
                    seen.passes = seen.passes.max(Some(place.outcome));
                }
                if let Some(reason) = self.contradiction(place).or_else(|| partial.clone()) {
                    seen.contradicted = seen.contradicted.or(Some(reason));
                } else if !expired && place.exception.is_none() {
                    place.exception = Some(self.exempt());
                }
            }
        }
        seen
    }

    /// What the program itself says against it.
    fn contradiction(&self, place: &Place) -> Option<String> {
        match self.justification? {
            Justification::ComponentNotPresent => {
                Some(format!("it says that the package is not there, and it is in {}", place.path))
            }
            Justification::VulnerableCodeNotPresent if place.outcome == Outcome::Linked => {
                Some(format!("it says that the faulty code is not there, and it is in {}", place.path))
            }
            _ => None,
        }
    }

    /// What is said of a finding that is several flaws by CVE's count, and not all of them are named: who judged one has not
    /// judged the others.
    fn leaves_out(&self, found: &Found) -> Option<String> {
        let flaws: Vec<_> = found.names.iter().filter(|name| name.starts_with("CVE-")).collect();
        let others: Vec<_> =
            flaws.iter().filter(|name| !self.names.contains(**name)).map(|name| name.as_str()).collect();
        // By the name of the advisory as a whole it means all of it.
        let whole = others.len() == flaws.len();
        (!whole && !others.is_empty()).then(|| format!("the finding is also {}: name those too", others.join(", ")))
    }

    fn exempt(&self) -> Exempt {
        Exempt {
            document: self.document.clone(),
            statement: self.number,
            status: self.status,
            justification: self.justification,
            expires: self.expires.date(),
            notes: self.notes.clone(),
        }
    }

    fn title(&self) -> String {
        let first = self.names.first().map_or("", String::as_str);
        format!("{}, statement {} ({first}, {})", self.document, self.number, self.status.word())
    }
}

impl Product {
    /// Whether it is a package, or the image or a component of it by that name.
    fn is_here(&self, report: &Report) -> bool {
        let Identity { ecosystem, name, .. } = &self.identity;
        ecosystem != GENERIC || *name == report.image || report.components.contains(name)
    }

    /// The packages that it is about; none are named where it is all that is in an image or a component.
    fn packages(&self) -> &[Identity] {
        match (self.subcomponents.is_empty(), self.identity.ecosystem == GENERIC) {
            (true, false) => std::slice::from_ref(&self.identity),
            _ => &self.subcomponents,
        }
    }

    /// Whether any of its packages was looked up. Who names no release of Debian means each.
    fn was_looked_for(&self, report: &Report) -> bool {
        let is_of = |of: &String, named: &str| of == named || of.split(':').next() == Some(named);
        let looked_for = |package: &Identity| !report.not_looked_for.iter().any(|of| is_of(of, &package.ecosystem));
        let packages = self.packages();
        packages.is_empty() || packages.iter().any(looked_for)
    }

    /// Whether this place of a package is what is meant.
    fn holds(&self, image: (&str, &str), package: &Identity, place: &Place) -> bool {
        let Product { identity, subcomponents } = self;
        if identity.ecosystem != GENERIC {
            return subcomponents.is_empty() && is_same(identity, package);
        }
        let named = |(name, version): (&str, &str)| {
            identity.name == name && identity.version.as_deref().is_none_or(|wanted| wanted == version)
        };
        (named(image) || named((&place.by.component, &place.by.version)))
            && (subcomponents.is_empty() || subcomponents.iter().any(|inner| is_same(inner, package)))
    }
}

/// Whether a package is the one that a statement names: in every version, where it names none; of every release of
/// Debian, where it names none.
fn is_same(named: &Identity, package: &Identity) -> bool {
    let ecosystem = named.ecosystem == package.ecosystem
        || package.ecosystem.split(':').next().is_some_and(|all| named.ecosystem == all);
    let plain = |version: &str| version.strip_prefix('v').unwrap_or(version).to_owned();
    let version = match (&named.version, &package.version) {
        (None, _) => true,
        (Some(named), Some(version)) => plain(named) == plain(version),
        (Some(_), None) => false,
    };
    ecosystem && version && named.name.eq_ignore_ascii_case(&package.name)
}

impl Found {
    /// Whether an exception holds at each place that counts.
    pub fn is_exempt(&self) -> bool {
        self.places.iter().all(|place| place.exception.is_some() || !place.outcome.counts())
    }
}
