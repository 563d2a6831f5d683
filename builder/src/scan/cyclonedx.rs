//! CycloneDX 1.6 (ECMA-424) with vulnerabilities and their analysis, as VEX: what is known to be wrong with which package,
//! and what was decided about it. What cannot be judged stands in the properties of its metadata.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::found::{Exempt, Found, Outcome};
use super::package::Identity;
use super::report::Report;
use super::vex::{Justification, Status};

const SCHEMA: &str = "http://cyclonedx.org/schema/bom-1.6.schema.json";

/// The document. Its serial number is made of its content, so that the same findings have the same.
pub fn document(report: &Report) -> Value {
    let packages: BTreeMap<String, &Identity> =
        report.findings.iter().map(|found| (reference(&found.package), &found.package)).collect();
    let components = packages.iter().map(|(reference, package)| component(reference, package));
    let unjudged = report.unjudged.iter().map(
        |unjudged| json!({"name": "orlop:scan:unjudged", "value": format!("{}: {}", unjudged.what, unjudged.reason)}),
    );
    let mut image = json!({"type": "operating-system", "bom-ref": "image", "name": report.image});
    if !report.image_version.is_empty() {
        image["version"] = report.image_version.as_str().into();
    }
    let mut document = json!({
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "orlop", "version": env!("CARGO_PKG_VERSION")}]},
            "component": image,
            "properties": unjudged.collect::<Vec<_>>(),
        },
        "components": components.collect::<Vec<_>>(),
        "vulnerabilities": report.findings.iter().map(vulnerability).collect::<Vec<_>>(),
    });
    document["serialNumber"] = serial(&document).into();
    document
}

fn serial(document: &Value) -> String {
    let digest = Sha256::new().chain_update("orlop-scan-v1\0").chain_update(document.to_string()).finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(half).into_uuid().urn().to_string()
}

/// What components and vulnerabilities name a package by.
fn reference(package: &Identity) -> String {
    let version = package.version.as_deref().unwrap_or_default();
    package.purl().unwrap_or_else(|| format!("{} {} {version}", package.ecosystem, package.name))
}

fn component(reference: &str, package: &Identity) -> Value {
    let mut component = json!({"type": "library", "bom-ref": reference, "name": package.name});
    if let Some(version) = &package.version {
        component["version"] = version.as_str().into();
    }
    if let Some(purl) = package.purl() {
        component["purl"] = purl.into();
    }
    component
}

fn vulnerability(found: &Found) -> Value {
    let mut entry = Map::new();
    entry.insert("id".into(), found.id.as_str().into());
    entry.insert("source".into(), source(&found.id, found.url.as_deref()));
    let others = found.names.iter().filter(|name| **name != found.id);
    let references: Vec<Value> = others.map(|name| json!({"id": name, "source": source(name, None)})).collect();
    if !references.is_empty() {
        entry.insert("references".into(), references.into());
    }
    entry.insert("ratings".into(), ratings(found).into());
    entry.insert("description".into(), found.summary.as_str().into());
    let mut next: Vec<&str> = found.places.iter().map(|place| &*place.next).collect();
    next.dedup();
    entry.insert("recommendation".into(), next.join("; ").into());
    let version = found.package.version.as_deref().unwrap_or("unknown");
    let status = match found.outcome {
        Outcome::Linked | Outcome::Affected => "affected",
        Outcome::Undecided => "unknown",
        Outcome::NotLinked | Outcome::OtherPlatform | Outcome::Patched => "unaffected",
    };
    let affects = json!([{"ref": reference(&found.package), "versions": [{"version": version, "status": status}]}]);
    entry.insert("affects".into(), affects);
    entry.insert("analysis".into(), analysis(found));
    Value::Object(entry)
}

/// The database by the name's first part: `CVE`, `GHSA`, `GO`.
fn source(name: &str, url: Option<&str>) -> Value {
    let database = name.split('-').next().unwrap_or_default();
    match url {
        Some(url) => json!({"name": database, "url": url}),
        None => json!({"name": database}),
    }
}

fn ratings(found: &Found) -> Vec<Value> {
    let mut ratings = vec![json!({"severity": found.severity.word(), "method": "other"})];
    if let Some(score) = found.score {
        ratings[0]["score"] = score.into();
    }
    ratings.extend(found.vectors.iter().filter_map(|vector| {
        let method = match vector.split('/').next()? {
            "CVSS:4.0" => "CVSSv4",
            "CVSS:3.1" => "CVSSv31",
            "CVSS:3.0" => "CVSSv3",
            first if first.trim_start_matches('(').starts_with("AV:") => "CVSSv2",
            _ => return None,
        };
        Some(json!({"method": method, "vector": vector}))
    }));
    ratings
}

/// What was decided: by an exception that holds at every place that counts, or by what the scan itself knows.
fn analysis(found: &Found) -> Value {
    let places = found.places.iter().map(|place| {
        let at = if place.path.is_empty() { &place.by.component } else { &place.path };
        match (&place.reason, place.outcome) {
            (Some(reason), Outcome::Patched) => format!("{at}: {reason}"),
            _ => format!("{at}: {}", place.outcome.word()),
        }
    });
    let seen = places.collect::<Vec<_>>().join(", ");
    // Of several places the gravest decision: who reads this filters by it.
    let decisions = found.places.iter().filter(|place| place.outcome.counts());
    let exempt = decisions.filter_map(|place| place.exception.as_ref()).max_by_key(|exempt| weight(exempt.status));
    let exempt = exempt.filter(|_| found.is_exempt());
    if let Some(exempt) = exempt {
        return decided(exempt, &seen);
    }
    match found.outcome {
        Outcome::NotLinked => json!({"state": "not_affected", "justification": "code_not_present", "detail": seen}),
        Outcome::OtherPlatform => {
            json!({"state": "not_affected", "justification": "requires_environment", "detail": seen})
        }
        Outcome::Patched => json!({"state": "resolved", "detail": seen}),
        _ => json!({"state": "in_triage", "detail": seen}),
    }
}

fn weight(status: Status) -> u8 {
    match status {
        Status::NotAffected => 0,
        Status::Fixed => 1,
        Status::UnderInvestigation => 2,
        Status::Affected => 3,
    }
}

fn decided(exempt: &Exempt, seen: &str) -> Value {
    let Exempt { status, justification, expires, notes, .. } = exempt;
    let why = justification.map_or(status.word(), |why| why.word());
    let detail = format!("{why}, until {expires}: {notes} ({seen})");
    let state = match status {
        Status::NotAffected => "not_affected",
        Status::Affected => "exploitable",
        Status::Fixed => "resolved",
        Status::UnderInvestigation => "in_triage",
    };
    let mut analysis = json!({"state": state, "detail": detail});
    if let (Status::NotAffected, Some(justification)) = (status, justification) {
        analysis["justification"] = match justification {
            Justification::ComponentNotPresent | Justification::VulnerableCodeNotPresent => "code_not_present",
            Justification::VulnerableCodeNotInExecutePath => "code_not_reachable",
            Justification::VulnerableCodeCannotBeControlledByAdversary => "requires_environment",
            Justification::InlineMitigationsAlreadyExist => "protected_by_mitigating_control",
        }
        .into();
    }
    analysis
}
