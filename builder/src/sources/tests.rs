//! Whole projects in a folder of their own, with a cache of their own and a local server.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use orlop_config::lockfile::{Input, Lockfile, VERSION};

use super::server::{Answer, Server};
use super::*;

const BODY: &[u8] = b"a release file";

/// Remembers what was reported.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Report for Log {
    fn begin(&self, step: &str) {
        self.0.lock().unwrap().push(step.into());
    }
    fn end(&self, _step: &str, _outcome: &str, _took: Duration) {}
    fn bytes(&self, _step: &str, _done: u64, _total: Option<u64>) {}
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.into());
    }
}

struct Bed {
    folder: tempfile::TempDir,
    cache: Cache,
    log: Log,
    project: Project,
}

impl Bed {
    /// A definition whose kernel is a file of a server and whose stub is a file of the user.
    fn new(url: &str, unpack: bool, sha256: &str) -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "name = \"test\"\nversion = \"1\"\narchitecture = \"x86_64\"\nclass = \"public\"\nkubernetes = \"1.37\"\n\
             stub = \"stub\"\n[kernel]\ncomponent = \"kernel\"\ncommand_line = [\"gpt\", \"panic=10\"]\n[kernel.modules]\nboot = [\"efivarfs\"]\n\
             boot_by_alias = []\nearly = []\nalways = []\nby_alias = []\n[components.kernel.source.url]\n\
             url = \"{url}\"\nsha256 = \"{sha256}\"\nversion = \"7\"\nunpack = {unpack}\n\
             [components.stub.source.file]\npath = \"own\"\n\
             [preload.\"localhost/pause:1\"]\ncomponent = \"stub\"\nfiles = {{ \"/pause\" = \"stub.efi\" }}\n\
             entrypoint = [\"/pause\"]\n\
             [budgets]\nroot_bytes = 1000000\nfiles = 10\nexecutables = 10\n"
        );
        let path = folder.path().join("test.toml");
        fs::write(&path, text).unwrap();
        fs::create_dir(folder.path().join("own")).unwrap();
        fs::write(folder.path().join("own/stub.efi"), "stub").unwrap();
        let cache = Cache::at(&folder.path().join("cache")).unwrap();
        let project = Project::load(&path).unwrap();
        Bed { folder, cache, log: Log::default(), project }
    }

    fn bench(&self, offline: bool) -> Bench<'_> {
        Bench { cache: &self.cache, report: &self.log, offline, jobs: 1 }
    }

    /// What `lock` would make of it, without the tools of every image.
    fn lockfile(&self) -> Lockfile {
        let mut inputs = BTreeMap::new();
        for (name, component) in &self.project.definition().components {
            let input = match &component.source {
                Source::Url(source) => url::lock(name, source),
                Source::File(source) => file::lock(&self.project, name, source).unwrap(),
                other => panic!("{other:?}"),
            };
            inputs.insert(name.clone(), input);
        }
        let (definition, request) = ("test".into(), self.project.request());
        Lockfile { version: VERSION, definition, request, epoch: 0, inputs }
    }

    fn produce(&self, offline: bool) -> Result<BTreeMap<String, Produced>, Error> {
        produce_all(&self.bench(offline), &self.project, &self.lockfile())
    }
}

fn server(body: &[u8]) -> Server {
    let body = body.to_vec();
    Server::start(move |_, _| Answer::ok(&body))
}

#[test]
fn a_file_of_a_server_and_files_of_the_user() {
    let server = server(BODY);
    let bed = Bed::new(&server.url("x/kernel-7.bin?y=z"), false, &hash(BODY));
    let produced = bed.produce(false).unwrap();
    let kernel = &produced["kernel"];
    assert_eq!(kernel.files.keys().collect::<Vec<_>>(), ["kernel-7.bin"]);
    assert_eq!(fs::read(&kernel.files["kernel-7.bin"].path).unwrap(), BODY);
    assert_eq!((kernel.version.as_str(), kernel.sha256.as_str()), ("7", hash(BODY).as_str()));
    assert_eq!(produced["stub"].files.keys().collect::<Vec<_>>(), ["stub.efi"]);
    // The second time nothing is done: no step, no connection.
    let steps = bed.log.0.lock().unwrap().len();
    assert_eq!(bed.produce(true).unwrap(), produced);
    assert_eq!((bed.log.0.lock().unwrap().len(), server.requests().len()), (steps, 1));
}

#[test]
fn an_archive_of_a_server_is_unpacked() {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o755);
    header.set_cksum();
    tar.append_data(&mut header, "top/bin/tool", b"tool".as_slice()).unwrap();
    let archive = tar.into_inner().unwrap().finish().unwrap();
    let bed = Bed::new(&server(&archive).url("tool.tar.gz"), true, &hash(&archive));
    let produced = bed.produce(false).unwrap();
    let tool = &produced["kernel"].files["top/bin/tool"];
    assert!(matches!(tool.kind, ProducedKind::File { size: 4, executable: true, .. }));
}

#[test]
fn offline_with_an_empty_cache_names_the_input_and_opens_no_connection() {
    let server = server(BODY);
    let bed = Bed::new(&server.url("kernel"), false, &hash(BODY));
    for error in [bed.produce(true).unwrap_err(), fetch(&bed.bench(true), &bed.project, &bed.lockfile()).unwrap_err()] {
        let text = error.to_string();
        assert!(text.contains("`kernel`") && text.contains("orlop lock --fetch"), "{text}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn fetching_first_lets_an_offline_build_be() {
    let server = server(BODY);
    let bed = Bed::new(&server.url("kernel"), false, &hash(BODY));
    fetch(&bed.bench(false), &bed.project, &bed.lockfile()).unwrap();
    bed.produce(true).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_wrong_hash_names_the_component_and_leaves_no_result() {
    let server = server(b"something else");
    let bed = Bed::new(&server.url("kernel"), false, &hash(BODY));
    let error = bed.produce(false).unwrap_err();
    assert!(matches!(&error, Error::WrongHash { input, .. } if input == "kernel"), "{error}");
    let left: Vec<_> = fs::read_dir(bed.folder.path().join("cache/results")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_damaged_blob_is_fetched_again_and_said_so() {
    let server = server(BODY);
    let bed = Bed::new(&server.url("kernel"), false, &hash(BODY));
    fetch(&bed.bench(false), &bed.project, &bed.lockfile()).unwrap();
    fs::write(bed.cache.blob_path(&hash(BODY)), b"a damaged file").unwrap();
    let bed = Bed { cache: Cache::at(&bed.folder.path().join("cache")).unwrap(), ..bed };
    bed.produce(false).unwrap();
    assert!(bed.log.0.lock().unwrap().iter().any(|line| line.contains("damaged")));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn files_of_the_user_are_those_that_were_locked() {
    let server = server(BODY);
    let bed = Bed::new(&server.url("kernel"), false, &hash(BODY));
    let before = bed.lockfile();
    fs::write(bed.folder.path().join("own/stub.efi"), "changed").unwrap();
    let error = produce_all(&bed.bench(false), &bed.project, &before).unwrap_err().to_string();
    assert!(error.contains("`stub`") && error.contains("orlop lock DEFINITION --update stub"), "{error}");
    fs::remove_dir_all(bed.folder.path().join("own")).unwrap();
    let error = produce_all(&bed.bench(false), &bed.project, &before).unwrap_err().to_string();
    assert!(error.contains("own (component `stub`): No such file"), "{error}");
}

#[test]
fn a_lockfile_without_an_input_names_it() {
    let server = server(BODY);
    let bed = Bed::new(&server.url("kernel"), false, &hash(BODY));
    let mut lockfile = bed.lockfile();
    lockfile.inputs.remove("kernel");
    let error = produce_all(&bed.bench(false), &bed.project, &lockfile).unwrap_err().to_string();
    assert!(error.contains("no input `kernel`") && error.contains("orlop lock"), "{error}");
}

#[test]
fn a_package_that_is_gone_is_an_error_of_its_own() {
    let input = Input {
        kind: "deb".into(),
        name: "linux-image-6.1".into(),
        version: "6.1-1".into(),
        origin: "Debian trixie pool/x.deb".into(),
        sha256: hash(BODY),
        size: None,
    };
    let missing = || Error::NotFound { url: "x".into(), status: 404 };
    let error = bench::explain("kernel", &input, missing()).to_string();
    assert!(error.contains("linux-image-6.1 6.1-1") && error.contains("--relock-gone"), "{error}");
    let gone = Gone { input: "kernel".into(), locked: "a 1".into(), replacement: Some("b 2".into()) };
    assert!(Error::Gone(vec![gone]).to_string().contains("`kernel`: a 1 was replaced by b 2"));
    let of_a_server = Input { kind: "url".into(), ..input };
    assert!(matches!(bench::explain("kernel", &of_a_server, missing()), Error::NotFound { .. }));
}

#[test]
fn shipped_definitions_are_found_from_anywhere() {
    let names = shipped::definitions();
    assert!(names.contains(&"orlop:node".to_string()) && names.contains(&"orlop:standalone".to_string()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    fs::write(&path, "extends = \"orlop:standalone\"\nname = \"mine\"\n").unwrap();
    let project = Project::load(&path).unwrap();
    assert_eq!(project.resolved.files[1..], ["orlop:standalone", "orlop:node"]);
    fs::write(&path, "extends = \"orlop:nothing\"\nname = \"mine\"\n").unwrap();
    let error = format!("{:#}", anyhow::Error::from(Project::load(&path).unwrap_err()));
    assert!(error.contains("orlop:nothing") && error.contains("orlop:node"), "{error}");
}

#[test]
fn a_shipped_definition_comes_with_its_lockfile_and_modules() {
    let bed = Bed::new("http://localhost/kernel", false, &hash(BODY));
    for name in ["orlop:standalone", "orlop:standalone.toml"] {
        let project = Project::load(Path::new(name)).unwrap();
        let lockfile = project.lockfile().unwrap();
        lock::module(&project, &lockfile, "kubelet").unwrap();
        assert_eq!(hash(&project.lock_bytes().unwrap()), hash(shipped::file("standalone.lock").unwrap()));
        // Nothing is resolved for a lockfile that cannot be written.
        let gone = [Gone { input: "kernel".into(), locked: String::new(), replacement: None }];
        let bench = bed.bench(false);
        let refused = [lock(&bench, &project, None, &Update::All), relock_gone(&bench, &project, &lockfile, &gone)];
        for error in refused.map(|result| result.unwrap_err().to_string()) {
            assert!(error.contains("extends = \"orlop:standalone\""), "{error}");
        }
    }
    assert!(bed.log.0.lock().unwrap().is_empty());
}

#[test]
fn a_go_module_of_another_version_than_the_lockfile_says_is_refused() {
    let project = Project::load(Path::new("orlop:node")).unwrap();
    let mut lockfile = project.lockfile().unwrap();
    lockfile.inputs.get_mut("kubelet").unwrap().version = "v1.37.99".into();
    let error = lock::module(&project, &lockfile, "kubelet").unwrap_err().to_string();
    assert!(error.contains("does not require k8s.io/kubernetes v1.37.99") && error.contains("orlop lock"), "{error}");
}

#[test]
fn what_a_lockfile_says_of_a_file_is_what_the_definition_says() {
    let bed = Bed::new("http://localhost/kernel", false, &hash(BODY));
    let altered = |input: &str, alter: &dyn Fn(&mut Input)| {
        let mut lockfile = bed.lockfile();
        alter(lockfile.inputs.get_mut(input).unwrap());
        altered::altered(bed.project.definition(), input, &lockfile.inputs[input])
    };
    assert_eq!(altered("kernel", &|_| {}), None);
    type Case = (&'static str, fn(&mut Input), &'static str);
    let cases: [Case; 6] = [
        ("kernel", |input| input.version = "8".into(), "version is `8`"),
        ("kernel", |input| input.origin = "http://elsewhere/kernel".into(), "origin is `http://elsewhere/kernel`"),
        ("kernel", |input| input.sha256 = hash(b"other"), "sha256 is"),
        ("kernel", |input| input.kind = "file".into(), "kind is `file`"),
        ("stub", |input| input.version = "8".into(), "version is `8`"),
        ("stub", |input| input.origin = "theirs".into(), "origin is `theirs`"),
    ];
    for (input, alter, says) in cases {
        let what = altered(input, &alter).expect(says);
        assert!(what.contains(says), "{input}: {what}");
    }
}

#[test]
fn locking_again_resolves_what_was_altered_and_nothing_else() {
    let bed = Bed::new("http://localhost/kernel", false, &hash(BODY));
    for (path, content) in shipped::files().iter().filter(|(path, _)| path.starts_with("node.")) {
        let path = bed.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let project = Project::load(&bed.folder.path().join("node.toml")).unwrap();
    let before = project.lockfile().unwrap();
    // Without a network: all of it is kept.
    let again = |before: &Lockfile| lock(&bed.bench(true), &project, Some(before), &Update::Nothing);
    assert_eq!(again(&before).unwrap().changes, []);
    let alter = |name: &str| {
        let mut before = before.clone();
        before.inputs.get_mut(name).unwrap().version = "0.0.9".into();
        before
    };
    let own = again(&alter("cri")).unwrap();
    assert_eq!(own.changes.iter().map(|change| change.input.as_str()).collect::<Vec<_>>(), ["cri"]);
    for name in ["kernel", "library.libseccomp", "tool.e2fsprogs", "tool.e2fsprogs.libblkid1"] {
        let error = again(&alter(name)).unwrap_err();
        assert!(matches!(&error, Error::Offline { input } if input == "the index of trixie"), "{name}: {error}");
    }
    assert!(matches!(again(&alter("kubelet")), Err(Error::Offline { input }) if input == "kubelet"));
    assert!(matches!(again(&alter("toolchain.zig")), Err(Error::Offline { input }) if input == "toolchain.zig"));
}

#[test]
fn where_a_file_lies_on_this_machine_is_nobodys_business() {
    let origin = |path: &str| {
        let source = toml::from_str(&format!("path = \"{path}\"")).unwrap();
        file::origin(&source)
    };
    assert_eq!(origin("own/stub"), "own/stub");
    assert_eq!(origin("../own"), "../own");
    assert_eq!(origin("/home/somebody/own/stub.efi"), "stub.efi");
}

#[test]
fn a_release_file_is_accepted_in_the_definition_alone() {
    let server = server(b"something else");
    let bed = Bed::new(&server.url("kernel"), false, &hash(BODY));
    for error in [bed.produce(false).unwrap_err(), fetch(&bed.bench(false), &bed.project, &bed.lockfile()).unwrap_err()]
    {
        let text = error.to_string();
        assert!(text.contains("change `sha256` of component `kernel` in the definition"), "{text}");
        assert!(!text.contains("--update"), "{text}");
    }
}

#[test]
fn what_the_system_said_is_said_once() {
    let bed = Bed::new("http://localhost/kernel", false, &hash(BODY));
    let source: Error = fs::read("nowhere").at("nowhere").unwrap_err();
    let lockfile = bed.project.lockfile().unwrap_err();
    let definition = Project::load(Path::new("nowhere.toml")).unwrap_err();
    for error in [anyhow::Error::from(source), lockfile.into(), definition.into()] {
        let text = format!("{error:#}");
        assert_eq!(text.matches("No such file").count(), 1, "{text}");
    }
}

/// Whoever names a file does not fill the memory.
#[test]
fn a_file_without_an_end_is_no_definition_and_no_lockfile() {
    let bed = Bed::new("http://localhost/kernel", false, &hash(BODY));
    let endless = |path: &Path| {
        let _ = fs::remove_file(path);
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    };
    endless(&bed.project.lock_path());
    let error = bed.project.lockfile().unwrap_err().to_string();
    assert!(error.contains("test.lock: more than 4194304 bytes, which no such file has; "), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    endless(&path);
    let error = Project::load(&path).unwrap_err().to_string();
    assert!(error.contains("mine.toml: more than 4194304 bytes, which no such file has; name a"), "{error}");
    let above = folder.path().join("above.toml");
    fs::write(&above, "extends = \"mine.toml\"\n").unwrap();
    let error = format!("{:#}", anyhow::Error::from(Project::load(&above).unwrap_err()));
    assert!(error.contains("mine.toml") && error.contains(": more than 4194304 bytes"), "{error}");
}

#[test]
fn a_missing_lockfile_says_how_to_make_one() {
    let bed = Bed::new("http://localhost/kernel", false, &hash(BODY));
    let error = bed.project.lockfile().unwrap_err().to_string();
    assert!(error.contains("test.lock") && error.contains("orlop lock"), "{error}");
}
