//! A small archive of this machine with indexes of three suites, signed by a key that was made for these tests and
//! thrown away: how an index is found, what is refused, and how a package that is gone is locked again.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use orlop_config::lockfile::VERSION;

use super::super::cache::{Cache, hash};
use super::super::fetch::download;
use super::super::lock::{Change, newer_than, relock_from, resolve};
use super::super::progress::Report;
use super::super::server::{Answer, Server};
use super::super::{Gone, Project, Update};
use super::*;

const KEYS: &[&[u8]] = &[include_bytes!("testdata/archive/key.gpg")];
const PACKAGES: &[u8] = include_bytes!("testdata/archive/trixie.Packages.xz");
const SOURCES: &[u8] = include_bytes!("testdata/archive/Sources.xz");
/// Folder of the suite, its signed index, its packages.
const SUITES: [(&str, &[u8], &[u8]); 3] = [
    ("debian/dists/trixie", include_bytes!("testdata/archive/trixie.InRelease"), PACKAGES),
    (
        "debian/dists/trixie-updates",
        include_bytes!("testdata/archive/trixie-updates.InRelease"),
        include_bytes!("testdata/archive/trixie-updates.Packages.xz"),
    ),
    (
        "debian-security/dists/trixie-security",
        include_bytes!("testdata/archive/trixie-security.InRelease"),
        include_bytes!("testdata/archive/trixie-security.Packages.xz"),
    ),
];
const OF_TRIXIE: &str = "debian/dists/trixie/InRelease";

/// Path → content; what is not there is not found.
type Files = BTreeMap<String, Vec<u8>>;

fn by_hash(folder: &str, part: &str, content: &[u8]) -> String {
    format!("{folder}/main/{part}/by-hash/SHA256/{}", hash(content))
}

fn files() -> Files {
    let mut files = Files::new();
    for (folder, index, packages) in SUITES {
        files.insert(format!("{folder}/InRelease"), index.into());
        files.insert(by_hash(folder, "binary-amd64", packages), packages.into());
        files.insert(by_hash(folder, "source", SOURCES), SOURCES.into());
    }
    files
}

/// Remembers what a person was told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Report for Notes {
    fn begin(&self, _step: &str) {}
    fn end(&self, _step: &str, _outcome: &str, _took: Duration) {}
    fn bytes(&self, _step: &str, _done: u64, _total: Option<u64>) {}
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.into());
    }
}

struct Bed {
    folder: tempfile::TempDir,
    cache: Cache,
    notes: Notes,
    server: Server,
}

impl Bed {
    fn new(files: Files) -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(&folder.path().join("cache")).unwrap();
        let server = Server::start(move |_, request| match files.get(&request.path) {
            Some(content) => Answer::ok(content),
            None => Answer::status("404 Not Found"),
        });
        Bed { folder, cache, notes: Notes::default(), server }
    }

    fn archive(&self) -> Archive {
        Archive::mirror(&self.server.url("debian"))
    }

    fn bench(&self) -> Bench<'_> {
        Bench { cache: &self.cache, report: &self.notes, offline: false, jobs: 1 }
    }

    /// The newest version of a package, found with an index that was fetched just now.
    fn version(&self, package: &str) -> Result<String, Error> {
        let bench = self.bench();
        let mut finder = Finder::at(&bench, self.archive(), KEYS);
        Ok(finder.index("trixie")?.package(package)?.version)
    }

    fn refuses(&self) -> String {
        match self.version("stub") {
            Err(Error::Signature { what, reason }) => format!("{what}: {reason}"),
            other => panic!("{other:?}"),
        }
    }

    fn asked_for(&self, end: &str) -> usize {
        self.server.requests().iter().filter(|request| request.path.ends_with(end)).count()
    }
}

#[test]
fn indexes_are_fetched_by_their_digest() {
    let bed = Bed::new(files());
    assert_eq!(bed.version("stub").unwrap(), "2.0-1+deb13u1", "the security suite's");
    assert_eq!((bed.asked_for("Packages.xz"), bed.asked_for(&hash(PACKAGES))), (0, 1));
    // The second time only what is signed anew each day is asked for.
    bed.version("kernel").unwrap();
    assert_eq!((bed.asked_for("InRelease"), bed.asked_for(&hash(PACKAGES))), (6, 1));
}

#[test]
fn a_mirror_without_digests_is_asked_by_name() {
    let mut files = files();
    let content = files.remove(&by_hash(SUITES[0].0, "binary-amd64", PACKAGES)).unwrap();
    files.insert(format!("{}/main/binary-amd64/Packages.xz", SUITES[0].0), content);
    let bed = Bed::new(files);
    assert_eq!(bed.version("kernel").unwrap(), "6-1");
}

/// All are signed by keys that count: what they are signed for decides.
#[test]
fn the_index_of_another_suite_or_archive_is_refused() {
    for (other, says) in [(1, "of `trixie-updates`, not of `trixie`"), (2, "of `Debian-Security`, not of `Debian`")] {
        let mut files = files();
        files.insert(OF_TRIXIE.into(), SUITES[other].1.into());
        let error = Bed::new(files).refuses();
        assert!(error.contains("Debian trixie InRelease") && error.contains(says), "{error}");
    }
}

#[test]
fn an_altered_index_and_one_of_a_foreign_key_are_refused() {
    let mut altered = files();
    let text = String::from_utf8_lossy(SUITES[0].1).replacen("Origin: Test", "Origin: Tset", 1);
    altered.insert(OF_TRIXIE.into(), text.into_bytes());
    assert!(Bed::new(altered).refuses().contains("does not fit"));
    let bed = Bed::new(files());
    let bench = bed.bench();
    let error = Finder::at(&bench, bed.archive(), &release::KEYS).index("trixie").unwrap_err().to_string();
    assert!(error.contains("no good signature of a known archive key"), "{error}");
}

#[test]
fn packages_that_the_signed_index_does_not_name_are_refused_and_not_kept() {
    let mut wrong = PACKAGES.to_vec();
    wrong[100] ^= 1;
    let mut files = files();
    files.insert(by_hash(SUITES[0].0, "binary-amd64", PACKAGES), wrong.clone());
    let bed = Bed::new(files);
    let error = bed.refuses();
    for part in [&hash(PACKAGES), &hash(&wrong), "trixie main/binary-amd64/Packages.xz", "ORLOP_DEBIAN_MIRROR"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!bed.cache.has(&hash(&wrong), None) && !bed.cache.has(&hash(PACKAGES), None));
}

#[test]
fn a_damaged_index_of_the_cache_is_fetched_again() {
    let bed = Bed::new(files());
    bed.version("stub").unwrap();
    // As big as the real one: only its digest tells.
    fs::write(bed.cache.blob_path(&hash(PACKAGES)), vec![b'x'; PACKAGES.len()]).unwrap();
    let bed = Bed { cache: Cache::at(&bed.folder.path().join("cache")).unwrap(), ..bed };
    assert_eq!(bed.version("kernel").unwrap(), "6-1");
    assert!(bed.notes.0.lock().unwrap().iter().any(|note| note.contains("is damaged")));
    assert_eq!(bed.asked_for(&hash(PACKAGES)), 2);
}

/// What is locked here: the kernel as the archive has it, and an older stub.
fn locked(project: &Project) -> Lockfile {
    let input = |name: &str, version: &str| Input {
        kind: "deb".into(),
        name: name.into(),
        version: version.into(),
        origin: format!("Debian trixie pool/{name}_{version}_amd64.deb"),
        sha256: hash(format!("{name} {version}").as_bytes()),
        size: Some(format!("{name} {version}").len() as u64),
    };
    let inputs = [("kernel", input("kernel", "6-1")), ("stub", input("stub", "1.0-1"))];
    Lockfile {
        version: VERSION,
        definition: "test".into(),
        request: project.request(),
        epoch: 1_700_000_000,
        inputs: inputs.map(|(name, input)| (name.to_owned(), input)).into(),
    }
}

fn project(bed: &Bed) -> Project {
    let path = bed.folder.path().join("test.toml");
    let text = "extends = \"orlop:node\"\nname = \"test\"\n[components.stub.source.deb]\npackage = \"stub\"\n";
    fs::write(&path, text).unwrap();
    Project::load(&path).unwrap()
}

#[test]
fn a_gone_package_is_locked_again_and_nothing_else() {
    let mut files = files();
    for (archive, file, content) in
        [("debian", "kernel_6-1", "kernel 6-1"), ("debian-security", "stub_2.0-1+deb13u1", "stub 2.0-1+deb13u1")]
    {
        files.insert(format!("{archive}/pool/{file}_amd64.deb"), content.into());
    }
    let bed = Bed::new(files);
    let (bench, project) = (bed.bench(), project(&bed));
    let before = locked(&project);
    let lost = download(&bench, &before, &|| Ok(bed.archive())).unwrap();
    assert_eq!(lost, [Gone { input: "stub".into(), locked: "stub 1.0-1".into(), replacement: None }]);
    let locked = relock_from(Finder::at(&bench, bed.archive(), KEYS), &project, &before, &lost).unwrap();
    let change = Change { input: "stub".into(), old: Some("1.0-1".into()), new: Some("2.0-1+deb13u1".into()) };
    assert_eq!(locked.changes, [change]);
    locked.write(&project).unwrap();
    let text = fs::read_to_string(project.lock_path()).unwrap();
    let after = orlop_config::lockfile::parse("test.lock", &text).unwrap();
    assert_eq!((&after.inputs["kernel"], after.epoch), (&before.inputs["kernel"], 1_795_252_544));
    assert_eq!(download(&bench, &after, &|| Ok(bed.archive())).unwrap(), []);
}

#[test]
fn a_tool_that_is_locked_again_brings_the_libraries_that_it_asks_for_now() {
    let bed = Bed::new(files());
    let (bench, project) = (bed.bench(), project(&bed));
    let mut before = locked(&project);
    let old = |name: &str| Input { name: name.into(), ..before.inputs["stub"].clone() };
    before.inputs = [("tool.erofs-utils", old("erofs-utils")), ("tool.erofs-utils.libc6", old("libc6"))]
        .map(|(name, input)| (name.to_owned(), input))
        .into();
    let gone = |input: &str| [Gone { input: input.into(), locked: String::new(), replacement: None }];
    let relock = |input: &str| {
        let finder = Finder::at(&bench, bed.archive(), KEYS);
        relock_from(finder, &project, &before, &gone(input)).unwrap().changes
    };
    let names = |changes: Vec<Change>| changes.into_iter().map(|change| change.input).collect::<Vec<_>>();
    assert_eq!(names(relock("tool.erofs-utils")), ["tool.erofs-utils", "tool.erofs-utils.zlib1g"]);
}

/// Packages without an image around them.
fn list(bed: &Bed) -> Project {
    let path = bed.folder.path().join("test.toml");
    let text = "kind = \"programs\"\nname = \"test\"\nkubernetes = \"1.37\"\n\
        [components.kernel.source.deb]\npackage = \"kernel\"\n[components.stub.source.deb]\npackage = \"stub\"\n";
    fs::write(&path, text).unwrap();
    Project::load(&path).unwrap()
}

/// What an update of what is locked comes to: input, old version and new one.
fn updated(bed: &Bed, before: &Lockfile, update: &Update) -> Result<(Vec<String>, Lockfile), Error> {
    let (bench, project) = (bed.bench(), list(bed));
    let finder = Finder::at(&bench, bed.archive(), KEYS);
    let locked = resolve(&bench, &project, Some(before), update, Some(finder))?;
    let version = |version: &Option<String>| version.clone().unwrap_or_default();
    let row = |change: &Change| format!("{} {} {}", change.input, version(&change.old), version(&change.new));
    Ok((locked.changes.iter().map(row).collect(), locked.lockfile))
}

#[test]
fn an_update_of_one_package_leaves_the_others_as_they_are() {
    let bed = Bed::new(files());
    let project = list(&bed);
    // The archive has a newer kernel, too.
    let mut before = locked(&project);
    let old = Input {
        version: "5-1".into(),
        origin: "Debian trixie pool/kernel_5-1_amd64.deb".into(),
        ..before.inputs["kernel"].clone()
    };
    before.inputs.insert("kernel".into(), old);
    // As the definition asked then, and as it was before somebody changed something else in it.
    for request in [project.request(), hash(b"of another state")] {
        let before = Lockfile { request, ..before.clone() };
        let (changes, after) = updated(&bed, &before, &Update::one("stub")).unwrap();
        assert_eq!(changes, ["stub 1.0-1 2.0-1+deb13u1"]);
        assert_eq!((&after.inputs["kernel"], after.request), (&before.inputs["kernel"], project.request()));
    }
}

#[test]
fn an_update_takes_the_version_that_was_asked_for_where_the_archive_has_it() {
    let bed = Bed::new(files());
    let before = locked(&list(&bed));
    let (changes, after) = updated(&bed, &before, &Update::one("stub@2.0-1")).unwrap();
    assert_eq!(changes, ["stub 1.0-1 2.0-1"]);
    assert_eq!(after.inputs["stub"].origin, "Debian trixie pool/stub_2.0-1_amd64.deb");
    let error = updated(&bed, &before, &Update::one("stub@9-1")).unwrap_err().to_string();
    assert!(error.contains("no version 9-1 of package `stub`"), "{error}");
    assert!(error.contains("there is 2.0-1, 2.0-1+deb13u1"), "{error}");
}

#[test]
fn what_is_newer_is_told_and_what_is_not_is_not() {
    let bed = Bed::new(files());
    let before = locked(&list(&bed));
    let (newer, after) = updated(&bed, &before, &Update::All).unwrap();
    assert_eq!(newer, ["stub 1.0-1 2.0-1+deb13u1"]);
    assert_eq!(updated(&bed, &after, &Update::All).unwrap().0, Vec::<String>::new());
}

#[test]
fn the_same_file_in_another_place_of_the_archive_is_nothing_newer() {
    let bed = Bed::new(files());
    let (bench, project) = (bed.bench(), list(&bed));
    let mut before = locked(&project);
    let kernel = before.inputs.get_mut("kernel").unwrap();
    kernel.origin = "Debian-Security trixie-security pool/updates/kernel_6-1_amd64.deb".into();
    let found = |before: &Lockfile| {
        let finder = Finder::at(&bench, bed.archive(), KEYS);
        resolve(&bench, &project, Some(before), &Update::All, Some(finder)).unwrap()
    };
    let names = |changes: Vec<Change>| changes.into_iter().map(|change| change.input).collect::<Vec<_>>();
    assert_eq!(names(found(&before).changes), ["kernel", "stub"], "a lockfile names the place, too");
    assert_eq!(names(newer_than(&before, found(&before))), ["stub"]);
    // Another file of the same version is one.
    before.inputs.get_mut("kernel").unwrap().sha256 = hash(b"another");
    assert_eq!(names(newer_than(&before, found(&before))), ["kernel", "stub"]);
}

#[test]
fn a_locked_package_is_known_by_suite_and_name_when_the_definition_has_changed() {
    let kernel = "linux-image-6.12.117+deb13-cloud-amd64";
    for (package, suite, follow, name, wanted) in [
        ("stub", "trixie", None, "stub", true),
        ("stub", "trixie", None, "stub-2", false),
        ("stub", "bookworm", None, "stub", false),
        ("stub", "tri", None, "stub", false),
        ("linux-image-cloud-amd64", "trixie", Some("linux-image-6."), kernel, true),
        ("linux-image-amd64", "trixie", Some("linux-image-6."), kernel, false),
        ("linux-image-rt-amd64", "trixie", Some("linux-image-6."), kernel, false),
        ("linux-image-cloud-amd64", "trixie", Some("linux-image-7."), kernel, false),
    ] {
        let source = DebSource { package: package.into(), suite: suite.into(), follow: follow.map(str::to_owned) };
        let input = Input {
            kind: "deb".into(),
            name: name.into(),
            version: "1".into(),
            origin: format!("Debian-Security trixie-security pool/{name}_1_amd64.deb"),
            sha256: hash(b""),
            size: None,
        };
        assert_eq!(fits(&source, &input), wanted, "{package} {suite} {follow:?} {name}");
    }
}
