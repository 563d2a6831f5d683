//! A lockfile to text and back, and whether it belongs to a definition.

use super::{Input, Lockfile, VERSION};
use crate::definition::Definition;
use crate::text::{Mistake, Sources, Text, span_of};

/// What is wrong with a lockfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// A mistake in its text.
    #[error(transparent)]
    Text(#[from] Mistake),
    /// A format that this program does not know.
    #[error(
        "{file}: its format is version {found}, and this `orlop` knows version {VERSION}; make it anew with `orlop lock`"
    )]
    Version {
        /// File name.
        file: String,
        /// Its version.
        found: i64,
    },
    /// The lockfile of another image.
    #[error("{file}: it locks the definition `{locked}`, not `{asked}`; make one with `orlop lock`")]
    OtherDefinition {
        /// File name.
        file: String,
        /// Whose it is.
        locked: String,
        /// Whose was wanted.
        asked: String,
    },
    /// The definition asks for something else than when the lockfile was made, or the lockfile was altered.
    #[error("{file}: it was made for another state of the definition `{definition}` ({why}); run `orlop lock` again")]
    Stale {
        /// File name.
        file: String,
        /// The definition.
        definition: String,
        /// What differs.
        why: String,
    },
}

const ANEW: &str = "a lockfile is not edited by hand: make it anew with `orlop lock`";

/// Reads a lockfile.
pub fn parse(file: &str, text: &str) -> Result<Lockfile, LockError> {
    let text = Text::new(file, text);
    let sources = Sources::new(std::slice::from_ref(&text));
    let table = sources.parse(0)?;
    let version = table.get_ref().get("version").and_then(|value| value.get_ref().as_integer());
    // The version decides what the other keys mean, so it is looked at before them.
    if let Some(found) = version.and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok())
        && found != i64::from(VERSION)
    {
        return Err(LockError::Version { file: file.into(), found });
    }
    let places = table.get_ref().clone();
    let lockfile: Lockfile = sources.read(table)?;
    if lockfile.epoch > u64::from(u32::MAX) {
        let message = format!("`{}` is no time of this century", lockfile.epoch);
        return Err(sources.mistake(span_of(&places, &["epoch"]), message, Some(ANEW.into())).into());
    }
    for (name, input) in &lockfile.inputs {
        if let Err((key, message)) = check(input) {
            let span = span_of(&places, &["inputs", name, key]);
            return Err(sources.mistake(span, message, Some(ANEW.into())).into());
        }
    }
    Ok(lockfile)
}

const KINDS: [&str; 9] = ["deb", "deb-source", "go", "go-toolchain", "wheel", "url", "workspace", "file", "oci"];

fn check(input: &Input) -> Result<(), (&'static str, String)> {
    let Input { kind, sha256, .. } = input;
    if !KINDS.contains(&kind.as_str()) {
        return Err(("kind", format!("`{kind}` is no kind of input; they are {}", KINDS.join(", "))));
    }
    let carried = kind == "workspace" && sha256.is_empty();
    if !carried && !crate::definition::is_sha256(sha256) {
        return Err(("sha256", format!("`{sha256}` is not a SHA-256")));
    }
    // TOML's integers are signed: what is larger could be read, but never be written again.
    if let Some(size) = input.size.filter(|size| i64::try_from(*size).is_err()) {
        return Err(("size", format!("`{size}` bytes are more than any file has")));
    }
    for (key, value) in [("name", &input.name), ("version", &input.version)] {
        if value.is_empty() {
            return Err((key, format!("`{key}` is empty")));
        }
    }
    Ok(())
}

/// A lockfile's text: inputs sorted by name, each a table of its own, so that a diff shows one change in one place.
pub fn render(lockfile: &Lockfile) -> String {
    // Structures of strings and small numbers in tables keyed by strings: all of it has TOML.
    let body = toml::to_string(lockfile).expect("lockfiles have TOML");
    format!("# Made by `orlop lock`: every input of the image. Made to be read in a diff, not to be edited.\n{body}")
}

impl Lockfile {
    /// Whether this lockfile, read from `file`, is the one of a definition. `request` is the SHA-256, as hex, of
    /// [`super::request_digest_input`].
    pub fn belongs_to(&self, file: &str, definition: &Definition, request: &str) -> Result<(), LockError> {
        if self.definition != definition.name {
            let (locked, asked) = (self.definition.clone(), definition.name.clone());
            return Err(LockError::OtherDefinition { file: file.into(), locked, asked });
        }
        let stale = |why: String| LockError::Stale { file: file.into(), definition: definition.name.clone(), why };
        if let Some(missing) = definition.components.keys().find(|name| !self.inputs.contains_key(*name)) {
            return Err(stale(format!("component `{missing}` is not in it")));
        }
        // Toolchains, tools and libraries have a dot in their names, components have none.
        let left_over =
            self.inputs.keys().find(|name| !name.contains('.') && !definition.components.contains_key(*name));
        if let Some(name) = left_over {
            return Err(stale(format!("`{name}` is no component any more")));
        }
        if self.request != request {
            return Err(stale("sources, versions or toolchains differ".into()));
        }
        Ok(())
    }
}
