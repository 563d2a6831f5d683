//! The cache: files by their SHA-256, and whole results of build steps by the hash of their inputs.
//!
//! ```text
//! sha256/ab/cdef…   a file as it was fetched
//! partial/…         what arrived of a file so far
//! results/KEY/      what a step made; there when it is whole, else not
//! locks/…           so that two builds share all of this; `locks/programs` says what each of them uses (`uses`)
//! go/mod go/build   the go command's own caches
//! cargo zig         what the other compilers keep
//! trash/…           what is being taken away ([`prune`])
//! tools/…           the tests' tools, which `make` puts there
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use orlop_config::lockfile::Input;
use sha2::{Digest, Sha256};

use self::uses::Uses;
use super::error::{At, Error, relock};

pub mod entries;
pub mod prune;
mod uses;

const SHA256: &str = "sha256";
const RESULTS: &str = "results";
const PARTIAL: &str = "partial";
const TRASH: &str = "trash";
/// Folders that are in use as a whole.
const SHARED: [&str; 5] = ["cargo", "go/build", "go/mod", PARTIAL, "zig"];

/// The cache folder. Cheap to open; blobs are verified at most once by each value of this type.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    verified: Mutex<BTreeSet<String>>,
    uses: Uses,
}

/// Holds a lock of the cache until it is dropped.
#[derive(Debug)]
pub struct Guard {
    _file: File,
}

impl Cache {
    /// The user's cache: `$ORLOP_CACHE`, else `$XDG_CACHE_HOME/orlop`, else `~/.cache/orlop`.
    pub fn open() -> Result<Cache, Error> {
        Cache::at(&Cache::place()?)
    }

    /// Where the user's cache is, whether there is one or not.
    pub fn place() -> Result<PathBuf, Error> {
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        named("ORLOP_CACHE")
            .or_else(|| named("XDG_CACHE_HOME").map(|folder| folder.join("orlop")))
            .or_else(|| named("HOME").map(|home| home.join(".cache/orlop")))
            .ok_or_else(|| Error::Unresolved("no cache folder: set ORLOP_CACHE or HOME".into()))
    }

    /// A cache in a given folder, which is made when it is missing.
    pub fn at(root: &Path) -> Result<Cache, Error> {
        fs::create_dir_all(root).at(root.display())?;
        let root = root.canonicalize().at(root.display())?;
        Ok(Cache { uses: Uses::new(&root), root, verified: Mutex::default() })
    }

    /// A folder of the cache that is somebody else's (the go command's, a compiler's); made when it is missing.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        if let Some(entry) = SHARED.iter().find(|entry| Path::new(name).starts_with(entry)) {
            self.uses.hold(entry)?;
        }
        let path = self.root.join(name);
        fs::create_dir_all(&path).at(path.display())?;
        Ok(path)
    }

    /// Where the blob with this digest lies, whether it is there or not.
    pub fn blob_path(&self, sha256: &str) -> PathBuf {
        self.root.join(blob_name(sha256))
    }

    /// Whether a blob of the right size is there. Looks at no content: [`Cache::blob`] does, when it is used.
    pub fn has(&self, sha256: &str, size: Option<u64>) -> bool {
        // What cannot be kept from being taken away is not there.
        if self.uses.hold(&blob_name(sha256)).is_err() {
            return false;
        }
        fs::metadata(self.blob_path(sha256))
            .is_ok_and(|meta| meta.is_file() && size.is_none_or(|size| meta.len() == size))
    }

    /// A blob that is there and has been hashed in this run. A damaged one is removed and reported as
    /// [`Error::Corrupt`], a missing one is `None`.
    pub fn blob(&self, sha256: &str) -> Result<Option<PathBuf>, Error> {
        self.uses.hold(&blob_name(sha256))?;
        let path = self.blob_path(sha256);
        if !path.is_file() {
            return Ok(None);
        }
        if self.verified.lock().expect("no panic while it is held").contains(sha256) {
            return Ok(Some(path));
        }
        let got = hash_file(&path)?;
        if got != sha256 {
            fs::remove_file(&path).at(path.display())?;
            return Err(Error::Corrupt { path: path.display().to_string(), got });
        }
        self.verified.lock().expect("no panic while it is held").insert(sha256.into());
        Ok(Some(path))
    }

    /// Puts bytes into the cache; gives their digest.
    pub fn insert(&self, mut from: impl Read) -> Result<String, Error> {
        let mut temporary = tempfile::NamedTempFile::new_in(self.folder(PARTIAL)?).at("a temporary file")?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = from.read(&mut buffer).at("reading what goes into the cache")?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
            temporary.write_all(&buffer[..n]).at(temporary.path().display())?;
        }
        let sha256 = hex::encode(hash.finalize());
        self.adopt(&temporary.into_temp_path(), &sha256)?;
        Ok(sha256)
    }

    /// Puts a copy of a file that another program fetched into the cache, and gives its digest and size. A file that
    /// is not the locked one is not kept.
    pub fn admit(&self, file: &Path, name: &str, locked: Option<&Input>) -> Result<(String, u64), Error> {
        let (got, size) = (hash_file(file)?, fs::metadata(file).at(file.display())?.len());
        if let Some(input) = locked.filter(|input| input.sha256 != got) {
            let (expected, from, next) = (input.sha256.clone(), input.origin.clone(), relock(name));
            return Err(Error::WrongHash { input: name.into(), expected, got, from, next });
        }
        if !self.has(&got, Some(size)) {
            self.insert(File::open(file).at(file.display())?)?;
        }
        Ok((got, size))
    }

    /// Moves a whole file, which lies in the cache's file system and was hashed on arrival, to its place.
    pub fn adopt(&self, file: &Path, sha256: &str) -> Result<PathBuf, Error> {
        self.uses.hold(&blob_name(sha256))?;
        let path = self.blob_path(sha256);
        let folder = path.parent().expect("a blob lies in a folder");
        fs::create_dir_all(folder).at(folder.display())?;
        File::open(file).and_then(|file| file.sync_all()).at(file.display())?;
        fs::rename(file, &path).at(path.display())?;
        self.verified.lock().expect("no panic while it is held").insert(sha256.into());
        Ok(path)
    }

    /// Waits for and takes a lock that all builds with this cache share.
    pub fn lock(&self, name: &str) -> Result<Guard, Error> {
        let path = self.folder("locks")?.join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path).at(path.display())?;
        file.lock().at(path.display())?;
        Ok(Guard { _file: file })
    }

    /// A result that was made before.
    pub fn existing(&self, key: &Key) -> Option<PathBuf> {
        self.uses.hold(&key.entry()).ok()?;
        let path = self.root.join(key.entry());
        path.is_dir().then_some(path)
    }

    /// The result with this key; `make` fills an empty folder when there is none. Nobody sees it before it is whole.
    pub fn result(&self, key: &Key, make: impl FnOnce(&Path) -> Result<(), Error>) -> Result<PathBuf, Error> {
        self.uses.hold(&key.entry())?;
        if let Some(path) = self.existing(key) {
            return Ok(path);
        }
        let _guard = self.lock(&key.0)?;
        if let Some(path) = self.existing(key) {
            return Ok(path);
        }
        let results = self.folder(RESULTS)?;
        self.sweep(&results, key)?;
        // A name of its own: a compiler that outlived its killed build must not write here.
        let temporary = tempfile::Builder::new()
            .prefix(&format!(".{}.", key.0))
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .tempdir_in(&results)
            .at(results.display())?
            .keep();
        if let Err(error) = make(&temporary) {
            let _ = fs::remove_dir_all(&temporary);
            return Err(error);
        }
        let folder = File::open(&temporary).at(temporary.display())?;
        nix::unistd::syncfs(&folder).map_err(std::io::Error::from).at(temporary.display())?;
        let path = results.join(&key.0);
        fs::rename(&temporary, &path).at(path.display())?;
        Ok(path)
    }

    /// Takes away what builds that were interrupted left of a result. Its lock is held: it is nobody's.
    fn sweep(&self, results: &Path, key: &Key) -> Result<(), Error> {
        let prefix = format!(".{}", key.0);
        for entry in fs::read_dir(results).at(results.display())? {
            let entry = entry.at(results.display())?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_dir_all(entry.path()).at(entry.path().display())?;
            }
        }
        Ok(())
    }
}

/// Key of a step's result: the step's name and the hash of all its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key of the step `name` (`[a-z0-9-]`) with these inputs, in order. A recipe whose code changes what
    /// it makes counts its `recipe` number up.
    pub fn new(name: &str, recipe: u32, inputs: &[&str]) -> Key {
        let mut hash = Sha256::new();
        hash.update(b"orlop-step-v1\0");
        for part in [name, &recipe.to_string()].iter().chain(inputs) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Key(format!("{name}-{}", &hex::encode(hash.finalize())[..40]))
    }

    /// The key as text, to be an input of another.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The result's path below the cache's folder.
    fn entry(&self) -> String {
        format!("{RESULTS}/{}", self.0)
    }
}

/// A blob's path below the cache's folder.
fn blob_name(sha256: &str) -> String {
    let (first, rest) = sha256.split_at_checked(2).unwrap_or((sha256, ""));
    format!("{SHA256}/{first}/{rest}")
}

/// SHA-256 of a file, lowercase hex.
pub fn hash_file(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).at(path.display())?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = file.read(&mut buffer).at(path.display())?;
        if n == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&buffer[..n]);
    }
}

/// SHA-256 of bytes, lowercase hex.
pub fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        (folder, cache)
    }

    #[test]
    fn a_result_is_made_once_and_whole() {
        let (_folder, cache) = cache();
        let key = Key::new("step", 1, &["a", "b"]);
        let failed = cache.result(&key, |folder| {
            fs::write(folder.join("half"), "x").unwrap();
            Err(Error::Unresolved("no".into()))
        });
        assert!(failed.is_err() && cache.existing(&key).is_none());
        // What an interrupted build leaves.
        fs::create_dir_all(cache.root.join("results").join(format!(".{}", key.as_str())).join("x")).unwrap();
        let path = cache.result(&key, |folder| fs::write(folder.join("whole"), "y").at("whole")).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        assert_eq!(cache.result(&key, |_| panic!("it is there")).unwrap(), path);
    }

    #[test]
    fn two_builds_make_a_result_once() {
        let (folder, cache) = cache();
        let key = Key::new("step", 1, &[]);
        let made = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let cache = Cache::at(folder.path()).unwrap();
                    let count = |_: &Path| {
                        made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        Ok(())
                    };
                    cache.result(&key, count).unwrap();
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
        drop(cache);
    }

    #[test]
    fn keys_tell_their_inputs_apart() {
        let keys = [
            Key::new("step", 1, &["a", "b"]),
            Key::new("step", 2, &["a", "b"]),
            Key::new("step", 1, &["ab"]),
            Key::new("step", 1, &["ab", ""]),
            Key::new("other", 1, &["a", "b"]),
        ];
        for (i, key) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|other| other != key));
        }
    }

    #[test]
    fn a_blob_lies_at_its_digest() {
        let (_folder, cache) = cache();
        let sha256 = cache.insert(b"abc".as_slice()).unwrap();
        assert_eq!(sha256, hash(b"abc"));
        assert!(cache.has(&sha256, Some(3)) && !cache.has(&sha256, Some(4)));
        assert_eq!(cache.blob(&hash(b"missing")).unwrap(), None);
    }

    #[test]
    fn what_another_program_fetched_is_kept_only_when_it_is_what_was_locked() {
        let (folder, cache) = cache();
        let file = folder.path().join("wheel");
        fs::write(&file, "another wheel").unwrap();
        let input = |sha256: String| Input {
            kind: "wheel".into(),
            name: "ziglang".into(),
            version: "1".into(),
            origin: "ziglang==1".into(),
            sha256,
            size: None,
        };
        let error = cache.admit(&file, "toolchain.zig", Some(&input(hash(b"the wheel")))).unwrap_err().to_string();
        for part in [&hash(b"the wheel"), &hash(b"another wheel"), "ziglang==1", "--update toolchain.zig"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(!cache.has(&hash(b"another wheel"), None) && file.exists());
        let kept = (hash(b"another wheel"), 13);
        assert_eq!(cache.admit(&file, "toolchain.zig", Some(&input(kept.0.clone()))).unwrap(), kept);
        assert_eq!(cache.admit(&file, "toolchain.zig", None).unwrap(), kept, "nothing is locked yet");
        assert!(cache.blob(&kept.0).unwrap().is_some());
    }
}
