//! Names and passwords for registries, as `docker login`, `podman login` and `crane auth login` leave them on this
//! machine: in their files, or with the programs that these name (`credHelpers`, `credsStore`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orlop_config::definition::ImageReference;
use serde::Deserialize;

use super::super::download::Hidden;
use super::super::error::{At, Error};
use super::helper::{Helpers, Kept, Question};

/// The name that a helper gives an identity token.
const TOKEN: &str = "<token>";

/// Where credentials may be.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    files: Vec<PathBuf>,
    helpers: Helpers,
}

/// Who asks.
pub enum Login {
    /// Name and password, as `Authorization: Basic` takes them.
    Basic(Hidden),
    /// An identity token: what the registry's token server takes in their place, as OAuth 2.0's refresh token.
    Identity(Hidden),
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    /// Registry → helper.
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    /// The helper for all others.
    #[serde(default, rename = "credsStore")]
    store: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default, rename = "identitytoken")]
    identity: String,
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
        let helpers = Helpers::on(std::env::var_os("PATH").unwrap_or_default());
        Credentials { files: files.into_iter().flatten().collect(), helpers }
    }

    /// These files, and the helpers of one folder.
    #[cfg(test)]
    pub fn in_files(files: Vec<PathBuf>, helpers: &Path) -> Credentials {
        Credentials { files, helpers: Helpers::on(helpers.into()) }
    }

    /// Who asks for an image; none where no file has anything for it, and no helper that one names.
    pub fn login(&self, reference: &ImageReference) -> Result<Option<Login>, Error> {
        for path in &self.files {
            let Some(file) = read(path)? else { continue };
            let login = match file.helper(reference) {
                Some((helper, server)) => self.helpers.ask(&Question { file: path, helper, server })?.map(Login::from),
                None => file.entry(reference).and_then(Entry::login),
            };
            if login.is_some() {
                return Ok(login);
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

impl File {
    /// Who keeps an image's credentials in this file's place, and what it calls the registry. Docker's own order
    /// (its `cli/config/configfile`): the registry's helper, where an empty name means the file itself, then that for all.
    fn helper<'a>(&'a self, reference: &'a ImageReference) -> Option<(&'a str, &'a str)> {
        let registry = reference.registry.as_str();
        let own = if registry == super::HUB.0 { super::HUB.2 } else { registry };
        // Podman knows the one as it is called in references.
        let named = [own, registry].into_iter().find_map(|server| Some((self.helpers.get(server)?.as_str(), server)));
        let (helper, server) = named.unwrap_or((self.store.as_str(), own));
        (!helper.is_empty()).then_some((helper, server))
    }

    fn entry(&self, reference: &ImageReference) -> Option<&Entry> {
        names(reference).into_iter().find_map(|name| self.auths.get(&name))
    }
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
    fn login(&self) -> Option<Login> {
        if !self.identity.is_empty() {
            return Some(Login::Identity(Hidden(self.identity.clone())));
        }
        if !self.auth.is_empty() {
            return Some(Login::Basic(Hidden(format!("Basic {}", self.auth))));
        }
        let named = !self.username.is_empty();
        named.then(|| Login::basic(&self.username, &self.password))
    }
}

impl Login {
    fn basic(username: &str, password: &str) -> Login {
        Login::Basic(Hidden(format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))))
    }
}

impl From<Kept> for Login {
    fn from(Kept { username, secret }: Kept) -> Login {
        if username == TOKEN { Login::Identity(Hidden(secret)) } else { Login::basic(&username, &secret) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    const HUB: &str = super::super::HUB.0;

    /// What is sent for an image, by these files and the helpers of a folder.
    fn found(helpers: &Path, files: &[&str], reference: &str) -> Result<Option<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let paths = files.iter().enumerate().map(|(number, json)| {
            let path = folder.path().join(format!("config.json.{number}"));
            std::fs::write(&path, json).unwrap();
            path
        });
        let paths = std::iter::once(folder.path().join("missing")).chain(paths).collect();
        let reference = ImageReference::parse(reference).unwrap();
        let login = Credentials::in_files(paths, helpers).login(&reference).map_err(|error| error.to_string())?;
        Ok(login.map(|login| match login {
            Login::Basic(Hidden(basic)) => basic,
            Login::Identity(Hidden(token)) => format!("identity {token}"),
        }))
    }

    #[test]
    fn the_nearest_name_is_taken() {
        // Another registry's helper, of which there is none here, is not asked.
        let json = r#"{"auths": {"a.example": {"auth": "aG9zdA=="}, "a.example/team": {"username": "u", "password": "p"},
            "https://b.example/v1/": {"auth": "Yg=="}, "c.example": {}, "i.example": {"auth": "aTo=", "identitytoken": "t"}},
            "credHelpers": {"e.example": "x"}}"#;
        for (reference, want) in [
            ("a.example/other/app:1", Some("Basic aG9zdA==")),
            ("a.example/team/app:1", Some("Basic dTpw")),
            ("a.example/teams/app:1", Some("Basic aG9zdA==")),
            ("b.example/app", Some("Basic Yg==")),
            ("c.example/app", None),
            ("d.example/app", None),
            ("i.example/app", Some("identity t")),
        ] {
            assert_eq!(found(Path::new("/"), &[json], reference), Ok(want.map(str::to_owned)), "{reference}");
        }
        let error = found(Path::new("/"), &[json], "e.example/app").unwrap_err();
        assert!(error.contains("docker-credential-x") && error.contains("config.json"), "{error}");
    }

    #[test]
    fn a_helper_is_asked_in_place_of_the_file_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["own", "all"] {
            let script = format!("printf '{{\"Username\":\"{name}\",\"Secret\":\"%s\"}}' \"$(cat)\"");
            sample::helper(folder.path(), name, &script);
        }
        sample::helper(folder.path(), "token", r#"echo '{"Username":"<token>","Secret":"t"}'"#);
        sample::helper(folder.path(), "none", "echo credentials not found in native keychain; exit 1");
        let (auths, official) = (r#"{"auth": "ZmlsZQ=="}"#, super::super::HUB.2);
        let docker = format!(
            r#"{{"auths": {{"own.example": {auths}, "all.example": {auths}, "file.example": {auths}, "none.example": {auths}}},
                "credHelpers": {{"own.example": "own", "file.example": "", "token.example:1": "token", "none.example": "none"}},
                "credsStore": "all"}}"#
        );
        let image = format!("{HUB}/library/app");
        let basic = |name: &str, server: &str| format!("Basic {}", STANDARD.encode(format!("{name}:{server}")));
        for (reference, want) in [
            ("own.example/team/app", Some(basic("own", "own.example"))),
            ("all.example/app", Some(basic("all", "all.example"))),
            ("file.example/app", Some("Basic ZmlsZQ==".into())),
            ("token.example:1/app", Some("identity t".into())),
            ("none.example/app", None),
            (image.as_str(), Some(basic("all", official))),
        ] {
            assert_eq!(found(folder.path(), &[docker.as_str()], reference), Ok(want), "{reference}");
        }
        // Either name of the one whose own is a URL; and what one file's helper does not keep, the next file may have.
        for server in [HUB, official] {
            let json = format!(r#"{{"credHelpers": {{"{server}": "own"}}, "credsStore": "none"}}"#);
            assert_eq!(found(folder.path(), &[json.as_str()], &image), Ok(Some(basic("own", server))), "{server}");
        }
        let (none, podman) = (r#"{"credsStore": "none"}"#, r#"{"auths": {"a.example": {"auth": "YQ=="}}}"#);
        assert_eq!(found(folder.path(), &[none, podman], "a.example/app"), Ok(Some("Basic YQ==".into())));
    }

    #[test]
    fn a_broken_file_is_named_and_not_quoted() {
        for json in ["{\"auths\": {\"a.example\":\n \"hunter2\"}}", "{\"credsStore\":\n [\"hunter2\"]}"] {
            let error = found(Path::new("/"), &[json], "a.example/app").unwrap_err();
            assert!(error.contains("config.json.0:2:") && !error.contains("hunter2"), "{error}");
        }
        assert!(!format!("{:?}", Hidden("hunter2".into())).contains("hunter2"));
    }
}
