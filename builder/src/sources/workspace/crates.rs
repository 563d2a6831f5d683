//! Which crates a program was built from, out of what cargo says of the build, for the section that `cargo auditable` would
//! leave in it.
//!
//! `cargo auditable` itself stands between cargo and rustc and hands the linker an object file. Here the finished program gets
//! the section: no tool more that would have to be pinned, nothing that the linker could drop, and a crate that is compiled for
//! two programs is compiled once.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::formats::auditable::{Crate, Crates, Kind, LOCAL};

/// A crate by name and version: of one name and version from two places there is none here.
type Id = (String, String);

/// What a line of cargo's says, as far as it is about a crate.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<String>,
}

/// `Cargo.lock`, as far as it is needed.
#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// The crates of one package's build, sorted. `messages` are cargo's, `lock` is the workspace's `Cargo.lock`; what was compiled for
/// `target` is in the program, all else took part in the build.
pub fn crates(messages: &str, lock: &str, (package, target): (&str, &str)) -> Result<Crates, String> {
    let mut found: BTreeMap<Id, (String, Kind)> = BTreeMap::new();
    let folder = format!("/{target}/");
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()) {
        if message.reason != "compiler-artifact" {
            continue;
        }
        let (id, source) = parse(&message.package_id)
            .ok_or_else(|| format!("cargo's package id `{}` is of no known form", message.package_id))?;
        let in_program = message.filenames.iter().any(|file| file.contains(&folder));
        let row = found.entry(id).or_insert((source, Kind::Build));
        if in_program {
            row.1 = Kind::Runtime;
        }
    }
    let lock: Lock = toml::from_str(lock).map_err(|error| format!("Cargo.lock: {error}"))?;
    let places: BTreeMap<&Id, usize> = found.keys().zip(0..).collect();
    let packages = found.iter().map(|((name, version), (source, kind))| Crate {
        name: name.clone(),
        version: version.clone(),
        source: source.clone(),
        kind: *kind,
        dependencies: lock.uses(name, version, &places),
        root: name == package,
    });
    let crates = Crates { packages: packages.collect() };
    match crates.packages.iter().filter(|one| one.root).count() {
        1 => Ok(crates),
        count => Err(format!("cargo built `{package}` {count} times, by its own words")),
    }
}

/// `registry+URL#serde@1.0.0`, `path+file:///src/init#orlop-init@0.1.0`, `path+file:///src/pause#0.1.0` where folder and
/// name are equal.
fn parse(id: &str) -> Option<(Id, String)> {
    let (place, tail) = id.rsplit_once('#')?;
    let (name, version) = match tail.split_once('@') {
        Some((name, version)) => (name, version),
        None => (place.rsplit('/').next()?, tail),
    };
    let source = match place.split_once('+')? {
        ("path", _) => LOCAL,
        ("git", _) => "git",
        ("registry" | "sparse", url) if url.contains("crates.io") => "crates.io",
        _ => "registry",
    };
    Some(((name.into(), version.into()), source.into()))
}

impl Lock {
    /// The places of the crates that this one uses, of those that were built.
    fn uses(&self, name: &str, version: &str, places: &BTreeMap<&Id, usize>) -> Vec<usize> {
        let Some(locked) = self.package.iter().find(|one| one.name == name && one.version == version) else {
            return Vec::new();
        };
        let uses = locked.dependencies.iter().filter_map(|text| {
            // `name`, or `name version` where there are several.
            let mut words = text.split(' ');
            let (name, version) = (words.next()?, words.next());
            places
                .iter()
                .find(|(id, _)| id.0 == name && version.is_none_or(|version| id.1 == version))
                .map(|row| *row.1)
        });
        let uses: BTreeSet<usize> = uses.collect();
        uses.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4
[[package]]
name = "orlop-init"
version = "0.1.0"
dependencies = ["nix", "serde 1.0.2", "unused"]
[[package]]
name = "serde"
version = "1.0.2"
source = "registry+https://github.com/rust-lang/crates.io-index"
dependencies = ["serde_derive"]
"#;

    fn message(id: &str, file: &str) -> String {
        format!("{{\"reason\":\"compiler-artifact\",\"package_id\":\"{id}\",\"filenames\":[\"{file}\"]}}\n")
    }

    fn messages() -> String {
        let crates_io = |name: &str| format!("registry+https://github.com/rust-lang/crates.io-index#{name}");
        [
            message(&crates_io("serde_derive@1.0.2"), "/c/target/node/deps/libserde_derive.so"),
            message(&crates_io("nix@0.31.3"), "/c/target/node/build/nix/build-script-build"),
            message(&crates_io("nix@0.31.3"), "/c/target/musl/node/deps/libnix.rlib"),
            message(&crates_io("serde@1.0.2"), "/c/target/musl/node/deps/libserde.rlib"),
            "{\"reason\":\"build-finished\",\"success\":true}\n".into(),
            "warning: something\n".into(),
            message("path+file:///src/init#orlop-init@0.1.0", "/c/target/musl/node/init"),
        ]
        .concat()
    }

    #[test]
    fn what_was_compiled_for_the_node_is_in_the_program() {
        let crates = crates(&messages(), LOCK, ("orlop-init", "musl")).unwrap().packages;
        let rows: Vec<_> = crates.iter().map(|one| (&*one.name, one.kind, &*one.source, &*one.dependencies)).collect();
        let expected: [(&str, Kind, &str, &[usize]); 4] = [
            ("nix", Kind::Runtime, "crates.io", &[]),
            ("orlop-init", Kind::Runtime, "local", &[0, 2]),
            ("serde", Kind::Runtime, "crates.io", &[3]),
            ("serde_derive", Kind::Build, "crates.io", &[]),
        ];
        assert_eq!(rows, expected);
        assert!(crates[1].root && !crates[0].root);
    }

    #[test]
    fn words_that_are_not_cargos_are_errors() {
        let of = |messages: &str, lock: &str| crates(messages, lock, ("orlop-init", "musl")).unwrap_err();
        assert!(of("", LOCK).contains("`orlop-init` 0 times"));
        assert!(of(&messages(), "nonsense").starts_with("Cargo.lock: "));
        assert!(of(&message("orlop-init 0.1.0", "x"), LOCK).contains("no known form"));
        assert_eq!(parse("path+file:///src/pause#0.1.0"), Some((("pause".into(), "0.1.0".into()), "local".into())));
        assert_eq!(parse("git+https://example.org/x?rev=1#x@1.0.0").map(|row| row.1), Some("git".into()));
    }
}
