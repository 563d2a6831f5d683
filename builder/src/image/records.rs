//! What the root says of components, and of what else took part in the build.

use std::collections::BTreeMap;

use orlop_config::definition::{Component, Definition, Source};
use orlop_config::lockfile::{Input, Lockfile};

use super::inputs::Inputs;
use crate::sources::{Produced, own_lines, rust_release};
use crate::tree::{ComponentRecord, InputRecord, Records};

/// The toolchain that no lockfile names: the sources that are compiled by it do.
const RUST: &str = "toolchain.rust";

/// Toolchain, its version → the release of musl that it carries: `self-contained/libc.a` of Rust's target has it as
/// `__libc_version`, zig's `lib/libc/musl/src/internal/version.h` as `VERSION`. Of others it is not known.
const MUSL: &[(&str, &str, &str)] = &[("rust", "1.95.0", "1.2.5"), ("ziglang", "0.17.1", "1.2.5")];

/// Of what was produced, and of the lockfile's other inputs.
pub fn records(inputs: &Inputs, produced: &BTreeMap<String, Produced>) -> anyhow::Result<Records> {
    let (definition, lockfile) = (inputs.project.definition(), &inputs.lockfile);
    let component = |(name, produced): (&String, &Produced)| {
        let input = lockfile.inputs.get(name);
        let record = ComponentRecord {
            kind: input.map(|input| input.kind.clone()),
            name: input.map_or(String::new(), |input| input.name.clone()),
            version: produced.version.clone(),
            origin: produced.origin.clone(),
            sha256: produced.sha256.clone(),
        };
        (name.clone(), record)
    };
    let mut used = used(definition, lockfile);
    let own = users(definition, |source| matches!(source, Source::Workspace(_)));
    if !own.is_empty() {
        let release = rust_release()?;
        let record = InputRecord {
            kind: "rust-toolchain".into(),
            name: "rust".into(),
            origin: format!("Rust {release}"),
            version: release,
            sha256: String::new(),
            linked: false,
            used_by: own,
        };
        used.insert(RUST.into(), record);
    }
    used.extend(musl(&used));
    Ok(Records { components: produced.iter().map(component).collect(), inputs: used, lines: lines(definition)? })
}

/// How much source of our own each component has.
fn lines(definition: &Definition) -> anyhow::Result<BTreeMap<String, u64>> {
    let own = |(name, component): (&String, &Component)| match &component.source {
        Source::Workspace(source) => Some((name.clone(), source.package.clone())),
        _ => None,
    };
    let own: Vec<_> = definition.components.iter().filter_map(own).collect();
    if own.is_empty() {
        return Ok(BTreeMap::new());
    }
    let lines = own_lines()?;
    Ok(own.into_iter().filter_map(|(name, package)| Some((name, *lines.get(&package)?))).collect())
}

/// The lockfile's inputs that are no component's own.
fn used(definition: &Definition, lockfile: &Lockfile) -> BTreeMap<String, InputRecord> {
    let others = lockfile.inputs.iter().filter(|(name, _)| !definition.components.contains_key(*name));
    let record = |(name, input): (&String, &Input)| {
        let record = InputRecord {
            kind: input.kind.clone(),
            name: input.name.clone(),
            version: input.version.clone(),
            origin: input.origin.clone(),
            sha256: input.sha256.clone(),
            linked: name.starts_with("library."),
            used_by: users(definition, |source| uses(source, name)),
        };
        (name.clone(), record)
    };
    others.map(record).collect()
}

/// The libc that these toolchains carry and link in, under a name below theirs.
fn musl(inputs: &BTreeMap<String, InputRecord>) -> Vec<(String, InputRecord)> {
    let carried = |(name, input): (&String, &InputRecord)| {
        if !["toolchain.zig", RUST].contains(&name.as_str()) {
            return None;
        }
        let known = MUSL.iter().find(|row| (row.0, row.1) == (&*input.name, &*input.version));
        let record = InputRecord {
            kind: "carried".into(),
            name: "musl".into(),
            version: known.map_or("", |row| row.2).into(),
            origin: format!("{} {}", input.name, input.version),
            sha256: String::new(),
            linked: true,
            used_by: input.used_by.clone(),
        };
        Some((format!("{name}.musl"), record))
    };
    inputs.iter().filter_map(carried).collect()
}

/// Whether a component of this source is made with this input.
fn uses(source: &Source, input: &str) -> bool {
    let Source::Go(go) = source else { return false };
    match (input.strip_prefix("library."), &go.cgo) {
        (Some(library), Some(cgo)) => cgo.libraries.iter().any(|name| name == library),
        (None, cgo) => input == "toolchain.go" || (input == "toolchain.zig" && cgo.is_some()),
        (Some(_), None) => false,
    }
}

fn users(definition: &Definition, uses: impl Fn(&Source) -> bool) -> Vec<String> {
    let users = definition.components.iter().filter(|(_, component)| uses(&component.source));
    users.map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_input_says_what_it_was_used_for() {
        let inputs = Inputs::load(Path::new("orlop:standalone")).unwrap();
        let records = records(&inputs, &BTreeMap::new()).unwrap();
        let lines = |name: &str| records.lines.get(name).copied().unwrap_or_default();
        // PID 1 is small, and its tests are not counted.
        assert!((1000..20_000).contains(&lines("init")) && lines("pause") > 0, "{:?}", records.lines);
        assert!(!records.lines.contains_key("runc"), "{:?}", records.lines);
        let records = records.inputs;
        let used_by = |name: &str| records[name].used_by.join(" ");
        assert_eq!(used_by("toolchain.go"), "cni containerd containerd-shim kubelet runc");
        assert_eq!((used_by("toolchain.zig"), used_by("library.libseccomp")), ("runc".into(), "runc".into()));
        assert!(used_by("toolchain.rust").contains("init"), "{records:?}");
        assert!(records["library.libseccomp"].linked && !records["toolchain.zig"].linked);
        // Who changes a toolchain looks what musl comes with the new one.
        for name in ["toolchain.rust.musl", "toolchain.zig.musl"] {
            let musl = &records[name];
            assert!(musl.linked && !musl.used_by.is_empty() && !musl.version.is_empty(), "{name}: {musl:?}");
        }
        let tool = &records["tool.erofs-utils.libc6"];
        assert_eq!((tool.kind.as_str(), tool.used_by.len()), ("deb", 0));
        assert!(!records.contains_key("kernel"), "a component's own input");
    }
}
