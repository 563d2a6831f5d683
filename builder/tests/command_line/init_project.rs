//! `orlop init-project`: what it writes is sound, and its Makefile and CI call what there is. That it builds is tested over a
//! full cache (`tests/image/project.rs`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Parser;
use orlop::cli::Cli;
use orlop::sources::Project;

use crate::support::{Desk, names, orlop, run};

/// A desk with a project in `edge`.
fn project(arguments: &[&str]) -> Desk {
    let desk = Desk::new();
    run(orlop().arg("init-project").arg(desk.path("edge")).args(arguments)).done();
    desk
}

fn read(desk: &Desk, name: &str) -> String {
    fs::read_to_string(desk.path("edge").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_definition_is_one_with_its_lockfile() {
    for base in ["orlop:node", "orlop:standalone", "orlop:cluster"] {
        let desk = project(&["--extends", base]);
        let project = Project::load(&desk.path("edge/edge.toml")).unwrap();
        assert_eq!((project.definition().name.as_str(), project.resolved.files[1].as_str()), ("edge", base));
        let own = project.lockfile().unwrap();
        let shipped = Project::load(Path::new(base)).unwrap().lockfile().unwrap();
        assert_eq!((own.definition.as_str(), own.inputs, own.request), ("edge", shipped.inputs, shipped.request));
        // All that is missing is in the cache of others.
        let error = run(desk.build(&desk.path("edge/edge.toml")).arg("--offline"));
        error.fails(1, &["is not in the cache", "--offline opens no connection"]);
    }
}

#[test]
fn all_is_written_and_named() {
    let desk = Desk::new();
    let answer = run(orlop().args(["init-project", "--json"]).arg(desk.path("edge"))).json();
    assert_eq!(answer["name"], "edge");
    for file in answer["files"].as_array().unwrap() {
        let text = read(&desk, file.as_str().unwrap());
        assert!(!text.contains("@NAME@") && !text.contains("@BASE@"), "{file}");
    }
    let expected = [
        ".github",
        ".gitignore",
        ".gitlab-ci.yml",
        "Makefile",
        "README.md",
        "edge.go",
        "edge.lock",
        "edge.toml",
        "orlop-definition.schema.json",
    ];
    assert_eq!(names(&desk.path("edge")), expected);
    assert!(read(&desk, "edge.toml").starts_with("#:schema ./orlop-definition.schema.json\n"));
    let schema: serde_json::Value = serde_json::from_str(&read(&desk, "orlop-definition.schema.json")).unwrap();
    assert_eq!(schema, run(orlop().args(["schema", "definition"])).json());
}

/// The Makefile's targets, by its own list.
fn targets(desk: &Desk) -> BTreeSet<String> {
    let text = read(desk, "Makefile");
    let lines = text.lines().filter(|line| line.contains(" ## "));
    lines.filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned()).collect()
}

/// What `make` would run.
fn dry_run(desk: &Desk, target: &str) -> String {
    let mut make = Command::new("make");
    // Those of the make that runs the tests are not for this one.
    for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ORLOP", "KEYS", "OUT"] {
        make.env_remove(name);
    }
    make.args(["--dry-run", "--no-print-directory", "DB=osv more.zip", target]).current_dir(desk.path("edge"));
    run(&mut make).done().to_owned()
}

#[test]
fn the_makefile_calls_commands_that_there_are() {
    let desk = project(&[]);
    let mut verbs = BTreeSet::new();
    for target in targets(&desk) {
        let said = dry_run(&desk, &target);
        for line in said.lines().filter(|line| line.starts_with("orlop ")) {
            let words = line.split_once(" > ").map_or(line, |(words, _)| words).split_whitespace();
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("make {target}: {line}: {error}");
            }
            verbs.extend(line.split_whitespace().nth(1).map(str::to_owned));
        }
    }
    let expected = ["build", "cache", "keygen", "lock", "run", "sbom", "scan", "schema", "verify"];
    assert_eq!(verbs.into_iter().collect::<Vec<_>>(), expected);
    assert!(dry_run(&desk, "scan").contains("--db osv --db more.zip"));
}

#[test]
fn both_forges_run_targets_that_there_are() {
    let desk = project(&[]);
    let targets = targets(&desk);
    for file in [".github/workflows/image.yml", ".gitlab-ci.yml"] {
        let text = read(&desk, file);
        let lines = text.lines().map(|line| line.trim_start_matches([' ', '-']).trim_start_matches("run: "));
        let made: Vec<&str> = lines.filter_map(|line| line.strip_prefix("make ")).collect();
        assert!(made.contains(&"build") && made.contains(&"verify"), "{file}: {made:?}");
        for target in made {
            assert!(targets.contains(target), "{file}: make {target}");
        }
    }
}

#[test]
fn git_takes_no_key() {
    let desk = project(&[]);
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            git.env_remove(name);
        }
        git.args(arguments).current_dir(desk.path("edge")).env("GIT_CONFIG_GLOBAL", "/dev/null");
        run(&mut git).done().to_owned()
    };
    for folder in ["edge/keys", "edge/more"] {
        run(orlop().arg("keygen").arg(desk.path(folder)).arg("--development")).done();
    }
    desk.file("edge/out/edge.raw", "x");
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    let taken = git(&["ls-files"]);
    assert!(
        taken.lines().any(|file| file == "edge.lock") && taken.lines().any(|file| file == "more/release.pub"),
        "{taken}"
    );
    let refused = |file: &str| file.ends_with(".key") || file.starts_with("keys/") || file.starts_with("out/");
    assert_eq!(taken.lines().find(|file| refused(file)), None);
}

#[test]
fn a_folder_with_something_in_it_stays_as_it_is() {
    let desk = Desk::new();
    let mine = desk.file("edge/notes.txt", "mine");
    run(orlop().arg("init-project").arg(desk.path("edge"))).fails(2, &["edge: not empty", "`notes.txt`"]);
    assert_eq!(names(&desk.path("edge")), ["notes.txt"]);
    run(orlop().arg("init-project").arg(&mine).args(["--name", "edge"]))
        .fails(2, &["notes.txt: ", "new or empty folder"]);
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
}

#[test]
fn a_new_clone_and_an_empty_folder_are_taken() {
    let desk = Desk::new();
    desk.file("clone/.git/HEAD", "ref: refs/heads/main\n");
    fs::create_dir(desk.path("empty")).unwrap();
    for folder in ["clone", "empty"] {
        // From inside, as people do.
        run(orlop().args(["init-project", "."]).current_dir(desk.path(folder))).done();
        assert!(desk.path(folder).join(format!("{folder}.lock")).is_file());
        assert!(names(&desk.path(folder)).iter().all(|name| !name.starts_with(".orlop-")));
    }
    assert!(desk.path("clone/.git/HEAD").is_file());
}

#[test]
fn what_cannot_be_a_project_leaves_nothing() {
    let desk = Desk::new();
    let before = names(desk.path("x").parent().unwrap());
    let init =
        |folder: &str, arguments: &[&str]| run(orlop().arg("init-project").arg(desk.path(folder)).args(arguments));
    init("Edge", &[]).fails(2, &["`Edge` is not an image's name", "--name"]);
    init("edge", &["--name", "a\"\nb"]).fails(2, &["is not an image's name"]);
    init("edge", &["--extends", "orlop:noed"]).fails(2, &["orlop:noed", "orlop:cluster, orlop:node, orlop:standalone"]);
    init("no/such/edge", &[]).fails(1, &["no/such: cannot be written", "No such file"]);
    assert_eq!(names(desk.path("x").parent().unwrap()), before);
}
