//! Programs of Orlop's own, compiled for the node from the sources that this program carries (or from a checkout
//! that `ORLOP_WORKSPACE` names), whatever the user's cargo is configured to do.
//!
//! They are compiled in `cargo/` of the cache: `src` (the sources), `vendor` (the crates, fetched with the user's
//! configuration), `home`, `target`. Their places are fixed, so that a changed source compiles what depends on it and
//! no more. Each program says which crates it was made of ([`crates`]), and is compiled by itself: of programs that one cargo compiles together each gets the features of
//! their crates that any of them asks for, and PID 1 would be another one in an image with one program more.

mod crates;
mod lines;
pub mod pack;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use orlop_config::definition::{Definition, Source};
use orlop_config::lockfile::Lockfile;

use super::Bench;
use super::cache::{Key, hash};
use super::error::{At, Error};
use super::produce::{self, Produced, ProducedFile};
use super::run::Run;
use super::shipped;
use crate::formats::{auditable, elf};

/// Counts up when what this file makes changes without the sources changing.
const RECIPE: u32 = 3;
/// The same of the fetched crates.
const VENDOR_RECIPE: u32 = 2;
/// What the node's programs are compiled for.
pub const TARGET: &str = "x86_64-unknown-linux-musl";
/// The profile of `Cargo.toml` that they are compiled by.
pub const PROFILE: &str = "node";
const NO_RUST: &str = "install Rust by rustup";

static ARCHIVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/workspace.tar"));

/// The sources, and their digest.
struct Workspace {
    files: pack::Files,
    sha256: String,
}

impl Workspace {
    fn open() -> Result<Workspace, Error> {
        match std::env::var_os("ORLOP_WORKSPACE").filter(|folder| !folder.is_empty()) {
            None => Ok(Workspace { files: shipped::entries(ARCHIVE), sha256: hash(ARCHIVE) }),
            Some(folder) => {
                let folder = PathBuf::from(folder);
                let files = pack::workspace(&folder).at(format!("ORLOP_WORKSPACE={}", folder.display()))?;
                Ok(Workspace { sha256: hash(&pack::tar(&files)), files })
            }
        }
    }

    /// Key of the crates that its `Cargo.lock` names.
    fn vendor_key(&self) -> Key {
        let lock = self.files.get("Cargo.lock").map(|lock| hash(lock)).unwrap_or_default();
        Key::new("vendor", VENDOR_RECIPE, &[&lock])
    }

    /// Makes a folder hold these sources. Files that are equal stay as they are: cargo looks at their times.
    fn unpack(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).at(folder.display())?;
        for name in produce::catalogue(folder)?.keys().filter(|name| !self.files.contains_key(*name)) {
            std::fs::remove_file(folder.join(name)).at(name)?;
        }
        for (name, content) in &self.files {
            let path = folder.join(name);
            if std::fs::read(&path).is_ok_and(|found| found == *content) {
                continue;
            }
            let parent = path.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent).at(parent.display())?;
            std::fs::write(&path, content).at(path.display())?;
        }
        Ok(())
    }
}

/// Fetches the crates that the node's programs need, unless they are there.
pub fn fetch(bench: &Bench<'_>) -> Result<PathBuf, Error> {
    let workspace = Workspace::open()?;
    vendor(bench, &workspace)
}

fn vendor(bench: &Bench<'_>, workspace: &Workspace) -> Result<PathBuf, Error> {
    bench.cache.result(&workspace.vendor_key(), |folder| {
        bench.step("fetch the node's crates", || {
            let work = tempfile::tempdir().at("a temporary folder")?;
            workspace.unpack(work.path())?;
            let run = Run::new("cargo").or_install(NO_RUST).fetching().args([
                "vendor",
                "--locked",
                "--versioned-dirs",
                "--quiet",
            ]);
            let run = without_installing(run.args(bench.offline.then_some("--offline")), bench);
            // Set by the cargo that started us, they would choose another toolchain or lockfile.
            let run = ["RUSTUP_TOOLCHAIN", "CARGO", "CARGO_TARGET_DIR"].into_iter().fold(run, Run::env_remove);
            let done = run.args([&folder.join("crates")]).folder(work.path()).output();
            match done {
                Err(Error::Tool { .. }) if bench.offline => Err(Error::Offline { input: "the node's crates".into() }),
                done => done.map(|_| ((), String::new())),
            }
        })
    })
}

/// The digest of the sources that components of this kind are made of.
pub fn source_hash() -> Result<String, Error> {
    Ok(Workspace::open()?.sha256)
}

/// Package → lines of its own source, of what is compiled.
pub fn own_lines() -> Result<BTreeMap<String, u64>, Error> {
    Ok(lines::count(&Workspace::open()?.files))
}

/// The release of Rust that those sources are compiled by (`rust-toolchain.toml`).
pub fn rust_release() -> Result<String, Error> {
    let workspace = Workspace::open()?;
    let pinned = workspace.files.get("rust-toolchain.toml").map(|file| String::from_utf8_lossy(file).into_owned());
    Ok(channel(&pinned.unwrap_or_default()).to_owned())
}

/// The release that `rust-toolchain.toml` names.
fn channel(pinned: &str) -> &str {
    pinned.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap_or_default().trim_matches('"')
}

/// Compiles every program of this repository that a definition names. Component → what its package yields.
pub fn build(
    bench: &Bench<'_>,
    definition: &Definition,
    lockfile: &Lockfile,
) -> Result<BTreeMap<String, Produced>, Error> {
    let wanted: BTreeMap<&str, &str> = definition
        .components
        .iter()
        .filter_map(|(name, component)| match &component.source {
            Source::Workspace(source) => Some((name.as_str(), source.package.as_str())),
            _ => None,
        })
        .collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let workspace = Workspace::open()?;
    let packages: BTreeSet<&str> = wanted.values().copied().collect();
    let mut inputs = vec![workspace.sha256.as_str(), TARGET, PROFILE];
    inputs.extend(&packages);
    let key = Key::new("workspace", RECIPE, &inputs);
    let files = produce::files(bench.cache, &key, |folder| {
        let crates = vendor(bench, &workspace)?.join("crates");
        let list = packages.iter().copied().collect::<Vec<_>>().join(" ");
        bench.step("compile the node's programs", || {
            compile(bench, &workspace, &crates, &packages, folder).map(|()| ((), list.clone()))
        })
    })?;
    let mut produced = BTreeMap::new();
    for (component, package) in wanted {
        let input = bench.input(lockfile, component)?;
        produced.insert(
            component.to_string(),
            Produced {
                files: below(&files, package),
                version: input.version.clone(),
                origin: input.origin.clone(),
                sha256: workspace.sha256.clone(),
            },
        );
    }
    Ok(produced)
}

fn below(files: &BTreeMap<String, ProducedFile>, package: &str) -> BTreeMap<String, ProducedFile> {
    let inside = |name: &str| Some(name.strip_prefix(package)?.strip_prefix('/')?.to_string());
    files.iter().filter_map(|(name, file)| Some((inside(name)?, file.clone()))).collect()
}

/// What the pinned toolchain is.
struct Rust {
    sysroot: PathBuf,
    commit: String,
}

impl Rust {
    /// The toolchain that the sources pin (`rust-toolchain.toml`).
    fn of(bench: &Bench<'_>, sources: &Path) -> Result<Rust, Error> {
        let ask = |question: &[&str]| {
            let run = Run::new("rustc").or_install(NO_RUST).args(question).env_remove("RUSTUP_TOOLCHAIN");
            let run = without_installing(run, bench).folder(sources);
            Ok::<_, Error>(String::from_utf8_lossy(&run.output()?).trim().to_string())
        };
        let version = ask(&["-vV"])?;
        let pinned = std::fs::read_to_string(sources.join("rust-toolchain.toml")).at("rust-toolchain.toml")?;
        same_release(&pinned, &version)?;
        let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
        Ok(Rust { sysroot: ask(&["--print", "sysroot"])?.into(), commit: commit.unwrap_or("unknown").into() })
    }
}

/// rustup installs a toolchain that is missing when it is asked for it: not without a connection.
fn without_installing(run: Run, bench: &Bench<'_>) -> Run {
    if bench.offline { run.env("RUSTUP_AUTO_INSTALL", "0") } else { run }
}

/// A rustc that is not rustup's knows nothing of the pinned release, and would compile with whatever it is.
fn same_release(pinned: &str, version: &str) -> Result<(), Error> {
    let channel = channel(pinned);
    let release = version.lines().find_map(|line| line.strip_prefix("release: ")).unwrap_or_default();
    if release == channel {
        return Ok(());
    }
    let found = if release.is_empty() { "of no known release" } else { release };
    Err(Error::Unresolved(format!(
        "the node's programs are compiled by Rust {channel}, and the `rustc` of PATH is {found}; install rustup, or \
         with it: rustup toolchain install {channel} --target {TARGET}"
    )))
}

fn compile(
    bench: &Bench<'_>,
    workspace: &Workspace,
    crates: &Path,
    packages: &BTreeSet<&str>,
    to: &Path,
) -> Result<(), Error> {
    let _guard = bench.cache.lock("cargo")?;
    let root = bench.cache.folder("cargo")?;
    let [sources, vendor, home, target] = ["src", "vendor", "home", "target"].map(|name| root.join(name));
    workspace.unpack(&sources)?;
    let _ = std::fs::remove_file(&vendor);
    symlink(crates, &vendor).at(vendor.display())?;
    configure(&home, &vendor)?;
    let rust = Rust::of(bench, &sources)?;
    let flags = flags(&rust, &sources, &vendor, &target).join("\x1f");
    for package in packages {
        let output = Run::bare(rust.sysroot.join("bin/cargo"))
            // cargo reads configuration in every folder above the one it runs in: here is none of the user's.
            .folder(Path::new("/"))
            .env("HOME", &home)
            .env("CARGO_HOME", &home)
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_ENCODED_RUSTFLAGS", &flags)
            .env("RUSTC", rust.sysroot.join("bin/rustc"))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .args(["build", "--locked", "--offline", "--quiet", "--message-format=json-render-diagnostics"])
            .args(["--profile", PROFILE, "--target", TARGET, "--jobs", &bench.jobs.to_string()])
            .arg_pair("--manifest-path", sources.join("Cargo.toml"))
            .args(["--package", package])
            .output()?;
        let messages = String::from_utf8_lossy(&output);
        let lock = workspace.files.get("Cargo.lock").map(|lock| String::from_utf8_lossy(lock)).unwrap_or_default();
        let crates =
            crates::crates(&messages, &lock, (package, TARGET)).map_err(|what| Error::format("cargo", what))?;
        let folder = to.join(package);
        std::fs::create_dir_all(&folder).at(folder.display())?;
        for (_, program) in programs(&messages).into_iter().filter(|(of, _)| of == package) {
            let to = folder.join(program.file_name().unwrap_or_default());
            let bytes = std::fs::read(&program).at(program.display())?;
            let bytes = elf::add_section(&bytes, auditable::SECTION, &auditable::pack(&crates));
            let bytes = bytes.map_err(|what| Error::format(program.display(), what))?;
            // For its permissions.
            std::fs::copy(&program, &to).and_then(|_| std::fs::write(&to, bytes)).at(to.display())?;
        }
    }
    Ok(())
}

/// A cargo home of our own that knows the fetched crates and nothing else.
fn configure(home: &Path, vendor: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(home).at(home.display())?;
    let text = format!(
        "[source.crates-io]\nreplace-with = \"vendored\"\n\n[source.vendored]\ndirectory = {:?}\n",
        vendor.display().to_string()
    );
    let path = home.join("config.toml");
    std::fs::write(&path, text).at(path.display())
}

/// The toolchain's own linker and libc make a static-pie; no path of this machine stays in it.
fn flags(rust: &Rust, sources: &Path, vendor: &Path, target: &Path) -> Vec<String> {
    let mut flags: Vec<String> =
        ["-Clinker=rust-lld", "-Clinker-flavor=ld.lld", "-Clink-self-contained=yes"].map(String::from).into();
    // Where the component `rust-src` is installed, rustc names its files; where it is not, `/rustc/COMMIT`.
    let std_sources = rust.sysroot.join("lib/rustlib/src/rust");
    let places: [(&Path, &str); 4] = [
        (sources, "/src"),
        (vendor, "/cargo"),
        (target, "/target"),
        (&std_sources, &format!("/rustc/{}", rust.commit)),
    ];
    flags.extend(places.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())));
    flags
}

/// Package and path of every program in cargo's messages.
fn programs(messages: &str) -> Vec<(String, PathBuf)> {
    let found = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let program = message.get("executable")?.as_str()?;
        let id = message.get("package_id")?.as_str()?;
        // `path+file:///src/init#orlop-init@0.1.0`, or `path+file:///src/pause#0.1.0` where folder and name are equal.
        let (path, tail) = id.rsplit_once('#')?;
        let package = tail.split_once('@').map_or_else(|| path.rsplit('/').next(), |(name, _)| Some(name))?;
        Some((package.to_string(), PathBuf::from(program)))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_release_compiles() {
        let pinned = "[toolchain]\nchannel = \"1.95.0\"\n";
        same_release(pinned, "rustc 1.95.0 (abc 2026-01-01)\nbinary: rustc\nrelease: 1.95.0\nLLVM version: 1").unwrap();
        for other in ["release: 1.95.1", "release: 1.95.0-nightly", "rustc 1.95.0"] {
            let error = same_release(pinned, other).unwrap_err().to_string();
            assert!(error.contains("by Rust 1.95.0") && error.contains("rustup toolchain install 1.95.0"), "{error}");
        }
    }

    #[test]
    fn the_pinned_release_is_found_in_our_own_file() {
        let workspace = Workspace::open().unwrap();
        let pinned = String::from_utf8(workspace.files["rust-toolchain.toml"].clone()).unwrap();
        let error = same_release(&pinned, "release: 0").unwrap_err().to_string();
        assert!(error.contains("compiled by Rust 1."), "{error}");
        assert!(rust_release().unwrap().starts_with("1."));
    }
}
