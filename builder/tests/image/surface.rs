//! `orlop surface` over built images: what the build wrote beside the image is what the image has.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Desk, image, orlop, run, workspace};

fn surface(image: &std::path::Path) -> Value {
    run(orlop().args(["surface", "--json"]).arg(image)).json()
}

fn is(surface: &Value, what: &str) -> u64 {
    surface["numbers"][what]["is"].as_u64().unwrap_or_else(|| panic!("{what} in {surface}"))
}

#[test]
fn the_document_beside_the_image_is_what_the_image_has() {
    let read = surface(&image());
    let beside = fs::read(image().with_extension("surface.json")).expect("the build wrote it");
    assert_eq!(serde_json::from_slice::<Value>(&beside).unwrap(), read);
    for nothing in ["setuid", "capabilities", "interpreters"] {
        assert_eq!(is(&read, nothing), 0, "{nothing}");
    }
    // Counted by another reader of the same root.
    let files = run(orlop().args(["inspect", "--json"]).arg(image())).json()["files"].as_array().unwrap().clone();
    let of_kind = |wanted: &dyn Fn(&Value) -> bool| files.iter().filter(|file| wanted(file)).count() as u64;
    let regular = |file: &Value| file["kind"] == "file";
    let executable = |file: &Value| regular(file) && file["mode"].as_u64().unwrap() & 0o111 != 0;
    assert_eq!(is(&read, "files"), of_kind(&regular));
    assert_eq!(is(&read, "executables"), of_kind(&executable));
    let modules = of_kind(&|file| file["path"].as_str().unwrap().ends_with(".ko.xz"));
    assert!(modules > 50 && is(&read, "modules") >= modules, "{modules} in the root: {read}");
    let release: Value = serde_json::from_slice(&fs::read(image().with_extension("release.json")).unwrap()).unwrap();
    assert_eq!(is(&read, "root_bytes"), release["root_bytes"].as_u64().unwrap());
    assert!((100_000..3_000_000).contains(&is(&read, "init_bytes")), "{read}");
    assert!((1000..20_000).contains(&is(&read, "init_lines")), "{read}");
    assert!(is(&read, "uki_bytes") <= fs::metadata(image().with_extension("efi")).unwrap().len());
}

/// The probe image has one pod more, and a program for it in a container image: no executable of the root.
#[test]
fn beside_another_image_what_changed_is_listed() {
    let named = std::env::var_os("ORLOP_TEST_PROBE_IMAGE").map(PathBuf::from);
    let probe = named.unwrap_or_else(|| workspace().join("out/probe/standalone.raw"));
    let both = run(orlop().args(["surface", "--json", "--previous"]).arg(image()).arg(&probe)).json();
    let changed: Vec<&str> =
        both["changes"].as_array().unwrap().iter().map(|change| change["what"].as_str().unwrap()).collect();
    assert!(changed.contains(&"files") && changed.contains(&"root_bytes"), "{changed:?}");
    assert!(!changed.contains(&"executables") && !changed.contains(&"modules"), "{changed:?}");
    assert_eq!(is(&both, "files"), is(&both["previous"], "files") + 2);
    let difference = run(orlop().args(["diff", "--json"]).arg(image()).arg(&probe)).json();
    assert_eq!(difference["surface"], both["changes"]);
}

#[test]
fn a_document_that_was_altered_is_refused() {
    let desk = Desk::new();
    let copies = ["release.json", "release.json.sig", "surface.json"].map(|end| {
        let to = desk.path(&format!("standalone.{end}"));
        fs::copy(image().with_extension(end), &to).unwrap();
        to
    });
    let verify = || {
        let mut command = crate::support::verify_as_built(&image());
        run(command.arg("--manifest").arg(&copies[0]))
    };
    assert!(verify().done().contains("standalone.surface.json beside it"), "{}", verify().stdout);
    let text = fs::read_to_string(&copies[2]).unwrap();
    fs::write(&copies[2], text.replacen("\"is\": 0", "\"is\": 1", 1)).unwrap();
    verify().fails(3, &["stage=release-manifest ", "standalone.surface.json: not the document that it names"]);
    fs::remove_file(&copies[2]).unwrap();
    assert!(!verify().done().contains("surface.json"), "what was not brought along claims nothing");
}

#[test]
fn a_build_over_a_budget_leaves_no_image() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("modules = 10\ninit_lines = 10");
    let says = ["budgets.modules = 10, but it is ", "drivers/net", "budgets.init_lines = 10", "raise the budget"];
    run(&mut desk.warm_build(&definition)).fails(1, &says);
    desk.nothing_built();
}
