//! A definition in its place: the file, what it extends, and the lockfile and Go modules beside it.

use std::path::{Path, PathBuf};

use orlop_config::Text;
use orlop_config::definition::{ConfigError, Definition, Resolved, load};
use orlop_config::lockfile::{self, LockError, Lockfile, request_digest_input};

use super::cache::hash;
use super::shipped;

/// A definition and where it lies.
#[derive(Debug, Clone)]
pub struct Project {
    /// The definition's file.
    pub path: PathBuf,
    /// The definition, with everything that it extends.
    pub resolved: Resolved,
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
    #[error("{path}: {source}; name a definition, or one that is shipped ({})", shipped::definitions().join(", "))]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The definition is no text.
    #[error("{path}: not a definition: it is no UTF-8 text, as TOML is")]
    NotText {
        /// The file.
        path: String,
    },
    /// There is no lockfile, or it cannot be read.
    #[error("{path}: {source}; `orlop lock DEFINITION` makes it")]
    NoLock {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Project {
    /// Loads a definition: a file, or a shipped one by its name, `orlop:standalone`.
    pub fn load(path: &Path) -> Result<Project, ProjectError> {
        let name = path.to_string_lossy().into_owned();
        let first = read(&name).map_err(|source| match source.kind() {
            std::io::ErrorKind::InvalidData => ProjectError::NotText { path: name.clone() },
            _ => ProjectError::Unreadable { path: name.clone(), source },
        })?;
        let resolved = load(first, &mut |value, from| Ok(read(&beside(value, from))?))?;
        Ok(Project { path: path.to_path_buf(), resolved })
    }

    /// The definition.
    pub fn definition(&self) -> &Definition {
        &self.resolved.definition
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

    /// Reads the lockfile, and refuses another definition's.
    pub fn lockfile(&self) -> Result<Lockfile, ProjectError> {
        let path = self.lock_path();
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(&path).map_err(|source| ProjectError::NoLock { path: name.clone(), source })?;
        let lockfile = lockfile::parse(&name, &text)?;
        lockfile.belongs_to(&name, self.definition(), &self.request())?;
        Ok(lockfile)
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

/// Reads a definition; one that is shipped has no folder, its file name is `orlop:NAME`.
fn read(file: &str) -> Result<Text, std::io::Error> {
    let text = match file.strip_prefix("orlop:") {
        None => std::fs::read_to_string(file)?,
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
