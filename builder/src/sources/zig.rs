//! The C compiler for what runs on the node: `zig cc`, from the Python wheel `ziglang`, which the machine's pip
//! fetches. One static program with musl's sources: nothing of the host's C takes part.

use std::path::PathBuf;

use orlop_config::lockfile::{Input, Lockfile};

use super::Bench;
use super::cache::Key;
use super::error::{At, Error};
use super::run::Run;
use super::unpack;

const NAME: &str = "toolchain.zig";
const PACKAGE: &str = "ziglang";
/// The version that a new lockfile gets. A compiler is changed on purpose, not because there is a newer one.
const VERSION: &str = "0.17.1";
const NO_PIP: &str = "install it: apt install python3-pip";
/// What the node's C is compiled for.
pub const TARGET: &str = "x86_64-linux-musl";

/// The compiler, unpacked in the cache.
#[derive(Debug, Clone)]
pub struct Zig {
    program: PathBuf,
}

/// Whether a locked compiler is the one that a new lockfile gets.
pub fn fits(input: &Input) -> bool {
    input.kind == "wheel" && input.name == PACKAGE && input.version == VERSION
}

/// Resolves and fetches the compiler.
pub fn lock(bench: &Bench<'_>) -> Result<Input, Error> {
    let (sha256, size) = download(bench, VERSION, None)?;
    Ok(Input {
        kind: "wheel".into(),
        name: PACKAGE.into(),
        version: VERSION.into(),
        origin: format!("{PACKAGE}=={VERSION}"),
        sha256,
        size: Some(size),
    })
}

/// Fetches the locked compiler, unless it is there.
pub fn fetch(bench: &Bench<'_>, input: &Input) -> Result<(), Error> {
    if bench.cache.has(&input.sha256, input.size) {
        return Ok(());
    }
    bench.online(NAME)?;
    bench.step(&format!("fetch {NAME}"), || {
        let (_, size) = download(bench, &input.version, Some(input))?;
        Ok(((), format!("{:.1} MB", size as f64 / 1e6)))
    })
}

/// Downloads the wheel by the machine's pip, and puts it into the cache when it is the locked one.
fn download(bench: &Bench<'_>, version: &str, locked: Option<&Input>) -> Result<(String, u64), Error> {
    let folder = tempfile::tempdir_in(bench.cache.folder("partial")?).at("a temporary folder")?;
    Run::new("python3")
        .or_install(NO_PIP)
        .fetching()
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:"])
        .args(["--platform", "manylinux_2_12_x86_64"])
        .arg_pair("--dest", folder.path())
        .args([format!("{PACKAGE}=={version}")])
        .output()?;
    let entry = std::fs::read_dir(folder.path()).at(folder.path().display())?.next();
    let path = entry.ok_or_else(|| Error::format("pip download", "left no file"))?.at(folder.path().display())?.path();
    bench.cache.admit(&path, NAME, locked)
}

/// The locked compiler, unpacked.
pub fn locked(bench: &Bench<'_>, lockfile: &Lockfile) -> Result<Zig, Error> {
    let input = bench.input(lockfile, NAME)?;
    let folder = bench.cache.result(&Key::new("zig", 1, &[&input.sha256]), |folder| {
        fetch(bench, input)?;
        bench.step("unpack the C compiler", || {
            let wheel = bench.blob(NAME, input, |bench| fetch(bench, input))?;
            unpack::zip(&wheel, "ziglang/", folder, |path| path == "zig")?;
            Ok(((), input.version.clone()))
        })
    })?;
    Ok(Zig { program: folder.join("zig") })
}

impl Zig {
    /// Runs one of the compiler's own programs: `cc`, `ar`.
    pub fn run(&self, bench: &Bench<'_>, program: &str) -> Result<Run, Error> {
        self.caches(Run::bare(&self.program).args([program]), bench)
    }

    /// Makes it the compiler of a build that asks for `CC` and `AR`.
    pub fn configure(&self, run: Run, bench: &Bench<'_>) -> Result<Run, Error> {
        let program = self.program.display();
        let run = run.env("CC", format!("\"{program}\" cc -target {TARGET}")).env("AR", format!("\"{program}\" ar"));
        self.caches(run, bench)
    }

    fn caches(&self, run: Run, bench: &Bench<'_>) -> Result<Run, Error> {
        let folder = bench.cache.folder("zig")?;
        Ok(run.env("ZIG_GLOBAL_CACHE_DIR", &folder).env("ZIG_LOCAL_CACHE_DIR", &folder))
    }
}
