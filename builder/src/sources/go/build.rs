//! Compiles a component's commands: nothing of the machine's settings, nothing of its paths in what comes out.

use std::path::Path;

use orlop_config::definition::GoSource;
use orlop_config::lockfile::Lockfile;

use super::super::Bench;
use super::super::cache::Key;
use super::super::error::{At, Error};
use super::super::libseccomp;
use super::super::produce::{self, Produced};
use super::super::run::Run;
use super::super::zig::{self, Zig};
use super::module::{Sums, packages, program};
use super::resolve::write_module;
use super::toolchain::locked_toolchain;

/// Counts up when what this file makes changes without its flags changing.
const RECIPE: u32 = 1;

/// What a cgo build links.
struct C {
    zig: Zig,
    /// Folder of `libseccomp.a` and `include/`.
    seccomp: std::path::PathBuf,
}

/// Compiles a component.
pub fn build(
    bench: &Bench<'_>,
    lockfile: &Lockfile,
    component: &str,
    source: &GoSource,
    sums: &Sums,
) -> Result<Produced, Error> {
    let input = bench.input(lockfile, component)?;
    let (verb, flags) = (verb(source), flags(source, &input.version));
    let packages = packages(source);
    let go_hash = &bench.input(lockfile, "toolchain.go")?.sha256;
    let c_key =
        if source.cgo.is_some() { libseccomp::key(bench, lockfile)?.as_str().to_string() } else { String::new() };
    let sums_hash = sums.sha256();
    let mut inputs = vec![component, go_hash.as_str(), &sums_hash, &c_key];
    inputs.extend(flags.iter().chain(&packages).map(String::as_str));
    inputs.extend(verb.iter().skip(1));
    let key = Key::new("go", RECIPE, &inputs);
    let files = produce::files(bench.cache, &key, |folder| {
        let go = locked_toolchain(bench, lockfile)?;
        super::fetch_modules(bench, &go, (component, source), sums)?;
        let c = match source.cgo {
            Some(_) => Some(C { zig: zig::locked(bench, lockfile)?, seccomp: libseccomp::build(bench, lockfile)? }),
            None => None,
        };
        bench.step(&format!("compile {component}"), || {
            let work = tempfile::tempdir().at("a temporary folder")?;
            write_module(work.path(), sums)?;
            let mut run = Run::bare(go.root.join("bin/go"))
                .folder(work.path())
                .env("GOROOT", &go.root)
                .env("GOTOOLCHAIN", "local")
                .env("GOENV", "off")
                .env("GOWORK", "off")
                .env("GOFLAGS", "-mod=readonly")
                .env("GOPROXY", "off")
                .env("GOOS", "linux")
                .env("GOARCH", "amd64")
                .env("GOAMD64", "v1")
                .env("HOME", work.path())
                .env("GOMODCACHE", bench.cache.folder("go/mod")?)
                .env("GOCACHE", bench.cache.folder("go/build")?)
                .env("CGO_ENABLED", if c.is_some() { "1" } else { "0" });
            if let Some(c) = &c {
                run = c.configure(run, bench, work.path())?;
            }
            let jobs = bench.jobs.to_string();
            run = run.args(verb).args(["-p", &jobs]).args(&flags).arg_pair("-o", folder.join("")).args(&packages);
            run.output()?;
            let suffix = if source.test { ".test" } else { "" };
            let names: Vec<_> = packages.iter().map(|package| format!("{}{suffix}", program(package))).collect();
            Ok(((), names.join(" ")))
        })
    })?;
    Ok(Produced { files, version: input.version.clone(), origin: input.origin.clone(), sha256: input.sha256.clone() })
}

/// A package's tests are a program, too. What vet says of them is upstream's affair.
fn verb(source: &GoSource) -> &'static [&'static str] {
    if source.test { &["test", "-c", "-vet=off"] } else { &["build"] }
}

fn flags(source: &GoSource, version: &str) -> Vec<String> {
    let mut link = "-s -w -buildid=".to_string();
    for (name, value) in &source.set {
        let value = value.replace("{version}", version.trim_start_matches('v'));
        link.push_str(&format!(" -X {name}={value}"));
    }
    let mut flags: Vec<String> = vec!["-trimpath".into(), "-buildvcs=false".into()];
    if source.cgo.is_some() {
        flags.push("-buildmode=pie".into());
        link.push_str(" -linkmode external -extldflags \"-static-pie -s\"");
    }
    if !source.tags.is_empty() {
        flags.extend(["-tags".into(), source.tags.join(",")]);
    }
    flags.extend(["-ldflags".into(), link]);
    flags
}

impl C {
    /// The C compiler, and the answers that cgo wants from pkg-config: there is one library.
    fn configure(&self, run: Run, bench: &Bench<'_>, work: &Path) -> Result<Run, Error> {
        let script = work.join("pkg-config");
        let text = "#!/bin/sh\ncase \"$*\" in\n*--cflags*) echo \"-I$SECCOMP/include\" ;;\n*--libs*) echo \"$SECCOMP/libseccomp.a\" ;;\nesac\n";
        std::fs::write(&script, text).at(script.display())?;
        super::super::make_executable(&script)?;
        let run = self.zig.configure(run, bench)?;
        Ok(run.env("PKG_CONFIG", &script).env("SECCOMP", &self.seccomp))
    }
}
