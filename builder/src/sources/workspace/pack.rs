//! Packs what an installed `orlop` carries of this repository: the node's crates with their `Cargo.lock`, and the
//! shipped definitions. The build script and [`super`] share this file, so it uses nothing but `std`.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::io;
use std::path::Path;

/// Path → content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Crates that the node's programs are made of, besides those in `node/`.
const CRATES: [&str; 3] = ["chain", "config", "init"];
/// Folders of a crate that only its tests and benchmarks use.
const LEFT_OUT: [&str; 7] = ["tests", "benches", "examples", "fuzz", "target", "testdata", "proptest-regressions"];

/// Crates that are members of the workspace and not the node's: only their manifests are carried, so that
/// `Cargo.lock` fits the workspace as it is (`--locked`); a lockfile that was cut down would have to know which
/// features nobody asks for any more.
const STUBS: [&str; 2] = ["builder", "qemu-tests"];

/// Puts a folder's entries into the order in which they are looked at; a test's is another than the file system's.
type Order = fn(&mut [DirEntry]);

/// The repository's workspace with the node's crates, and the others as empty crates.
pub fn workspace(root: &Path) -> io::Result<Files> {
    workspace_in(root, |_| {})
}

fn workspace_in(root: &Path, order: Order) -> io::Result<Files> {
    let mut members: Vec<String> = CRATES.map(String::from).to_vec();
    for entry in entries(&root.join("node"), order)? {
        if entry.path().join("Cargo.toml").is_file() {
            members.push(format!("node/{}", entry.file_name().to_string_lossy()));
        }
    }
    let mut files = Files::new();
    for member in &members {
        Walk { root, takes: is_source, order }.below(member, &mut files)?;
    }
    for member in STUBS {
        let path = format!("{member}/Cargo.toml");
        files.insert(path.clone(), std::fs::read(root.join(path))?);
        files.insert(format!("{member}/src/main.rs"), b"fn main() {}\n".to_vec());
        files.insert(format!("{member}/src/lib.rs"), Vec::new());
    }
    for (_, manifest) in files.iter_mut().filter(|(path, _)| path.ends_with("/Cargo.toml")) {
        *manifest = without_tests(&String::from_utf8_lossy(manifest)).into_bytes();
    }
    for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
        files.insert(name.into(), std::fs::read(root.join(name))?);
    }
    Ok(files)
}

/// The shipped definitions with their lockfiles, Go modules and manifests of pods.
#[allow(dead_code, reason = "the build script's alone")]
pub fn images(root: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    Walk { root: &root.join("images"), takes: |_| true, order: |_| {} }.below("", &mut files)?;
    Ok(files)
}

/// What a crate is compiled from. What else lies in its folder (an editor's, a person's) must not change the image.
fn is_source(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let rust = name.ends_with(".rs") && (path.contains("/src/") || name == "build.rs");
    rust || name == "Cargo.toml" || name.ends_with(".proto")
}

fn entries(folder: &Path, order: Order) -> io::Result<Vec<DirEntry>> {
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    order(&mut entries);
    Ok(entries)
}

struct Walk<'a> {
    root: &'a Path,
    /// Whether a file is taken, by its path.
    takes: fn(&str) -> bool,
    order: Order,
}

impl Walk<'_> {
    fn below(&self, folder: &str, files: &mut Files) -> io::Result<()> {
        for entry in entries(&self.root.join(folder), self.order)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let meta = std::fs::metadata(entry.path())?;
            if meta.is_dir() && !LEFT_OUT.contains(&name.as_str()) {
                self.below(&path, files)?;
            } else if meta.is_file() && !name.starts_with('.') && (self.takes)(&path) {
                files.insert(path, std::fs::read(entry.path())?);
            }
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A repository of the smallest kind, with what people leave lying about.
    fn repository() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, path.file_name().unwrap().as_encoded_bytes()).unwrap();
        };
        let crates = ["chain", "config", "init", "node/a", "node/b", "builder", "qemu-tests"];
        crates.iter().for_each(|name| write(&format!("{name}/Cargo.toml")));
        ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"].iter().for_each(|name| write(name));
        ["init/src/main.rs", "init/src/sys/mod.rs", "node/a/src/main.rs", "node/a/proto/a.proto", "chain/build.rs"]
            .iter()
            .for_each(|name| write(name));
        ["init/notes.txt", "init/src/main.rs.orig", "init/patch.rs", "init/tests/x.rs", "node/a/.swp", "node/a/core"]
            .iter()
            .for_each(|name| write(name));
        root
    }

    #[test]
    fn what_is_not_compiled_is_not_packed() {
        let root = repository();
        let files = workspace(root.path()).unwrap();
        let of = |folder: &str| files.keys().filter(|path| path.starts_with(folder)).cloned().collect::<Vec<_>>();
        assert_eq!(of("init/"), ["init/Cargo.toml", "init/src/main.rs", "init/src/sys/mod.rs"]);
        assert_eq!(of("node/a/"), ["node/a/Cargo.toml", "node/a/proto/a.proto", "node/a/src/main.rs"]);
        assert_eq!(of("chain/"), ["chain/Cargo.toml", "chain/build.rs"]);
    }

    #[test]
    fn the_order_of_a_folder_does_not_matter() {
        let root = repository();
        let sorted = workspace_in(root.path(), |entries| entries.sort_by_key(DirEntry::file_name)).unwrap();
        let reversed =
            workspace_in(root.path(), |entries| entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name())));
        assert_eq!(tar(&sorted), tar(&reversed.unwrap()));
        assert_eq!(tar(&sorted), tar(&workspace(root.path()).unwrap()));
    }
}
