//! The definitions that this program carries: `orlop:node`, `orlop:standalone`, with their lockfiles, Go modules
//! and manifests of pods.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::OnceLock;

static ARCHIVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/images.tar"));

/// All shipped files: path below `images/` → content.
pub fn files() -> &'static BTreeMap<String, Vec<u8>> {
    static FILES: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| entries(ARCHIVE))
}

/// One shipped file: `node.toml`, `pods/hello.yaml`.
pub fn file(path: &str) -> Option<&'static [u8]> {
    files().get(path).map(Vec::as_slice)
}

/// The names of the shipped definitions, as `extends` takes them.
pub fn definitions() -> Vec<String> {
    files().keys().filter_map(|path| path.strip_suffix(".toml")).map(|name| format!("orlop:{name}")).collect()
}

/// The files of an archive that the build script made.
pub(super) fn entries(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().into_iter().flatten().flatten() {
        let mut entry = entry;
        let path = entry.path().map(|path| path.to_string_lossy().into_owned());
        let mut content = Vec::new();
        if let (Ok(path), Ok(_)) = (path, entry.read_to_end(&mut content)) {
            files.insert(path, content);
        }
    }
    files
}
