//! Builds that end early: over a limit, without room, interrupted, or beside another one. What lies in the output
//! folder is whole or as it was before.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::shared_cache::share;
use crate::support::{Desk, Outcome, names, run, run_on, workspace};

const MADE: [&str; 11] = [
    "standalone.build.json",
    "standalone.db.crt",
    "standalone.efi",
    "standalone.licences.json",
    "standalone.provenance.json",
    "standalone.raw",
    "standalone.release.json",
    "standalone.release.json.sig",
    "standalone.release.pub",
    "standalone.sums.json",
    "standalone.surface.json",
];

/// Only these steps run anew: they take seconds.
const SHARED: &[&str] = &["go", "go-toolchain", "libseccomp", "vendor", "workspace", "zig"];

#[track_caller]
fn verifies(desk: &Desk, folder: &Path) {
    assert_eq!(names(folder), MADE);
    run(&mut desk.verify(&folder.join("standalone.raw"))).done();
}

#[test]
fn limits_of_the_definition_are_named_by_how_much() {
    let cases: [(&str, &[&str]); 4] = [
        ("files = 10", &["over its budget", "budgets.files = 10, but it is ", "more)", "kubelet"]),
        ("root_bytes = 1000", &["budgets.root_bytes = 1000", "raise the budget"]),
        ("[partitions]\nroot_mib = 8", &["partitions.root_mib = 8", "bytes more than fit", "write at least "]),
        (
            "[components.ca-certificates.install]\n\"/etc/ssl/more/\" = \"usr/share/ca-certificates/mozilla\"",
            &["/etc/ssl/more/", "(component `ca-certificates`)", "no pattern of the component's `allow` names it"],
        ),
    ];
    for (text, says) in cases {
        let desk = Desk::new();
        let definition = desk.copy_of_standalone(text);
        run(&mut desk.warm_build(&definition)).fails(1, says);
        desk.nothing_built();
    }
}

#[test]
fn a_go_module_that_is_not_the_locked_one_is_refused() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("");
    let module = desk.path("images/standalone.go/cni/go.mod");
    let text = fs::read_to_string(&module).unwrap();
    fs::write(&module, format!("{text}\n// altered\n")).unwrap();
    let says = ["standalone.go/cni", "go.mod and go.sum have SHA-256", "the lockfile says", "orlop lock"];
    run(desk.warm_build(&definition).arg("--offline")).fails(1, &says);
    fs::remove_file(&module).unwrap();
    run(desk.warm_build(&definition).arg("--offline")).fails(1, &["cni/go.mod is missing", "orlop lock"]);
    desk.nothing_built();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let desk = Desk::new();
    let file = desk.file("file", "");
    for out in [file.clone(), file.join("below"), "/proc/orlop".into(), "/dev/null".into()] {
        let mut build = desk.warm_build_into(&workspace().join("images/standalone.toml"), &out);
        let name = out.display().to_string();
        run(&mut build).fails(1, &[&name, "choose another folder with --out"]);
    }
    assert_eq!(fs::read(file).unwrap(), b"");
}

/// Builds into a file system of its own, mounted at the output folder with these options: what the build said, and
/// what it left there.
fn build_on(desk: &Desk, options: &str) -> (Outcome, String) {
    let build = desk.warm_build(&workspace().join("images/standalone.toml"));
    run_on(desk, "out", options, &build)
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let desk = Desk::new();
    for megabytes in [1, 14, 40, 60] {
        let (outcome, left) = build_on(&desk, &format!("size={megabytes}m"));
        outcome.fails(1, &["standalone.", "No space left on device", "make room, or choose another folder with --out"]);
        assert_eq!(left, "", "with {megabytes} MiB");
    }
}

#[test]
fn a_read_only_folder_is_named() {
    let desk = Desk::new();
    let (outcome, left) = build_on(&desk, "ro");
    outcome.fails(1, &["/out", "Read-only file system", "choose another folder with --out"]);
    assert_eq!(left, "");
}

/// A build into `out` with a cache that lacks what the last steps make.
fn fresh_build(desk: &Desk, out: &str) -> Command {
    let mut build = desk.warm_build_into(&workspace().join("images/standalone.toml"), &desk.path(out));
    build.env("ORLOP_CACHE", desk.path("cache")).stdout(Stdio::piped()).stderr(Stdio::piped());
    build
}

/// Looks until it is so, or the build has ended by itself; whether it was so.
fn until(build: &mut Child, so: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + orlop_machine::within(300);
    while !so() {
        assert!(Instant::now() < deadline, "the awaited point of the build did not come");
        if build.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    true
}

/// Whether a build has got so far.
type Reached<'a> = Box<dyn Fn() -> bool + 'a>;

#[test]
fn a_build_that_is_killed_at_any_point_succeeds_when_run_again() {
    let desk = Desk::new();
    let (cache, out) = (desk.path("cache"), desk.path("out"));
    share(&cache, SHARED);
    let begun = |step: &'static str| {
        let results = cache.join("results");
        move || names(&results).iter().any(|name| name.starts_with(&format!(".{step}-")))
    };
    let written = || names(&out).iter().any(|name| name.starts_with(".orlop-build-"));
    let points: [(&str, Reached<'_>); 5] = [
        ("packages", Box::new(begun("deb"))),
        ("tools", Box::new(begun("tool"))),
        ("state template", Box::new(begun("state-template"))),
        ("root image", Box::new(begun("root"))),
        ("disk image", Box::new(written)),
    ];
    for (point, so) in points {
        let mut build = fresh_build(&desk, "out").spawn().unwrap();
        assert!(until(&mut build, so), "the build ended before it was killed: {point}");
        build.kill().unwrap();
        build.wait().unwrap();
        let whole: Vec<String> = names(&out).into_iter().filter(|name| !name.starts_with('.')).collect();
        assert_eq!(whole, Vec::<String>::new(), "killed while it made {point}");
    }
    run(&mut fresh_build(&desk, "out")).done();
    verifies(&desk, &out);
    let left: Vec<String> = names(&cache.join("results")).into_iter().filter(|name| name.starts_with('.')).collect();
    assert_eq!(left, Vec::<String>::new(), "what an interrupted build left in the cache");
}

#[test]
fn two_builds_at_once_share_a_cache_and_an_output_folder() {
    let desk = Desk::new();
    share(&desk.path("cache"), SHARED);
    let builds = ["one", "other", "other"].map(|out| fresh_build(&desk, out).spawn().unwrap());
    for build in builds {
        let output = build.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let folders = ["one", "other"].map(|out| desk.path(out));
    for folder in &folders {
        verifies(&desk, folder);
    }
    let [one, other] = folders.map(|folder| fs::read(folder.join("standalone.sums.json")).unwrap());
    assert_eq!(one, other);
}

#[test]
fn nothing_changed_is_said_and_quick() {
    let desk = Desk::new();
    let definition = workspace().join("images/standalone.toml");
    run(&mut desk.warm_build(&definition)).done();
    let before = fs::metadata(desk.path("out/standalone.raw")).unwrap().modified().unwrap();
    let again = run(desk.warm_build(&definition).arg("--json"));
    assert_eq!(again.json()["unchanged"], true);
    assert!(again.stderr.contains("nothing changed"), "{}", again.stderr);
    assert_eq!(fs::metadata(desk.path("out/standalone.raw")).unwrap().modified().unwrap(), before);
    // What somebody altered or took away is made again.
    fs::remove_file(desk.path("out/standalone.sums.json")).unwrap();
    assert_eq!(run(desk.warm_build(&definition).arg("--json")).json().get("unchanged"), Some(&false.into()));
    verifies(&desk, &desk.path("out"));
}

#[test]
fn an_altered_companion_is_made_again() {
    let desk = Desk::new();
    let definition = workspace().join("images/standalone.toml");
    run(&mut desk.warm_build(&definition)).done();
    for name in MADE.iter().filter(|name| !name.ends_with(".build.json") && !name.ends_with(".raw")) {
        let path = desk.path("out").join(name);
        let good = fs::read(&path).unwrap();
        let mut bytes = good.clone();
        bytes[good.len() / 2] ^= 1;
        fs::write(&path, bytes).unwrap();
        let again = run(desk.warm_build(&definition).arg("--json"));
        assert_eq!(again.json()["unchanged"], false, "{name}");
        assert!(fs::read(&path).unwrap() == good, "{name}");
    }
    verifies(&desk, &desk.path("out"));
}
