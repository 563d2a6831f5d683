//! What goes and what stays; and that nobody loses what is in use.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::super::entries::list;
use super::super::{Cache, Key};
use super::*;

const NOW: u64 = 1_800_000_000;

fn entry(kind: Kind, name: &str, bytes: u64, days_ago: u64) -> Entry {
    Entry { kind, name: name.into(), bytes, last_use: NOW - days_ago * DAY, in_use: false }
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn what_was_not_used_for_long_goes_and_then_what_is_too_much() {
    let mut entries = vec![
        entry(Kind::Result, "results/c", 300, 1),
        entry(Kind::Download, "sha256/aa/b", 200, 10),
        entry(Kind::Result, "results/a", 100, 40),
        entry(Kind::Tool, "tools/t", 1000, 400),
        entry(Kind::Left, "partial/p", 50, 0),
    ];
    let chosen = |entries: &[Entry], keep_days, max_bytes| {
        let chosen = choose(entries, &Rules { keep_days, max_bytes }, NOW);
        chosen.into_iter().map(|entry| entry.name).collect::<Vec<_>>()
    };
    assert_eq!(chosen(&entries, None, None), ["partial/p"]);
    assert_eq!(chosen(&entries, Some(30), None), ["results/a", "partial/p"]);
    assert_eq!(chosen(&entries, Some(40), None), ["results/a", "partial/p"], "forty days are not less than forty");
    assert_eq!(chosen(&entries, Some(41), None), ["partial/p"]);
    // 1,650 with the tool that stays, whatever happens.
    assert_eq!(chosen(&entries, None, Some(1600)), ["partial/p"]);
    assert_eq!(chosen(&entries, None, Some(1599)), ["partial/p", "results/a"]);
    assert_eq!(chosen(&entries, None, Some(1499)), ["partial/p", "results/a", "sha256/aa/b"]);
    assert_eq!(chosen(&entries, None, Some(0)), ["partial/p", "results/a", "sha256/aa/b", "results/c"]);
    assert_eq!(chosen(&entries, Some(30), Some(1400)), ["results/a", "partial/p", "sha256/aa/b"]);
    entries.iter_mut().for_each(|entry| entry.in_use = true);
    assert_eq!(chosen(&entries, Some(0), Some(0)), Vec::<String>::new());
}

/// A cache with a download, a result, a compiler's folder, and what an interrupted build left.
struct Bed {
    folder: tempfile::TempDir,
    key: Key,
    sha256: String,
}

impl Bed {
    fn new() -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let key = Key::new("step", 1, &["a"]);
        let sha256 = cache.insert(b"abc".as_slice()).unwrap();
        cache.result(&key, |folder| fs::write(folder.join("whole"), "y").at("whole")).unwrap();
        fs::write(cache.folder("cargo").unwrap().join("x"), "x").unwrap();
        fs::write(cache.folder("partial").unwrap().join("half"), "x").unwrap();
        fs::create_dir(folder.path().join(format!("results/.{}.aB3", key.as_str()))).unwrap();
        Bed { folder, key, sha256 }
    }

    fn list(&self) -> Vec<Entry> {
        list(self.folder.path()).unwrap()
    }

    fn in_use(&self) -> BTreeSet<String> {
        self.list().into_iter().filter(|entry| entry.in_use).map(|entry| entry.name).collect()
    }

    /// Takes away all that nobody uses.
    fn remove_all(&self) -> Vec<Entry> {
        let chosen = choose(&self.list(), &Rules { keep_days: None, max_bytes: Some(0) }, NOW);
        remove(self.folder.path(), &chosen).unwrap()
    }

    fn names(&self) -> [String; 5] {
        let result = format!("results/{}", self.key.as_str());
        let half = format!("results/.{}.aB3", self.key.as_str());
        ["cargo".into(), "partial/half".into(), half, result, super::super::blob_name(&self.sha256)]
    }
}

#[test]
fn what_a_running_program_uses_stays_until_it_ends() {
    let bed = Bed::new();
    assert_eq!(bed.list().len(), 5);
    assert_eq!(bed.in_use(), BTreeSet::new(), "the program that made it ended");

    let other = Cache::at(bed.folder.path()).unwrap();
    let path = other.existing(&bed.key).unwrap();
    assert!(other.has(&bed.sha256, Some(3)));
    let [cargo, partial, half, result, blob] = bed.names();
    assert_eq!(bed.in_use(), BTreeSet::from([half.clone(), result.clone(), blob.clone()]));
    let removed: BTreeSet<String> = bed.remove_all().into_iter().map(|entry| entry.name).collect();
    assert_eq!(removed, BTreeSet::from([cargo, partial]));
    assert!(path.join("whole").is_file() && other.blob(&bed.sha256).unwrap().is_some());

    drop(other);
    let removed: BTreeSet<String> = bed.remove_all().into_iter().map(|entry| entry.name).collect();
    assert_eq!(removed, BTreeSet::from([half, result, blob]));
    assert!(bed.list().is_empty() && !path.exists());
    assert_eq!(fs::read_dir(bed.folder.path().join(TRASH)).unwrap().count(), 0);
}

#[test]
fn what_is_taken_into_use_after_it_was_chosen_stays() {
    let bed = Bed::new();
    let chosen = choose(&bed.list(), &Rules { keep_days: None, max_bytes: Some(0) }, NOW);
    let other = Cache::at(bed.folder.path()).unwrap();
    other.existing(&bed.key).unwrap();
    let [.., result, _] = bed.names();
    assert!(!names(&remove(bed.folder.path(), &chosen).unwrap()).contains(&result.as_str()));
    assert!(other.existing(&bed.key).is_some());
}

#[test]
fn a_use_is_a_time_that_others_see() {
    let bed = Bed::new();
    let [.., result, blob] = bed.names();
    let long_ago = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for name in [&result, &blob] {
        File::open(bed.folder.path().join(name)).unwrap().set_modified(long_ago).unwrap();
    }
    let last_use = |name: &str| bed.list().into_iter().find(|entry| entry.name == name).unwrap().last_use;
    assert_eq!((last_use(&result), last_use(&blob)), (1_000_000_000, 1_000_000_000));
    let cache = Cache::at(bed.folder.path()).unwrap();
    cache.result(&bed.key, |_| panic!("it is there")).unwrap();
    cache.blob(&bed.sha256).unwrap().unwrap();
    assert!(last_use(&result) > 1_700_000_000 && last_use(&blob) > 1_700_000_000);
}

/// A program that was killed leaves its list, and no lock.
#[test]
fn the_list_of_a_killed_program_holds_nothing() {
    let bed = Bed::new();
    let [cargo, ..] = bed.names();
    let list = bed.folder.path().join("locks/programs/program-killed");
    fs::write(&list, format!("{cargo}\n")).unwrap();
    assert_eq!(bed.in_use(), BTreeSet::new());
    assert!(!list.exists());
}

/// Tests share the entries of the user's cache by links.
#[test]
fn links_are_nobodys_entries() {
    let bed = Bed::new();
    let other = Bed::new();
    fs::remove_dir_all(other.folder.path().join("sha256")).unwrap();
    fs::create_dir_all(bed.folder.path().join("go/mod")).unwrap();
    for name in ["sha256", "go", "results/linked-0"] {
        let to = if name.starts_with("results") { bed.names()[3].clone() } else { name.to_owned() };
        symlink(bed.folder.path().join(to), other.folder.path().join(name)).unwrap();
    }
    let found = other.list();
    assert!(names(&found).iter().all(|name| !name.starts_with("sha256") && !name.starts_with("go/")), "{found:?}");
    assert!(!names(&found).contains(&"results/linked-0"), "{found:?}");
    other.remove_all();
    assert_eq!(bed.list().len(), 6);
}

/// As the go command leaves its modules.
#[test]
fn folders_that_nobody_may_write_are_deleted_too() {
    let bed = Bed::new();
    let module = bed.folder.path().join("go/mod/example.org@v1");
    fs::create_dir_all(module.join("inner")).unwrap();
    fs::write(module.join("inner/file"), "x").unwrap();
    for folder in [module.join("inner"), module] {
        fs::set_permissions(folder, Permissions::from_mode(0o555)).unwrap();
    }
    assert!(names(&bed.remove_all()).contains(&"go/mod"));
    assert!(!bed.folder.path().join("go/mod").exists());
    assert_eq!(fs::read_dir(bed.folder.path().join(TRASH)).unwrap().count(), 0);
}

#[test]
fn what_an_interrupted_prune_left_goes_with_the_next() {
    let bed = Bed::new();
    let left = bed.folder.path().join("trash/0/inner");
    fs::create_dir_all(&left).unwrap();
    fs::write(bed.folder.path().join("trash/1"), "x").unwrap();
    fs::set_permissions(&left, Permissions::from_mode(0o500)).unwrap();
    let removed = bed.remove_all();
    assert_eq!(names(&removed)[..2], ["trash/0", "trash/1"]);
    assert_eq!(removed.len(), 7);
    assert_eq!(fs::read_dir(bed.folder.path().join(TRASH)).unwrap().count(), 0);
}

/// It would be emptied: whose it is does not matter.
#[test]
fn a_link_in_place_of_the_trash_is_refused_and_not_followed() {
    let bed = Bed::new();
    let (trash, other) = (bed.folder.path().join(TRASH), tempfile::tempdir().unwrap());
    fs::write(other.path().join("letter"), "x").unwrap();
    fs::remove_dir(&trash).unwrap();
    symlink(other.path(), &trash).unwrap();
    let chosen = choose(&bed.list(), &Rules { keep_days: None, max_bytes: Some(0) }, NOW);
    let error = remove(bed.folder.path(), &chosen).unwrap_err().to_string();
    assert!(error.contains("trash: this is not a folder of the cache; delete it"), "{error}");
    assert_eq!(fs::read_to_string(other.path().join("letter")).unwrap(), "x");
    assert_eq!(bed.list().len(), 5, "nothing was taken away");
}

#[test]
fn what_cannot_be_taken_away_is_named_and_keeps_nothing_else() {
    let bed = Bed::new();
    let mut chosen = choose(&bed.list(), &Rules { keep_days: None, max_bytes: Some(0) }, NOW);
    // A folder by this name cannot be renamed, by nobody.
    let meta = metadata(&bed.folder.path().join("results/.")).unwrap().unwrap();
    let entry = Entry { last_use: seconds(&meta), ..entry(Kind::Result, "results/.", 1, 0) };
    chosen.insert(0, entry);
    let error = remove(bed.folder.path(), &chosen).unwrap_err().to_string();
    assert!(error.contains("results/. cannot be taken away, and must be deleted by hand"), "{error}");
    assert!(bed.list().is_empty(), "{:?}", bed.list());
}

/// A folder whose path is almost as long as a path may be: what has a long name in it can be read, and cannot be reached.
#[test]
fn what_cannot_be_deleted_is_named_and_the_rest_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("trash");
    fs::create_dir(&short).unwrap();
    let long = "n".repeat(250);
    for name in (0..16).map(|number| number.to_string()).chain([long.clone()]) {
        fs::write(short.join(name), "x").unwrap();
    }
    let mut deep = folder.path().to_path_buf();
    while deep.as_os_str().len() < 3800 {
        deep.push("d".repeat(100));
    }
    fs::create_dir_all(&deep).unwrap();
    let trash = deep.join("t".repeat(4000 - deep.as_os_str().len()));
    fs::rename(&short, &trash).unwrap();
    let error = empty(&trash).unwrap_err().to_string();
    assert!(error.contains(&format!("{long} cannot be taken away")), "{error}");
    let left: Vec<_> = fs::read_dir(&trash).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [long.as_str()]);
}

/// Builds that find their result or make it, beside somebody who takes all away that he can get.
#[test]
fn no_build_ever_loses_what_it_found() {
    let bed = Bed::new();
    let build = || {
        let cache = Cache::at(bed.folder.path()).unwrap();
        let key = Key::new("step", 1, &["b"]);
        let path = cache.result(&key, |folder| fs::write(folder.join("whole"), "y").at("whole")).unwrap();
        std::thread::yield_now();
        assert_eq!(fs::read_to_string(path.join("whole")).unwrap(), "y");
    };
    // So often was the result taken away that a build had made or found.
    let mut taken = 0;
    let deadline = Instant::now() + Duration::from_secs(60);
    while taken < 5 {
        assert!(Instant::now() < deadline, "the result went {taken} times only");
        std::thread::scope(|scope| {
            let builds = scope.spawn(|| (0..20).for_each(|_| build()));
            while !builds.is_finished() {
                taken += names(&bed.remove_all()).iter().filter(|name| name.starts_with("results/step-")).count();
            }
        });
    }
}
