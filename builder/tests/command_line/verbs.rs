//! Every verb has help with an example; `--json` is one document and nothing else on standard output.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Desk, orlop, run};

const VERBS: [&str; 22] = [
    "keygen",
    "lock",
    "build",
    "sign",
    "attach",
    "sign-policy",
    "run",
    "inspect",
    "sbom",
    "provenance",
    "diff",
    "report",
    "config",
    "verify",
    "scan",
    "init-project",
    "cache",
    "schema",
    "completions",
    "man",
    "watch",
    "surface",
];

#[test]
fn every_verbs_help_has_an_example_of_it() {
    let overview = run(orlop().arg("--help"));
    for verb in VERBS {
        assert!(overview.done().contains(&format!("\n  {verb}")), "{}", overview.stdout);
        let help = run(orlop().args([verb, "--help"]));
        assert!(help.done().contains(&format!("Example:\n  orlop {verb} ")), "{}", help.stdout);
        assert!(help.stdout.contains("--json"), "{}", help.stdout);
    }
}

#[test]
fn wrong_usage_is_status_2() {
    for arguments in
        [&["bild"][..], &[], &["build"], &["build", "x.toml"], &["verify", "x.raw"], &["inspect", "a", "b"]]
    {
        let outcome = run(orlop().args(arguments));
        assert_eq!(outcome.status, Some(2), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty() && outcome.stderr.contains("Usage"), "{}", outcome.stderr);
    }
    let misspelt = run(orlop().args(["inspct", "x.raw"]));
    misspelt.fails(2, &["inspect"]);
    // No connection, or nothing written: neither can lock anything again.
    for other in ["--offline", "--plan"] {
        let both = ["build", "a.toml", "--keys", "k", "--relock-gone", other];
        run(orlop().args(both)).fails(2, &["cannot be used with", other]);
    }
}

#[test]
fn the_version_is_said() {
    assert!(run(orlop().arg("--version")).done().starts_with("orlop 0."));
}

#[test]
fn keygen_answers_in_json_with_paths_that_are_there() {
    let desk = Desk::new();
    let made = run(orlop().args(["keygen", "--json"]).arg(desk.path("release"))).json();
    let paths = |name: &str| -> Vec<&str> {
        made[name].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect()
    };
    assert_eq!(made["development"], false);
    for path in paths("secret") {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o600, "{path}");
    }
    let public = std::fs::read_to_string(paths("public")[0]).unwrap();
    assert!(public.starts_with("-----BEGIN PUBLIC KEY-----"), "{public}");
    assert!(std::path::Path::new(made["keys"].as_str().unwrap()).is_file());
    let development = std::fs::read_to_string(desk.public_key()).unwrap();
    assert!(development.starts_with("# orlop development key\n"), "{development}");
}

#[test]
fn a_failure_with_json_leaves_standard_output_empty() {
    let desk = Desk::new();
    run(orlop().args(["inspect", "--json"]).arg(desk.path("missing.raw"))).fails(1, &["missing.raw"]);
}

#[test]
fn a_refused_image_is_a_document_too() {
    let desk = Desk::new();
    let mut verify = desk.verify(&desk.file("text.raw", "not an image\n".repeat(1000)));
    verify.arg("--image-only");
    run(&mut verify).fails(3, &["stage=gpt"]);
    let outcome = run(verify.arg("--json"));
    assert_eq!(outcome.status, Some(3), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("stage=gpt"), "{}", outcome.stderr);
    let document: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(document["refused"]["stage"], "gpt");
    assert!(outcome.stderr.contains(document["refused"]["reason"].as_str().unwrap()), "{document}");
    assert_eq!(document["passed"], serde_json::json!([]));
}
