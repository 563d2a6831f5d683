//! Names and passwords for registries, as `docker login`, `podman login` and `crane auth login` leave them on this
//! machine. Programs that keep them elsewhere (`credHelpers`, `credsStore`) are not asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orlop_config::definition::ImageReference;
use serde::Deserialize;

use super::super::download::Hidden;
use super::super::error::{At, Error};

/// Where credentials may be.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    files: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

impl Credentials {
    /// This machine's files, the nearest first.
    pub fn of_this_machine() -> Credentials {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = folder("HOME");
        let below = |folder: &Option<PathBuf>, path: &str| folder.as_ref().map(|folder| folder.join(path));
        let docker = folder("DOCKER_CONFIG").or_else(|| below(&home, ".docker"));
        let files = [
            folder("REGISTRY_AUTH_FILE"),
            below(&docker, "config.json"),
            below(&folder("XDG_RUNTIME_DIR"), "containers/auth.json"),
            below(&home, ".config/containers/auth.json"),
        ];
        Credentials { files: files.into_iter().flatten().collect() }
    }

    /// These files.
    #[cfg(test)]
    pub fn in_files(files: Vec<PathBuf>) -> Credentials {
        Credentials { files }
    }

    /// Name and password for an image, as `Authorization: Basic` takes them; none where no file has any.
    pub fn basic(&self, reference: &ImageReference) -> Result<Option<Hidden>, Error> {
        for path in &self.files {
            let Some(file) = read(path)? else { continue };
            let entry = names(reference).into_iter().find_map(|name| file.auths.get(&name));
            if let Some(basic) = entry.and_then(Entry::basic) {
                return Ok(Some(Hidden(format!("Basic {basic}"))));
            }
        }
        Ok(None)
    }

    /// Where they were looked for.
    pub fn places(&self) -> String {
        self.files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

fn read(path: &Path) -> Result<Option<File>, Error> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.at(path.display())?,
    };
    // serde quotes what it cannot read, and that may be a password.
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let place = format!("{}:{}:{}", path.display(), error.line(), error.column());
        Error::format(place, "not the credentials of registries as `docker login` writes them")
    })
}

/// What an image's credentials may be filed under: its repository, what is above that, its registry.
fn names(reference: &ImageReference) -> Vec<String> {
    let whole = reference.name();
    let slashes = whole.rmatch_indices('/').map(|(at, _)| whole[..at].to_owned());
    let mut names: Vec<String> = std::iter::once(whole.clone()).chain(slashes).collect();
    let registry = &reference.registry;
    names.extend(["", "/", "/v1/", "/v2/"].map(|path| format!("https://{registry}{path}")));
    if registry == super::HUB.0 {
        names.push(super::HUB.2.into());
    }
    names
}

impl Entry {
    fn basic(&self) -> Option<String> {
        if !self.auth.is_empty() {
            return Some(self.auth.clone());
        }
        let named = !self.username.is_empty();
        named.then(|| STANDARD.encode(format!("{}:{}", self.username, self.password)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str, reference: &str) -> Result<Option<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, json).unwrap();
        let credentials = Credentials::in_files(vec![folder.path().join("missing"), path]);
        let reference = ImageReference::parse(reference).unwrap();
        let basic = credentials.basic(&reference).map_err(|error| error.to_string())?;
        Ok(basic.map(|Hidden(basic)| basic))
    }

    #[test]
    fn the_nearest_name_is_taken() {
        let json = r#"{"auths": {"a.example": {"auth": "aG9zdA=="}, "a.example/team": {"username": "u", "password": "p"},
            "https://b.example/v1/": {"auth": "Yg=="}, "c.example": {}}, "credsStore": "x"}"#;
        for (reference, want) in [
            ("a.example/other/app:1", Some("Basic aG9zdA==")),
            ("a.example/team/app:1", Some("Basic dTpw")),
            ("a.example/teams/app:1", Some("Basic aG9zdA==")),
            ("b.example/app", Some("Basic Yg==")),
            ("c.example/app", None),
            ("d.example/app", None),
        ] {
            assert_eq!(found(json, reference), Ok(want.map(str::to_owned)), "{reference}");
        }
    }

    #[test]
    fn a_broken_file_is_named_and_not_quoted() {
        let error = found("{\"auths\": {\"a.example\":\n \"hunter2\"}}", "a.example/app").unwrap_err();
        assert!(error.contains("config.json:2:") && !error.contains("hunter2"), "{error}");
        assert!(!format!("{:?}", Hidden("hunter2".into())).contains("hunter2"));
    }
}
