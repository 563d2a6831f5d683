//! The real program, run; and what every answer of it must keep to.

#![allow(dead_code, missing_docs)]

pub mod browser;
pub mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The program under test, without the caller's own settings.
pub fn orlop() -> Command {
    program(Path::new(env!("CARGO_BIN_EXE_orlop")))
}

/// The same, from another place.
pub fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.stdin(Stdio::null()).env("NO_COLOR", "1").env("LC_ALL", "C");
    for name in ["SOURCE_DATE_EPOCH", "ORLOP_WORKSPACE", "ORLOP_DEBIAN_MIRROR", "ORLOP_OVMF"] {
        command.env_remove(name);
    }
    command
}

/// The repository.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The built image that the tests look at.
pub fn image() -> PathBuf {
    let named = std::env::var_os("ORLOP_TEST_IMAGE").map(PathBuf::from);
    let path = named.unwrap_or_else(|| workspace().join("out/standalone/standalone.raw"));
    assert!(path.is_file(), "{} is missing: `make image` builds it, or name one with ORLOP_TEST_IMAGE", path.display());
    path
}

/// The built image that joins clusters.
pub fn cluster_image() -> PathBuf {
    let named = std::env::var_os("ORLOP_TEST_CLUSTER_IMAGE").map(PathBuf::from);
    let path = named.unwrap_or_else(|| workspace().join("out/cluster/cluster.raw"));
    let how = "`make cluster-image` builds it, or name one with ORLOP_TEST_CLUSTER_IMAGE";
    assert!(path.is_file(), "{} is missing: {how}", path.display());
    path
}

/// The public key that the built image's maker put beside it.
pub fn image_key() -> PathBuf {
    image().with_extension("release.pub")
}

/// The certificate that lies there too.
pub fn image_certificate() -> PathBuf {
    image().with_extension("db.crt")
}

/// `orlop verify` of an image by the built image's keys.
pub fn verify_as_built(image: &Path) -> Command {
    verify_by(image, &image_key(), &image_certificate())
}

/// `orlop verify` of an image by these.
pub fn verify_by(image: &Path, key: &Path, certificate: &Path) -> Command {
    let mut command = orlop();
    command.arg("verify").arg(image).arg("--key").arg(key).arg("--cert").arg(certificate);
    command
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Outcome { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

impl Outcome {
    /// It failed with this status, and said each of these in one error; nothing went to standard output.
    #[track_caller]
    pub fn fails(&self, status: i32, says: &[&str]) {
        let Outcome { stdout, stderr, .. } = self;
        assert_eq!(self.status, Some(status), "{stderr}");
        assert!(stdout.is_empty(), "a failure wrote to standard output: {stdout}");
        assert!(!stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"), "{stderr}");
        let errors = stderr.lines().filter(|line| line.starts_with("orlop: ") || line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "one error, not {errors}: {stderr}");
        assert!(stderr.matches("(os error").count() <= 1, "the system's words twice: {stderr}");
        for part in says {
            assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
        }
    }

    /// It succeeded; its standard output.
    #[track_caller]
    pub fn done(&self) -> &str {
        assert_eq!(self.status, Some(0), "{}", self.stderr);
        &self.stdout
    }

    /// It succeeded with one JSON document.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.done()).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A folder with a key, a cache and files of its own.
pub struct Desk {
    folder: TempDir,
}

impl Desk {
    pub fn new() -> Desk {
        let desk = Desk { folder: tempfile::tempdir().unwrap() };
        run(orlop().arg("keygen").arg(desk.keys()).arg("--development")).done();
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn keys(&self) -> PathBuf {
        self.path("keys")
    }

    pub fn key(&self) -> PathBuf {
        self.path("keys/release.key")
    }

    pub fn public_key(&self) -> PathBuf {
        self.path("keys/release.pub")
    }

    pub fn certificate(&self) -> PathBuf {
        self.path("keys/db.crt")
    }

    /// `orlop verify` of an image by this desk's keys.
    pub fn verify(&self, image: &Path) -> Command {
        verify_by(image, &self.public_key(), &self.certificate())
    }

    /// Writes a file.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// `orlop build` of a definition here, with an empty cache of its own, into `out`.
    pub fn build(&self, definition: &Path) -> Command {
        let mut command = self.warm_build(definition);
        command.env("ORLOP_CACHE", self.path("cache"));
        command
    }

    /// The same with the user's cache.
    pub fn warm_build(&self, definition: &Path) -> Command {
        self.warm_build_into(definition, &self.path("out"))
    }

    /// The same into another folder.
    pub fn warm_build_into(&self, definition: &Path, out: &Path) -> Command {
        let mut command = orlop();
        command.arg("build").arg(definition).arg("--keys").arg(self.keys()).arg("--out").arg(out);
        command
    }

    /// Nothing at all was written for a result.
    #[track_caller]
    pub fn nothing_built(&self) {
        assert_eq!(names(&self.path("out")), Vec::<String>::new());
    }

    /// A copy of a shipped definition with its lockfile, Go modules and pods, and lines put under its own. The last table there
    /// is `[budgets]`: lines without a table's head are more of these.
    pub fn copy_of_standalone(&self, appended: &str) -> PathBuf {
        let images = workspace().join("images");
        copy_folder(&images, &self.path("images"));
        let path = self.path("images/standalone.toml");
        // Unchanged to the byte where nothing is added: an image's provenance has the text's digest.
        if !appended.is_empty() {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{text}\n{appended}\n")).unwrap();
        }
        path
    }
}

/// Runs a command where a file system of its own is mounted at a folder of the desk with these options: what it said,
/// and what it left there.
pub fn run_on(desk: &Desk, folder: &str, options: &str, command: &Command) -> (Outcome, String) {
    let (folder, left) = (desk.path(folder), desk.path("left"));
    fs::create_dir_all(&folder).unwrap();
    let script = "mount -t tmpfs -o \"$1\" none \"$2\" || exit 99; at=$2; left=$3; shift 3; \"$@\"; status=$?
                  ls -A \"$at\" > \"$left\"; exit $status";
    let mut outer = Command::new("unshare");
    // Root of a container may mount in a mount namespace, but make no user namespace; others the other way round.
    outer.args(if nix::unistd::geteuid().is_root() { &["-m"][..] } else { &["-Urm"] });
    outer.args(["sh", "-c", script, "sh", options]).arg(folder).arg(&left);
    outer.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    let outcome = run(&mut outer);
    assert_ne!(outcome.status, Some(99), "no small file system for the test: {}", outcome.stderr);
    (outcome, fs::read_to_string(left).unwrap())
}

/// The names in a folder, hidden ones too; none where there is no folder.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}
