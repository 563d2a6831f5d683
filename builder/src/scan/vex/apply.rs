//! Exceptions laid over what was found.

use super::super::age::Today;
use super::super::found::{Exempt, Found, Outcome, Place};
use super::super::gate::Failure;
use super::super::package::Identity;
use super::super::report::Report;
use super::{Exception, Justification, Product};

/// The ecosystem that images and components have as products: `pkg:generic/NAME`.
const GENERIC: &str = "generic";

/// Notes at each place the first exception that holds there, and among the failures of the report each that must not stand.
pub fn apply(report: &mut Report, exceptions: &[Exception], today: Today) {
    for exception in exceptions {
        if !exception.is_for(report) {
            continue;
        }
        let expired = exception.expires < today;
        let (mut found_any, mut contradicted) = (false, None);
        let image = (report.image.clone(), report.image_version.clone());
        for found in &mut report.findings {
            if !exception.names.iter().any(|name| found.names.contains(name)) {
                continue;
            }
            let package = found.package.clone();
            let partial = exception.leaves_out(found);
            for place in &mut found.places {
                if !exception.products.iter().any(|product| product.holds((&image.0, &image.1), &package, place)) {
                    continue;
                }
                found_any = true;
                if let Some(reason) = exception.contradiction(place).or_else(|| partial.clone()) {
                    contradicted = contradicted.or(Some(reason));
                } else if !expired && place.exception.is_none() {
                    place.exception = Some(exception.exempt());
                }
            }
        }
        let fails = if expired {
            let next = "judge the finding again: write a new day, or take the statement out";
            Some((format!("expired on {}", exception.expires.date()), next))
        } else if let Some(reason) = contradicted {
            Some((reason, "look again, and give another reason or take the statement out"))
        } else {
            let next = "take the statement out: it would excuse what is found later";
            (!found_any).then(|| ("needless: nothing that was found is what it is about".to_owned(), next))
        };
        if let Some((reason, next)) = fails {
            report
                .failures
                .push(Failure { what: format!("exception {}: {reason}", exception.title()), next: next.into() });
        }
    }
}

impl Exception {
    /// Whether it is about anything in this image that was looked for: documents may be shared between images.
    fn is_for(&self, report: &Report) -> bool {
        self.products.iter().any(|Product { identity, subcomponents }| {
            let here = identity.ecosystem != GENERIC
                || identity.name == report.image
                || report.components.contains(&identity.name);
            // Who names no release of Debian means each.
            let is_of = |of: &String, named: &str| of == named || of.split(':').next() == Some(named);
            let looked_for = |package: &Identity| !report.not_looked_for.iter().any(|of| is_of(of, &package.ecosystem));
            here && match (subcomponents.is_empty(), identity.ecosystem == GENERIC) {
                // All that is in it.
                (true, true) => true,
                (true, false) => looked_for(identity),
                (false, _) => subcomponents.iter().any(looked_for),
            }
        })
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
