//! A definition in its place: the file, what it extends, and the lockfile and Go modules beside it.

use std::path::{Path, PathBuf};

use orlop_config::Text;
use orlop_config::definition::{ConfigError, Definition, Resolved, load};
use orlop_config::lockfile::{self, LockError, Lockfile, request_digest_input};

use super::altered::altered;
use super::cache::hash;
use super::shipped;
use crate::bounded::read_whole;

/// No definition, lockfile, or file of a Go module is longer.
const MOST: u64 = 4 << 20;

/// A definition and where it lies.
#[derive(Debug, Clone)]
pub struct Project {
    /// The definition's file.
    pub path: PathBuf,
    /// The definition, with everything that it extends.
    pub resolved: Resolved,
    /// SHA-256 of the text of each of `resolved.files`, as it was read.
    texts: Vec<String>,
}

/// Why a project cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The definition is wrong.
    #[error(transparent)]
    Definition(#[from] ConfigError),
    /// The lockfile is wrong, or not this definition's.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The definition cannot be read.
    #[error("{path}: {cause}; name a definition, or one that is shipped ({})", shipped::definitions().join(", "))]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The lockfile is no lockfile any more.
    #[error("{0}; make it anew with `orlop lock DEFINITION`")]
    Broken(String),
    /// An input of the lockfile that `orlop lock` would not write: edited by hand, or by another version's program.
    #[error("{path}: input `{input}`: {what}; run `orlop lock DEFINITION`, which resolves it anew")]
    Altered {
        /// The lockfile.
        path: String,
        /// The input.
        input: String,
        /// What does not fit.
        what: String,
    },
    /// The definition is no text.
    #[error("{path}: not a definition: it is no UTF-8 text, as TOML is")]
    NotText {
        /// The file.
        path: String,
    },
    /// There is no lockfile, or it cannot be read.
    #[error("{path}: {cause}; `orlop lock DEFINITION` makes it")]
    NoLock {
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
}

impl Project {
    /// Loads a definition: a file, or a shipped one by its name, `orlop:standalone`.
    pub fn load(path: &Path) -> Result<Project, ProjectError> {
        let name = path.to_string_lossy().into_owned();
        let first = read(&name).map_err(|cause| match cause.kind() {
            std::io::ErrorKind::InvalidData => ProjectError::NotText { path: name.clone() },
            _ => ProjectError::Unreadable { path: name.clone(), cause },
        })?;
        let (texts, resolved) = resolve(first)?;
        // What lies beside a shipped definition is named after it, with or without its ending.
        let shipped = name.starts_with("orlop:").then(|| name.trim_end_matches(".toml").into());
        Ok(Project { path: shipped.unwrap_or_else(|| path.to_path_buf()), resolved, texts })
    }

    /// A definition that is not written yet, and will lie there.
    pub fn of_text(path: &Path, text: &str) -> Result<Project, ProjectError> {
        let first = Text::new(path.to_string_lossy(), text);
        let (texts, resolved) = resolve(first)?;
        Ok(Project { path: path.to_path_buf(), resolved, texts })
    }

    /// The definition.
    pub fn definition(&self) -> &Definition {
        &self.resolved.definition
    }

    /// The files that the definition came from, the one that was asked for first: name without folder, `orlop:NAME` where it
    /// is shipped, and SHA-256 of the text. Where they lie is the machine's affair.
    pub fn files(&self) -> impl Iterator<Item = (String, &str)> {
        let name = |file: &String| match Path::new(file).file_name() {
            Some(name) if !file.starts_with("orlop:") => name.to_string_lossy().into_owned(),
            _ => file.clone(),
        };
        self.resolved.files.iter().map(name).zip(self.texts.iter().map(String::as_str))
    }

    /// Where its lockfile lies.
    pub fn lock_path(&self) -> PathBuf {
        self.path.with_extension("lock")
    }

    /// Where a component's Go module lies.
    pub fn go_folder(&self, component: &str) -> PathBuf {
        self.path.with_extension("go").join(component)
    }

    /// SHA-256 of what the definition asks for.
    pub fn request(&self) -> String {
        hash(&request_digest_input(self.definition()))
    }

    /// Reads the lockfile, and refuses another definition's, and one with inputs that this program would not write.
    pub fn lockfile(&self) -> Result<Lockfile, ProjectError> {
        Ok(self.lockfile_and_sha256()?.0)
    }

    /// The same, and the SHA-256 of the very bytes that it was read from.
    pub fn lockfile_and_sha256(&self) -> Result<(Lockfile, String), ProjectError> {
        let (lockfile, sha256) = self.read_lockfile()?;
        for (input, locked) in &lockfile.inputs {
            if let Some(what) = altered(self.definition(), input, locked) {
                let path = self.lock_path().display().to_string();
                return Err(ProjectError::Altered { path, input: input.clone(), what });
            }
        }
        Ok((lockfile, sha256))
    }

    /// The lockfile with inputs as another version of this program wrote them, for who looks at what has changed.
    pub fn lockfile_as_written(&self) -> Result<Lockfile, ProjectError> {
        Ok(self.read_lockfile()?.0)
    }

    fn read_lockfile(&self) -> Result<(Lockfile, String), ProjectError> {
        let path = self.lock_path();
        let name = path.display().to_string();
        let text = self
            .lock_bytes()
            .and_then(|bytes| String::from_utf8(bytes).map_err(|error| std::io::Error::other(error.utf8_error())))
            .map_err(|cause| ProjectError::NoLock { path: name.clone(), cause })?;
        let lockfile = lockfile::parse(&name, &text).map_err(broken)?;
        lockfile.belongs_to(&name, self.definition(), &self.request())?;
        Ok((lockfile, hash(text.as_bytes())))
    }

    /// The lockfile's bytes; a shipped definition's are carried by this program.
    pub fn lock_bytes(&self) -> std::io::Result<Vec<u8>> {
        read_beside(&self.lock_path())
    }

    /// Whether this program carries it.
    pub fn is_shipped(&self) -> bool {
        self.path.to_string_lossy().starts_with("orlop:")
    }
}

/// A mistake in a lockfile's text says what makes it anew, whether its own text does or not.
fn broken(error: LockError) -> ProjectError {
    match error {
        LockError::Text(mistake) if !mistake.to_string().contains("orlop lock") => {
            ProjectError::Broken(mistake.to_string())
        }
        other => other.into(),
    }
}

/// A file beside a definition: on disk, or carried by this program beside a shipped one.
pub(super) fn read_beside(path: &Path) -> std::io::Result<Vec<u8>> {
    let name = path.to_string_lossy();
    match name.strip_prefix("orlop:") {
        None => read_whole(path, MOST),
        Some(name) => shipped::file(name).map(<[u8]>::to_vec).ok_or_else(|| std::io::ErrorKind::NotFound.into()),
    }
}

/// What a path in a definition means: beside the file that names it.
pub fn beside(value: &str, from: &str) -> String {
    match (value.starts_with("orlop:"), from.strip_prefix("orlop:")) {
        (true, _) => value.into(),
        (false, Some(_)) => format!("orlop:{value}"),
        (false, None) => {
            let folder = Path::new(from).parent().unwrap_or(Path::new(""));
            folder.join(value).to_string_lossy().into_owned()
        }
    }
}

/// Resolves what a definition extends; with the SHA-256 of each text, in the order in which they were read.
fn resolve(first: Text) -> Result<(Vec<String>, Resolved), ConfigError> {
    let mut texts = vec![hash(first.text.as_bytes())];
    let resolved = load(first, &mut |value, from| {
        let text = read(&beside(value, from))?;
        texts.push(hash(text.text.as_bytes()));
        Ok(text)
    })?;
    Ok((texts, resolved))
}

/// Reads a definition; one that is shipped has no folder, its file name is `orlop:NAME`.
fn read(file: &str) -> Result<Text, std::io::Error> {
    let text = match file.strip_prefix("orlop:") {
        None => String::from_utf8(read_whole(Path::new(file), MOST)?)
            .map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "it is no UTF-8 text, as TOML is"))?,
        Some(name) => {
            let path = if name.ends_with(".toml") { name.to_string() } else { format!("{name}.toml") };
            let bytes = shipped::file(&path).ok_or_else(|| {
                let message =
                    format!("no shipped definition `{name}`; there are {}", shipped::definitions().join(", "));
                std::io::Error::new(std::io::ErrorKind::NotFound, message)
            })?;
            return Ok(Text::new(format!("orlop:{}", path.trim_end_matches(".toml")), String::from_utf8_lossy(bytes)));
        }
    };
    // The same file must have the same name each time, or a circle would not be seen.
    let name = Path::new(file);
    let normal: PathBuf = name.components().filter(|part| *part != std::path::Component::CurDir).collect();
    Ok(Text::new(normal.to_string_lossy(), text))
}
