//! Whether a statement is a provenance of ours, and about the image of a release manifest.

use orlop_config::manifest::ReleaseManifest;
use serde::Deserialize;
use serde_json::Value;

use super::facts::subject;
use super::statement::{Provenance, Resource, Statement};
use super::{BUILD_TYPE, BUILDER_ID, PREDICATE_TYPE, STATEMENT_TYPE};

/// Why a statement is not the provenance of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProvenanceError {
    /// Not JSON, or without the fields of a statement or of a provenance.
    #[error("not a provenance that this `orlop` reads: {0}")]
    Text(String),
    /// Of another kind.
    #[error("its {field} is `{found}`, not `{expected}`: it is no provenance of an image of Orlop")]
    Type {
        /// The field.
        field: &'static str,
        /// Its value, shortened.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// It does not say anything of a part.
    #[error("it has no subject `{name}`: it is another image's; take the provenance that this image's build wrote")]
    NoSubject {
        /// The part.
        name: String,
    },
    /// It is about another part of that name.
    #[error(
        "its subject `{name}` has {algorithm} `{found}`, the image's has `{expected}`: it is another build's; take the provenance that this image's build wrote"
    )]
    Subject {
        /// The part.
        name: String,
        /// Which digest.
        algorithm: String,
        /// What the statement says, shortened.
        found: String,
        /// What the image has.
        expected: String,
    },
    /// It says something else of the build than the release manifest.
    #[error("its {field} is `{found}`, the release manifest has `{expected}`: it speaks of another build")]
    Parameter {
        /// The parameter.
        field: &'static str,
        /// What the statement says, shortened.
        found: String,
        /// What the release manifest says.
        expected: String,
    },
}

/// Reads a statement. Its types are looked at first, so that one of another kind is called so.
pub fn parse(payload: &[u8]) -> Result<Statement<Provenance>, ProvenanceError> {
    /// The field by which a predicate is read.
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "buildDefinition")]
        definition: BuildType,
    }
    #[derive(Deserialize)]
    struct BuildType {
        #[serde(rename = "buildType")]
        build_type: String,
    }
    let text = |error: serde_json::Error| ProvenanceError::Text(error.to_string());
    let statement: Statement<Value> = serde_json::from_slice(payload).map_err(text)?;
    must_be("_type", &statement.kind, STATEMENT_TYPE)?;
    must_be("predicateType", &statement.predicate_type, PREDICATE_TYPE)?;
    let kind = Kind::deserialize(&statement.predicate).map_err(text)?;
    must_be("buildType", &kind.definition.build_type, BUILD_TYPE)?;
    // From the bytes again: only so a field that stands twice is an error.
    serde_json::from_slice(payload).map_err(text)
}

fn must_be(field: &'static str, found: &str, expected: &'static str) -> Result<(), ProvenanceError> {
    if found != expected {
        return Err(ProvenanceError::Type { field, found: short(found), expected });
    }
    Ok(())
}

/// Reads a statement, and holds it against the release manifest, which somebody else has to hold against the image. Subjects
/// that it has beside the image's do not count.
pub fn check(
    payload: &[u8],
    release_manifest: &[u8],
    release: &ReleaseManifest,
) -> Result<Statement<Provenance>, ProvenanceError> {
    let statement = parse(payload)?;
    must_be("builder.id", &statement.predicate.run_details.builder.id, BUILDER_ID)?;
    for expected in subject(release_manifest, release) {
        has_subject(&statement.subject, &expected)?;
    }
    let definition = &statement.predicate.build_definition;
    let (parameters, build) = (&definition.external_parameters, &release.build);
    let orlop = statement.predicate.run_details.builder.version.get("orlop").map_or("", String::as_str);
    let epoch = (parameters.source_date_epoch.to_string(), build.epoch.to_string());
    let rows: [(&'static str, &str, &str); 7] = [
        ("definition.name", &parameters.definition.name, &release.image),
        ("definition.version", &parameters.definition.version, &release.image_version),
        ("definition.sha256", &parameters.definition.sha256, &build.definition_sha256),
        ("lockfileSha256", &parameters.lockfile_sha256, &build.lockfile_sha256),
        ("sourceDateEpoch", &epoch.0, &epoch.1),
        ("architecture", &definition.internal_parameters.architecture, &release.architecture),
        ("builder.version.orlop", orlop, &build.orlop),
    ];
    let different = rows.into_iter().find(|(_, found, expected)| found != expected);
    if let Some((field, found, expected)) = different {
        return Err(ProvenanceError::Parameter { field, found: short(found), expected: expected.into() });
    }
    Ok(statement)
}

/// Whether a part is among the subjects, and by no other digest.
fn has_subject(subjects: &[Resource], expected: &Resource) -> Result<(), ProvenanceError> {
    let name = &expected.name;
    let mut found = subjects.iter().filter(|subject| subject.name == *name).peekable();
    if found.peek().is_none() {
        return Err(ProvenanceError::NoSubject { name: name.clone() });
    }
    for subject in found {
        for (algorithm, digest) in &expected.digest {
            let stated = subject.digest.get(algorithm).map_or("", String::as_str);
            if stated != digest {
                let (name, algorithm) = (name.clone(), algorithm.clone());
                let (found, expected) = (short(stated), digest.clone());
                return Err(ProvenanceError::Subject { name, algorithm, found, expected });
            }
        }
    }
    Ok(())
}

/// A value of theirs, fit for an error.
fn short(value: &str) -> String {
    value.chars().take(80).collect::<String>().escape_default().to_string()
}
