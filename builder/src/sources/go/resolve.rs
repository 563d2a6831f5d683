//! Finds versions, and writes the `go.mod` and `go.sum` of components.

use std::collections::BTreeMap;
use std::path::Path;

use orlop_config::definition::GoSource;
use orlop_config::lockfile::Input;

use super::super::Bench;
use super::super::error::{At, Error};
use super::module::{Module, Sums, candidates, packages};
use super::toolchain::{self, Toolchain, host_go};

/// Resolves Go components of one definition.
pub struct Resolver<'a> {
    bench: &'a Bench<'a>,
    open: Vec<Open<'a>>,
}

/// A component whose version is chosen and whose module is not yet written.
struct Open<'a> {
    component: &'a str,
    source: &'a GoSource,
    /// What may still be tried, newest first; the first one's `go.mod` is `module`.
    versions: Vec<String>,
    module: Module,
}

impl<'a> Resolver<'a> {
    /// A resolver without components.
    pub fn new(bench: &'a Bench<'a>) -> Resolver<'a> {
        Resolver { bench, open: Vec::new() }
    }

    /// Adds a component whose version is `request` (`1.37`, `1.37.2`).
    pub fn add(&mut self, component: &'a str, source: &'a GoSource, request: &str) -> Result<(), Error> {
        let bench = self.bench;
        let listed = host_go(bench)?.args(["list", "-m", "-versions", &source.module]).folder(&std::env::temp_dir());
        let listed = String::from_utf8_lossy(&listed.output()?).into_owned();
        let all: Vec<String> = listed.split_whitespace().skip(1).map(str::to_owned).collect();
        let versions = candidates(&all, request);
        let mut open = Open { component, source, versions, module: Module::default() };
        self.upstream(&mut open, request)?;
        self.open.push(open);
        Ok(())
    }

    /// Reads the `go.mod` of the newest candidate that has one; drops candidates before it.
    fn upstream(&self, open: &mut Open<'_>, request: &str) -> Result<(), Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Downloaded {
            go_mod: std::path::PathBuf,
        }
        while let Some(version) = open.versions.first() {
            let name = format!("{}@{version}", open.source.module);
            let run = host_go(self.bench)?.args(["mod", "download", "-json", &name]).folder(&std::env::temp_dir());
            match run.output() {
                Ok(json) => {
                    let found: Downloaded = serde_json::from_slice(&json)
                        .map_err(|error| Error::format(format!("go.mod of {name}"), error))?;
                    open.module = Module::parse(&std::fs::read_to_string(&found.go_mod).at(found.go_mod.display())?);
                    return Ok(());
                }
                Err(error) => self.pass_over(open, &error),
            }
        }
        let Open { component, source, .. } = open;
        let module = &source.module;
        Err(Error::Unresolved(format!("component `{component}`: no release of {module} fits version `{request}`")))
    }

    fn pass_over(&self, open: &mut Open<'_>, error: &Error) {
        let version = open.versions.remove(0);
        let (component, module) = (open.component, &open.source.module);
        self.bench
            .report
            .note(&format!("{component}: {module}@{version} cannot be resolved, trying the one before: {error}"));
    }

    /// The toolchain that all components can be compiled with: the newest patch release of the newest minor that
    /// one of them asks for, and of no older minor than `least`. `locked` is kept when it is of that minor.
    pub fn toolchain(&self, locked: Option<&Input>, least: Option<&Input>) -> Result<Input, Error> {
        let minor = |version: &str| -> (u64, u64) {
            let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
            (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
        };
        let least = least.and_then(|input| input.version.strip_prefix("v0.0.1-go"));
        let wanted = self.open.iter().map(|open| &*open.module.go).chain(least);
        let (major, minor) = wanted.map(minor).max().unwrap_or((1, 26));
        let minor = format!("{major}.{minor}");
        match locked.filter(|input| input.version.starts_with(&format!("v0.0.1-go{minor}."))) {
            Some(locked) => Ok(locked.clone()),
            None => toolchain::newest(self.bench, &minor),
        }
    }

    /// Writes every component's module with the toolchain's own `go mod tidy`.
    pub fn tidy(self, toolchain: &Input) -> Result<BTreeMap<String, (Input, Sums)>, Error> {
        if self.open.is_empty() {
            return Ok(BTreeMap::new());
        }
        let go = toolchain::unpacked(self.bench, toolchain)?;
        let mut done = BTreeMap::new();
        let Resolver { bench, open } = self;
        let resolver = Resolver { bench, open: Vec::new() };
        for mut open in open {
            let request = open.versions[0].clone();
            let found = bench.step(&format!("resolve {}", open.component), || {
                loop {
                    let version = open.versions[0].clone();
                    let text = open.module.generate(open.component, open.source, &version);
                    match tidy(bench, &go, &text) {
                        Ok(sums) => return Ok(((input(open.source, &version, &sums), sums), version)),
                        Err(error) if open.versions.len() == 1 => return Err(error),
                        Err(error) => {
                            resolver.pass_over(&mut open, &error);
                            resolver.upstream(&mut open, &request)?;
                        }
                    }
                }
            })?;
            done.insert(open.component.to_string(), found);
        }
        Ok(done)
    }
}

fn input(source: &GoSource, version: &str, sums: &Sums) -> Input {
    Input {
        kind: "go".into(),
        name: source.module.clone(),
        version: version.into(),
        origin: format!("{}@{version}", source.module),
        sha256: sums.sha256(),
        size: None,
    }
}

fn tidy(bench: &Bench<'_>, go: &Toolchain, go_mod: &str) -> Result<Sums, Error> {
    let folder = tempfile::tempdir().at("a temporary folder")?;
    let path = folder.path();
    std::fs::write(path.join("go.mod"), go_mod).at(path.display())?;
    go.fetching(bench)?.args(["mod", "tidy"]).folder(path).output()?;
    let read = |name: &str| std::fs::read(path.join(name)).at(name);
    Ok(Sums { go_mod: read("go.mod")?, go_sum: read("go.sum")? })
}

/// Fetches the modules of a component, unless they are there.
pub fn fetch_modules(
    bench: &Bench<'_>,
    go: &Toolchain,
    (component, source): (&str, &GoSource),
    sums: &Sums,
) -> Result<(), Error> {
    let done = bench.cache.folder("go/mod/cache/orlop")?.join(sums.sha256());
    if done.exists() {
        return Ok(());
    }
    bench.online(component)?;
    bench.step(&format!("fetch the modules of {component}"), || {
        let folder = tempfile::tempdir().at("a temporary folder")?;
        write_module(folder.path(), sums)?;
        go.fetching(bench)?.args(["mod", "download"]).folder(folder.path()).output()?;
        if source.test {
            // `go.mod` names the modules of programs, and not those that only tests import; `go.sum` has all of them.
            let list = go.fetching(bench)?.args(["list", "-test", "-deps"]).args(packages(source));
            list.folder(folder.path()).output()?;
        }
        // Beside the modules, so that it goes when they go.
        std::fs::write(&done, "").at(done.display())?;
        Ok(((), String::new()))
    })
}

pub(super) fn write_module(folder: &Path, sums: &Sums) -> Result<(), Error> {
    std::fs::write(folder.join("go.mod"), &sums.go_mod).at(folder.display())?;
    std::fs::write(folder.join("go.sum"), &sums.go_sum).at(folder.display())
}
