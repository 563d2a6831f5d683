//! Packs what an installed `orlop` carries of this repository: the node's crates with their `Cargo.lock`, and the
//! shipped definitions. The build script and [`super`] share this file, so it uses nothing but `std`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// Path → content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Crates that the node's programs are made of, besides those in `node/`.
const CRATES: [&str; 3] = ["chain", "config", "init"];
/// Folders of a crate that only its tests and benchmarks use.
const LEFT_OUT: [&str; 7] = ["tests", "benches", "examples", "fuzz", "target", "testdata", "proptest-regressions"];

/// The node's crates as a workspace of their own: its members are theirs, and its `Cargo.lock` holds what they
/// lead to, with the versions of the whole repository's.
pub fn workspace(root: &Path) -> io::Result<Files> {
    let mut members: Vec<String> = CRATES.map(String::from).to_vec();
    for entry in std::fs::read_dir(root.join("node"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            members.push(format!("node/{}", entry.file_name().to_string_lossy()));
        }
    }
    members.sort();
    let mut files = Files::new();
    let mut names = BTreeSet::new();
    for member in &members {
        walk(root, member, &mut files)?;
        let manifest = files.get_mut(&format!("{member}/Cargo.toml"));
        let manifest = manifest.ok_or_else(|| io::Error::other(format!("{member} has no Cargo.toml")))?;
        let text = without_tests(&String::from_utf8_lossy(manifest));
        names.extend(text.lines().find_map(|line| line.strip_prefix("name = ")).map(|name| name.trim().replace('"', "")));
        *manifest = text.into_bytes();
    }
    let read = |name: &str| std::fs::read_to_string(root.join(name));
    files.insert("Cargo.toml".into(), with_members(&read("Cargo.toml")?, &members).into_bytes());
    files.insert("Cargo.lock".into(), prune(&read("Cargo.lock")?, &names).into_bytes());
    files.insert("rust-toolchain.toml".into(), read("rust-toolchain.toml")?.into_bytes());
    Ok(files)
}

/// The shipped definitions with their lockfiles, Go modules and manifests of pods.
pub fn images(root: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    walk(&root.join("images"), "", &mut files)?;
    Ok(files)
}

fn walk(root: &Path, folder: &str, files: &mut Files) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let meta = std::fs::metadata(entry.path())?;
        if meta.is_dir() && !LEFT_OUT.contains(&name.as_str()) {
            walk(root, &path, files)?;
        } else if meta.is_file() && !name.starts_with('.') {
            files.insert(path, std::fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// A crate's manifest without the targets whose files are left out.
fn without_tests(manifest: &str) -> String {
    let mut keep = true;
    let mut text = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            keep = !matches!(line.trim(), "[[test]]" | "[[bench]]" | "[[example]]");
        }
        if keep {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The root manifest with other members.
fn with_members(manifest: &str, members: &[String]) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in manifest.lines() {
        let start = ["members = [", "default-members = [", "exclude = ["].iter().any(|key| line.starts_with(key));
        if line.starts_with("members = [") {
            text.push_str(&format!("members = {members:?}\n"));
        }
        if !start && !inside {
            text.push_str(line);
            text.push('\n');
        }
        inside = (start || inside) && !line.contains(']');
    }
    text
}

/// A lockfile of cargo's with only what `roots` lead to, written as cargo would write it (`--locked` compares).
pub fn prune(lock: &str, roots: &BTreeSet<String>) -> String {
    let mut blocks = lock.split("\n[[package]]\n");
    let head = blocks.next().unwrap_or_default();
    let packages: Vec<Package> = blocks.map(Package::parse).collect();
    let mut kept = BTreeSet::new();
    let mut open: Vec<usize> = (0..packages.len()).filter(|i| roots.contains(packages[*i].name)).collect();
    while let Some(i) = open.pop() {
        if kept.insert(i) {
            open.extend(packages[i].dependencies.iter().filter_map(|wanted| find(&packages, wanted)));
        }
    }
    let mut text = head.to_string();
    for i in &kept {
        text.push_str("\n[[package]]\n");
        for line in packages[*i].head.lines() {
            text.push_str(line);
            text.push('\n');
        }
        if packages[*i].dependencies.is_empty() {
            continue;
        }
        text.push_str("dependencies = [\n");
        for wanted in &packages[*i].dependencies {
            let short = find(&packages, wanted).map(|found| shortest(&packages, &kept, found));
            text.push_str(&format!(" \"{}\",\n", short.as_deref().unwrap_or(wanted)));
        }
        text.push_str("]\n");
    }
    text
}

struct Package<'a> {
    name: &'a str,
    version: &'a str,
    source: &'a str,
    /// All lines before the dependencies.
    head: &'a str,
    dependencies: Vec<&'a str>,
}

impl<'a> Package<'a> {
    fn parse(block: &'a str) -> Package<'a> {
        let field = |name: &str| {
            let value = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            value.unwrap_or_default().trim_matches('"')
        };
        let (head, dependencies) = block.split_once("dependencies = [").unwrap_or((block, ""));
        let names = dependencies.split(']').next().unwrap_or_default().split(',').map(|name| name.trim().trim_matches('"'));
        Package {
            name: field("name"),
            version: field("version"),
            source: field("source"),
            head: head.trim_end(),
            dependencies: names.filter(|name| !name.is_empty()).collect(),
        }
    }
}

/// The package that a dependency (`name`, `name version`, `name version (source)`) means.
fn find(packages: &[Package<'_>], wanted: &str) -> Option<usize> {
    let mut parts = wanted.splitn(3, ' ');
    let (name, version, source) = (parts.next()?, parts.next(), parts.next());
    packages.iter().position(|package| {
        package.name == name
            && version.is_none_or(|version| version == package.version)
            && source.is_none_or(|source| source.trim_matches(['(', ')']) == package.source)
    })
}

fn shortest(packages: &[Package<'_>], kept: &BTreeSet<usize>, found: usize) -> String {
    let Package { name, version, source, .. } = packages[found];
    let like = |same: &dyn Fn(&Package<'_>) -> bool| kept.iter().filter(|i| same(&packages[**i])).count();
    if like(&|other| other.name == name) == 1 {
        name.into()
    } else if like(&|other| other.name == name && other.version == version) == 1 {
        format!("{name} {version}")
    } else {
        format!("{name} {version} ({source})")
    }
}

/// A tar archive that depends on nothing but names and contents.
pub fn tar(files: &Files) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, content) in files {
        let mut header = [0u8; 512];
        assert!(name.len() <= 100, "{name}: names in the archive are at most 100 bytes long");
        header[..name.len()].copy_from_slice(name.as_bytes());
        let mut field = |at: usize, text: String| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        field(100, "0000644\0".into());
        field(108, "0000000\0".into());
        field(116, "0000000\0".into());
        field(124, format!("{:011o}\0", content.len()));
        field(136, "00000000000\0".into());
        field(148, "        ".into());
        field(156, "0ustar\x0000".into());
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}
