//! A provenance for people.

use super::statement::{Provenance, Resource, Statement};
use crate::text::printable;

/// The statement as text. `signers` is what its envelope says of its signatures, which nobody has verified here.
pub fn text(statement: &Statement<Provenance>, signers: &str) -> String {
    let Provenance { build_definition: definition, run_details: run } = &statement.predicate;
    let parameters = &definition.external_parameters;
    let internal = &definition.internal_parameters;
    let versions: Vec<String> = run.builder.version.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let mut lines = vec![
        format!("{} {}", parameters.definition.name, parameters.definition.version),
        format!("built by      {} ({})", versions.join(", "), run.builder.id),
        format!("signed by     {signers} (not verified here: `orlop verify --provenance` does)"),
        format!("definition    sha256 {}", parameters.definition.sha256),
    ];
    lines.extend(
        parameters.definition.files.iter().map(|file| format!("              {} {}", file.name, digests(file))),
    );
    lines.push(format!("lockfile      sha256 {}", parameters.lockfile_sha256));
    lines.push(format!("epoch         {}", parameters.source_date_epoch));
    lines.extend(parameters.release_keys.iter().map(|key| format!("release key   {key}")));
    lines.extend(parameters.certificates.iter().map(|sha256| format!("certificate   sha256 {sha256}")));
    let (target, profile) = (&internal.rust_target, &internal.rust_profile);
    lines.push(format!("compiled for  {}, {target} ({profile})", internal.architecture));
    for (title, resources) in [("subjects", &statement.subject), ("inputs", &definition.resolved_dependencies)] {
        lines.push(String::new());
        lines.push(format!("{title} ({})", resources.len()));
        lines.extend(rows(resources));
    }
    // Names are those of whoever wrote the file: none of them breaks a line or moves a cursor.
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

fn rows(resources: &[Resource]) -> impl Iterator<Item = String> {
    let width = resources.iter().map(|resource| resource.name.chars().count()).max().unwrap_or(0).min(40);
    resources.iter().map(move |resource| {
        let known_as = resource.uri.as_deref().unwrap_or(&resource.annotations.origin);
        let row = [known_as, &digests(resource)].join("  ");
        format!("  {:<width$}  {}", resource.name, row.trim())
    })
}

fn digests(resource: &Resource) -> String {
    let digests = resource.digest.iter().map(|(algorithm, digest)| format!("{algorithm} {digest}"));
    digests.collect::<Vec<_>>().join(", ")
}
