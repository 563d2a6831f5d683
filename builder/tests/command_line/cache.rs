//! `orlop cache`: what it lists, what goes, and what stays. Which of several entries goes is tested beside the code.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use orlop::sources::{Cache, Key};
use serde_json::Value;

use crate::support::{Desk, names, orlop, run};

const DAY: u64 = 86_400;

/// A desk whose cache has an old download, a new result, half a file, and a tool of the tests.
fn desk() -> Desk {
    let desk = Desk::new();
    for (file, days_ago) in [
        ("cache/sha256/ab/cdef", 90),
        ("cache/results/go-0123/files/kubelet", 1),
        ("cache/partial/half", 0),
        ("cache/tools/cargo-deny/bin/cargo-deny", 900),
    ] {
        desk.file(file, vec![b'x'; 10_000]);
        // An entry is a whole folder, where it is no file.
        let entry = if file.contains("sha256") || file.contains("partial") { 4 } else { 3 };
        let entry: PathBuf = PathBuf::from(file).components().take(entry).collect();
        let then = SystemTime::now() - Duration::from_secs(days_ago * DAY + 60);
        File::open(desk.path(entry.to_str().unwrap())).unwrap().set_modified(then).unwrap();
    }
    desk
}

fn cache(desk: &Desk, arguments: &[&str]) -> Command {
    let mut command = orlop();
    command.arg("cache").args(arguments).env("ORLOP_CACHE", desk.path("cache"));
    command
}

fn named(document: &Value, list: &str) -> Vec<String> {
    let entries = document[list].as_array().unwrap_or_else(|| panic!("{document}"));
    entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_list_has_kind_size_and_last_use_of_each_entry() {
    let desk = desk();
    let listed = run(&mut cache(&desk, &["list", "--json"])).json();
    assert_eq!(named(&listed, "entries"), ["tools/cargo-deny", "sha256/ab/cdef", "results/go-0123", "partial/half"]);
    let kinds: Vec<&str> =
        listed["entries"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["tool", "download", "result", "left"]);
    for entry in listed["entries"].as_array().unwrap() {
        assert!(entry["bytes"].as_u64().unwrap() >= 10_000 && entry["in_use"] == false, "{entry}");
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let used = listed["entries"][1]["last_use"].as_u64().unwrap();
    assert!((89 * DAY..=91 * DAY).contains(&(now - used)), "{used}");
    let text = run(&mut cache(&desk, &["list"]));
    assert!(text.done().contains("sha256/ab/cdef") && text.stdout.contains("4 entries, "), "{}", text.stdout);
}

#[test]
fn what_was_not_used_for_thirty_days_goes_and_a_dry_run_says_so() {
    let desk = desk();
    let would = run(&mut cache(&desk, &["prune", "--dry-run", "--json"])).json();
    assert_eq!(named(&would, "removed"), ["sha256/ab/cdef", "partial/half"]);
    assert!(desk.path("cache/sha256/ab/cdef").is_file() && desk.path("cache/partial/half").is_file());
    let text = run(&mut cache(&desk, &["prune", "--dry-run"]));
    assert!(text.done().contains("2 entries would go, "), "{}", text.stdout);

    let did = run(&mut cache(&desk, &["prune", "--json"])).json();
    assert_eq!((&did["removed"], &did["dry_run"]), (&would["removed"], &Value::Bool(false)));
    assert_eq!(names(&desk.path("cache/sha256/ab")), Vec::<String>::new());
    assert_eq!(names(&desk.path("cache/results")), ["go-0123"]);
    assert!(desk.path("cache/tools/cargo-deny/bin/cargo-deny").is_file(), "it is not ours");
    assert_eq!(names(&desk.path("cache/trash")), Vec::<String>::new());
    let nothing = run(&mut cache(&desk, &["prune"]));
    assert!(nothing.done().starts_with("0 entries went, "), "{}", nothing.stdout);
}

#[test]
fn days_and_size_are_rules_of_their_own() {
    let desk = desk();
    let kept = run(&mut cache(&desk, &["prune", "--keep-days", "100", "--json"])).json();
    assert_eq!(named(&kept, "removed"), ["partial/half"]);
    let enough = run(&mut cache(&desk, &["prune", "--max-size", "1G", "--json"])).json();
    assert_eq!(named(&enough, "removed"), Vec::<String>::new());
    desk.file("cache/results/go-0123/files/large", vec![b'x'; 2 << 20]);
    let small = run(&mut cache(&desk, &["prune", "--max-size", "1", "--json"])).json();
    assert!(named(&small, "removed").contains(&"results/go-0123".to_owned()), "{small}");
    for wrong in [&["--max-size", "ten"][..], &["--max-size", "0"], &["--keep-days", "-1"], &["--keep-days", "x"]] {
        let outcome = run(cache(&desk, &["prune"]).args(wrong));
        assert_eq!(outcome.status, Some(2), "{wrong:?}: {}", outcome.stderr);
    }
}

/// Another process holds what it uses.
#[test]
fn what_a_running_build_uses_stays() {
    let desk = desk();
    let build = Cache::at(&desk.path("cache")).unwrap();
    let key = Key::new("go", 1, &["x"]);
    let made = build.result(&key, |_| Ok(())).unwrap();
    build.folder("cargo").unwrap();
    let removed = named(&run(&mut cache(&desk, &["prune", "--keep-days", "0", "--json"])).json(), "removed");
    assert_eq!(removed, ["sha256/ab/cdef", "results/go-0123", "partial/half"]);
    assert!(made.is_dir() && desk.path("cache/cargo").is_dir());
    let listed = run(&mut cache(&desk, &["list"]));
    assert!(
        listed.done().lines().any(|line| line.contains("in use") && line.ends_with("  cargo")),
        "{}",
        listed.stdout
    );
    drop(build);
    let removed = named(&run(&mut cache(&desk, &["prune", "--keep-days", "0", "--json"])).json(), "removed");
    assert_eq!(removed.len(), 2, "{removed:?}");
    assert!(!made.exists() && !desk.path("cache/cargo").exists());
}

#[test]
fn no_cache_is_an_empty_one_and_stays_none() {
    let desk = Desk::new();
    let listed = run(&mut cache(&desk, &["list", "--json"])).json();
    assert_eq!(named(&listed, "entries"), Vec::<String>::new());
    let pruned = run(&mut cache(&desk, &["prune", "--json"])).json();
    assert_eq!(named(&pruned, "removed"), Vec::<String>::new());
    assert!(!desk.path("cache").exists());
    let mut nowhere = orlop();
    nowhere.args(["cache", "list"]);
    for name in ["ORLOP_CACHE", "XDG_CACHE_HOME", "HOME"] {
        nowhere.env_remove(name);
    }
    run(&mut nowhere).fails(1, &["no cache folder: set ORLOP_CACHE or HOME"]);
}

/// A file where a folder belongs is named.
#[test]
fn a_cache_that_cannot_be_changed_is_an_error() {
    let desk = desk();
    fs::write(desk.path("cache/trash"), "x").unwrap();
    run(&mut cache(&desk, &["prune"])).fails(1, &["cache/trash: this is not a folder of the cache; delete it"]);
    assert!(desk.path("cache/sha256/ab/cdef").is_file());
}
