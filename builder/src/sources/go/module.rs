//! The generated module of a component: its one requirement, replacements for what upstream replaces by folders of
//! its own repository, and the commands as `tool` lines (`go install pkg@version` refuses modules with `replace`).

use std::collections::BTreeMap;
use std::fmt::Write;

use orlop_config::definition::GoSource;

use super::super::cache::hash;

/// The two files of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// `go.mod`.
    pub go_mod: Vec<u8>,
    /// `go.sum`.
    pub go_sum: Vec<u8>,
}

impl Sums {
    /// Their SHA-256 together: what `sha256sum go.mod go.sum | sha256sum` prints.
    pub fn sha256(&self) -> String {
        hash(format!("{}  go.mod\n{}  go.sum\n", hash(&self.go_mod), hash(&self.go_sum)).as_bytes())
    }

    /// Whether `go.mod` requires this version of a module: alone on its line, or in a block.
    pub fn requires(&self, module: &str, version: &str) -> bool {
        let text = String::from_utf8_lossy(&self.go_mod);
        text.lines().any(|line| {
            let line = line.trim();
            let mut words = line.strip_prefix("require ").unwrap_or(line).split_whitespace();
            words.next() == Some(module) && words.next() == Some(version)
        })
    }

    /// The module that a package is compiled out of, by `go.mod`: what replaces it, where something does. `None`: it is of
    /// none of them, as the standard library's are.
    pub fn module_of(&self, package: &str) -> Option<Inside> {
        let text = String::from_utf8_lossy(&self.go_mod);
        let mut compiled: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default();
            let words: Vec<&str> =
                line.split_whitespace().filter(|word| !["require", "replace"].contains(word)).collect();
            match words[..] {
                [module, "=>", name, version] | [module, _, "=>", name, version] => {
                    compiled.insert(module, (name, version));
                }
                [module, version] if version.starts_with('v') => {
                    compiled.entry(module).or_insert((module, version));
                }
                _ => {}
            }
        }
        let below = |module: &str| package.strip_prefix(module).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let found = compiled.into_iter().filter_map(|(module, is)| Some((module.len(), below(module)?, is)));
        let (_, rest, (name, version)) = found.max_by_key(|(length, ..)| *length)?;
        Some(Inside { module: name.into(), version: version.into(), folder: rest.trim_start_matches('/').into() })
    }
}

/// Where a package is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The module, as it is compiled.
    pub module: String,
    /// Its version.
    pub version: String,
    /// The package's folder in it; empty: the module's own.
    pub folder: String,
}

/// What matters of upstream's own `go.mod`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Module {
    /// The language version that it asks for: `1.26.0`.
    pub go: String,
    /// Modules that it replaces by a folder of its repository.
    pub staging: Vec<String>,
}

impl Module {
    /// Reads a `go.mod`.
    pub fn parse(text: &str) -> Module {
        let mut module = Module { go: "1.21".into(), staging: Vec::new() };
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default().trim();
            if let Some(version) = line.strip_prefix("go ") {
                module.go = version.trim().into();
            }
            let replacement = line.strip_prefix("replace ").unwrap_or(line);
            if let Some((from, to)) = replacement.split_once("=>")
                && to.trim().starts_with("./")
                && let Some(name) = from.split_whitespace().next()
            {
                module.staging.push(name.into());
            }
        }
        module.staging.sort();
        module.staging.dedup();
        module
    }

    /// The `go.mod` of a component, before `go mod tidy`. Kubernetes v1.37.2 has its staging modules as v0.37.2.
    pub fn generate(&self, component: &str, source: &GoSource, version: &str) -> String {
        let mut text = format!("module orlop.invalid/{component}\n\ngo {}\n\n", self.go);
        let _ = writeln!(text, "require {} {version}\n", source.module);
        let staged = version.split_once('.').map_or("", |(_, rest)| rest);
        for name in &self.staging {
            let _ = writeln!(text, "replace {name} => {name} v0.{staged}");
        }
        let packages = packages(source);
        let tools = packages.iter().map(|package| format!("\t{package}\n")).collect::<String>();
        let _ = write!(text, "\ntool (\n{tools})\n");
        text
    }
}

/// The import paths of a component's commands.
pub fn packages(source: &GoSource) -> Vec<String> {
    let path = |command: &String| match command.trim_matches('/') {
        "" | "." => source.module.clone(),
        command => format!("{}/{command}", source.module),
    };
    source.commands.iter().map(path).collect()
}

/// The name of the program that a command's package yields: its last part, unless that is a major version.
pub fn program(package: &str) -> &str {
    let mut parts = package.rsplit('/');
    let last = parts.next().unwrap_or(package);
    let major =
        last.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    if major { parts.next().unwrap_or(last) } else { last }
}

/// Orders versions of the form `v1.2.3`; anything else (a pre-release, a pseudo-version) is none.
pub fn release(version: &str) -> Option<(u64, u64, u64)> {
    let mut parts = version.strip_prefix('v')?.split('.').map(|part| part.parse().ok());
    let found = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(found)
}

/// Whether a version is one that a request (`1.37`, `1.37.2`, with or without `v`) may mean.
pub fn fits(version: &str, request: &str) -> bool {
    let (version, request) = (version.trim_start_matches('v'), request.trim_start_matches('v'));
    version == request || version.strip_prefix(request).is_some_and(|rest| rest.starts_with('.'))
}

/// The releases that a request may mean, newest first.
pub fn candidates(versions: &[String], request: &str) -> Vec<String> {
    let fitting = versions.iter().filter(|version| fits(version, request));
    let mut found: Vec<_> = fitting.filter_map(|version| Some((release(version)?, version))).collect();
    found.sort();
    found.into_iter().rev().map(|(_, version)| version.clone()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn upstream_modules_are_read() {
        let text = "module k\n\ngo 1.26.0 // why\n\ngodebug default=go1.26\nrequire (\n\ta v1\n)\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\tx => y v1.0.0\n)\nreplace k8s.io/b => ./staging/src/k8s.io/b\n";
        let module = Module::parse(text);
        assert_eq!(module, Module { go: "1.26.0".into(), staging: vec!["k8s.io/api".into(), "k8s.io/b".into()] });
        let source: GoSource = toml::from_str("module = \"k8s.io/kubernetes\"\ncommands = [\"cmd/kubelet\"]").unwrap();
        assert_eq!(
            module.generate("kubelet", &source, "v1.37.2"),
            "module orlop.invalid/kubelet\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v1.37.2\n\nreplace k8s.io/api => k8s.io/api v0.37.2\nreplace k8s.io/b => k8s.io/b v0.37.2\n\ntool (\n\tk8s.io/kubernetes/cmd/kubelet\n)\n"
        );
    }

    #[test]
    fn a_requirement_is_a_module_with_its_version() {
        let go_mod = "module x\n\nrequire (\n\ta.b/c v1.2.3\n\td v1 // indirect\n)\n\nrequire e v2.0.0\n";
        let sums = Sums { go_mod: go_mod.into(), go_sum: Vec::new() };
        assert!(sums.requires("a.b/c", "v1.2.3") && sums.requires("d", "v1") && sums.requires("e", "v2.0.0"));
        assert!(!sums.requires("a.b/c", "v1.2") && !sums.requires("b/c", "v1.2.3") && !sums.requires("f", "v1"));
    }

    #[test]
    fn a_package_is_of_the_module_that_is_compiled() {
        let go_mod = "module x\n\ngo 1.26.0\n\nrequire (\n\ta.b/c v1.2.3 // indirect\n\ta.b/c/d v1.0.0\n)\n\nrequire e v2.0.0\n\n\
            replace a.b/c/d => f.g/h v0.37.2\n\nreplace e v2.0.0 => e v2.0.1\n\ntool a.b/c/cmd\n";
        let sums = Sums { go_mod: go_mod.into(), go_sum: Vec::new() };
        let found = |package: &str| sums.module_of(package).map(|one| [one.module, one.version, one.folder]);
        let is = |words: [&str; 3]| Some(words.map(str::to_owned));
        assert_eq!(found("a.b/c/x/v1"), is(["a.b/c", "v1.2.3", "x/v1"]));
        assert_eq!(found("a.b/c/d/v1"), is(["f.g/h", "v0.37.2", "v1"]));
        assert_eq!(found("e"), is(["e", "v2.0.1", ""]));
        assert_eq!((found("a.b/cx"), found("time"), found("x")), (None, None, None));
    }

    #[test]
    fn names() {
        let source: GoSource = toml::from_str("module = \"a/runc/v2\"\ncommands = [\".\", \"cmd/x\"]").unwrap();
        let all = packages(&source);
        assert_eq!(all, ["a/runc/v2", "a/runc/v2/cmd/x"]);
        assert_eq!(all.iter().map(|package| program(package)).collect::<Vec<_>>(), ["runc", "x"]);
    }

    #[test]
    fn newest_patch_release_first() {
        let versions: Vec<String> =
            ["v1.3.9", "v1.37.2", "v1.37.10", "v1.37.11-rc.0", "v1.37.1", "v1.38.0"].map(String::from).into();
        assert_eq!(candidates(&versions, "1.37"), ["v1.37.10", "v1.37.2", "v1.37.1"]);
        assert_eq!(candidates(&versions, "v1.37.2"), ["v1.37.2"]);
        assert!(candidates(&versions, "1.36").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(go |replace |=>|\\./|\n|v|\\.|.){0,80}") {
            Module::parse(&text);
            release(&text);
            candidates(std::slice::from_ref(&text), &text);
            Sums { go_mod: text.clone().into_bytes(), go_sum: Vec::new() }.module_of(&text);
        }
    }
}
