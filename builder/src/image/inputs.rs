//! What a build starts from: the definition with all that it extends, and its lockfile.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use orlop_config::Text;
use orlop_config::definition::{self, ReadError, Resolved};
use orlop_config::lockfile::{self, Lockfile, request_digest_input};

use crate::sources;

/// A name such as `orlop:node` is a definition that `orlop` carries.
const SHIPPED: &str = "orlop:";

/// A definition and its lockfile, which belong together.
#[derive(Debug)]
pub struct Inputs {
    /// The definition, resolved and checked.
    pub resolved: Resolved,
    /// Its lockfile.
    pub lockfile: Lockfile,
    /// Where the lockfile is.
    pub lockfile_path: PathBuf,
    /// SHA-256 of the lockfile's bytes.
    pub lockfile_sha256: String,
}

impl Inputs {
    /// Reads a definition and the lockfile beside it.
    pub fn load(path: &Path) -> anyhow::Result<Inputs> {
        let resolved = load_definition(path)?;
        let lockfile_path = lockfile_path(path);
        let text = fs::read_to_string(&lockfile_path).with_context(|| {
            format!("{}: no lockfile; run `orlop lock {}`", lockfile_path.display(), path.display())
        })?;
        let name = lockfile_path.display().to_string();
        let lockfile = lockfile::parse(&name, &text)?;
        let request = sources::cache::hash(&request_digest_input(&resolved.definition));
        lockfile.belongs_to(&name, &resolved.definition, &request)?;
        Ok(Inputs { resolved, lockfile, lockfile_path, lockfile_sha256: sources::cache::hash(text.as_bytes()) })
    }

    /// Seconds since 1970 of every time in the image: `SOURCE_DATE_EPOCH`, else what the lockfile says.
    pub fn epoch(&self) -> anyhow::Result<u64> {
        let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(self.lockfile.epoch) };
        let number = text.to_str().and_then(|text| text.parse().ok()).filter(|epoch| *epoch <= u64::from(u32::MAX));
        number.with_context(|| format!("SOURCE_DATE_EPOCH={}: not a number of seconds since 1970", text.display()))
    }
}

/// `images/standalone.toml` → `images/standalone.lock`.
pub fn lockfile_path(definition: &Path) -> PathBuf {
    definition.with_extension("lock")
}

/// Reads a definition and everything that it extends.
pub fn load_definition(path: &Path) -> anyhow::Result<Resolved> {
    let text = fs::read_to_string(path).with_context(|| format!("{}: the definition cannot be read", path.display()))?;
    let first = Text::new(&path.display().to_string(), &text);
    Ok(definition::load(first, &mut read_base)?)
}

/// Reads what a definition extends: one of ours by `orlop:NAME`, else a file beside the one that names it.
fn read_base(value: &str, from: &str) -> Result<Text, ReadError> {
    if let Some(name) = value.strip_prefix(SHIPPED) {
        let file = format!("images/{name}.toml");
        let text = sources::shipped::text(&file).ok_or_else(|| {
            let names = sources::shipped::definitions().collect::<Vec<_>>().join(", ");
            format!("orlop ships no definition `{name}`; it ships {names}")
        })?;
        return Ok(Text::new(&format!("{SHIPPED}{file}"), text));
    }
    if from.starts_with(SHIPPED) {
        return Err("a shipped definition can only extend a shipped one".into());
    }
    let path = Path::new(from).parent().unwrap_or(Path::new("")).join(value);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Text::new(&path.display().to_string(), &text))
}

/// The bytes of a file that a definition names, relative to the definition's own file.
pub fn read_beside(definition_file: &str, relative: &str) -> anyhow::Result<Vec<u8>> {
    if let Some(file) = definition_file.strip_prefix(SHIPPED) {
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        let path = folder.join(relative).display().to_string();
        let text = sources::shipped::text(&path).with_context(|| format!("orlop ships no `{path}`"))?;
        return Ok(text.as_bytes().to_vec());
    }
    let path = Path::new(definition_file).parent().unwrap_or(Path::new("")).join(relative);
    fs::read(&path).with_context(|| format!("{} (named by {definition_file})", path.display()))
}
