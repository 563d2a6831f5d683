//! The Go toolchain: a module like any other (`golang.org/toolchain`), pinned by the SHA-256 of its zip.

use std::path::PathBuf;

use orlop_config::lockfile::{Input, Lockfile};

use super::super::Bench;
use super::super::cache::Key;
use super::super::error::Error;
use super::super::run::Run;
use super::super::unpack;

const NAME: &str = "toolchain.go";
const MODULE: &str = "golang.org/toolchain";
const NO_GO: &str = "any Go from 1.19 on will do, it only downloads the locked toolchain: apt install golang-go";

/// The toolchain, unpacked in the cache.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// Its folder (`GOROOT`).
    pub root: PathBuf,
}

/// The go command of the host, for what any Go can do: list versions, download modules.
pub(super) fn host_go(bench: &Bench<'_>) -> Result<Run, Error> {
    settings(Run::new("go").or_install(NO_GO), bench)
}

impl Toolchain {
    /// The go command with the machine's settings, for resolving and fetching.
    pub(super) fn fetching(&self, bench: &Bench<'_>) -> Result<Run, Error> {
        Ok(settings(Run::new(self.root.join("bin/go")), bench)?.env("GOROOT", &self.root))
    }
}

/// What fetching overrides: our module cache, no other toolchain, no workspace. The rest (proxy, checksum
/// database, private modules) is the machine's.
fn settings(run: Run, bench: &Bench<'_>) -> Result<Run, Error> {
    let run = run.env("GOMODCACHE", bench.cache.folder("go/mod")?).env("GOCACHE", bench.cache.folder("go/build")?);
    Ok(run
        .fetching()
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0"))
}

/// Resolves the newest patch release of a minor (`1.26`) and fetches it.
pub(super) fn newest(bench: &Bench<'_>, minor: &str) -> Result<Input, Error> {
    let listed = host_go(bench)?.args(["list", "-m", "-versions", MODULE]).folder(&std::env::temp_dir()).output()?;
    let prefix = format!("v0.0.1-go{minor}.");
    let patch =
        |version: &str| -> Option<u64> { version.strip_prefix(&prefix)?.strip_suffix(".linux-amd64")?.parse().ok() };
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let found = listed.split_whitespace().filter_map(|version| Some((patch(version)?, version))).max();
    let (_, version) = found.ok_or_else(|| Error::Unresolved(format!("no release of Go {minor} for linux-amd64")))?;
    let (sha256, size) = download(bench, version, None)?;
    Ok(Input {
        kind: "go-toolchain".into(),
        name: MODULE.into(),
        version: version.into(),
        origin: format!("{MODULE}@{version}"),
        sha256,
        size: Some(size),
    })
}

/// Downloads the toolchain's zip with the host's go command, and puts it into the cache when it is the locked one.
fn download(bench: &Bench<'_>, version: &str, locked: Option<&Input>) -> Result<(String, u64), Error> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Downloaded {
        zip: PathBuf,
    }
    let run = host_go(bench)?.args(["mod", "download", "-json", &format!("{MODULE}@{version}")]);
    let output = run.folder(&std::env::temp_dir()).output()?;
    let found: Downloaded =
        serde_json::from_slice(&output).map_err(|error| Error::format("the answer of `go mod download`", error))?;
    bench.cache.admit(&found.zip, NAME, locked)
}

/// Fetches the locked toolchain, unless it is there.
pub(super) fn fetch(bench: &Bench<'_>, input: &Input) -> Result<(), Error> {
    if bench.cache.has(&input.sha256, input.size) {
        return Ok(());
    }
    bench.online(NAME)?;
    download(bench, &input.version, Some(input)).map(|_| ())
}

/// The locked toolchain, unpacked.
pub fn locked_toolchain(bench: &Bench<'_>, lockfile: &Lockfile) -> Result<Toolchain, Error> {
    unpacked(bench, bench.input(lockfile, NAME)?)
}

pub(super) fn unpacked(bench: &Bench<'_>, input: &Input) -> Result<Toolchain, Error> {
    let root = bench.cache.result(&Key::new("go-toolchain", 1, &[&input.sha256]), |folder| {
        bench.step("unpack the Go toolchain", || {
            fetch(bench, input)?;
            let zip = bench.blob(NAME, input, |bench| fetch(bench, input))?;
            // Module zips carry no modes: what is a program must be known.
            let program = |path: &str| path.starts_with("bin/") || path.starts_with("pkg/tool/");
            unpack::zip(&zip, &format!("{}@{}/", input.name, input.version), folder, program)?;
            Ok(((), input.version.clone()))
        })
    })?;
    Ok(Toolchain { root })
}
