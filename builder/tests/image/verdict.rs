//! What `inspect`, `verify` and `build --plan` say of an image that is as it was built.

use serde_json::Value;

use crate::support::{Desk, image, orlop, run, verify_as_built, workspace};

#[test]
fn inspect_shows_partitions_sections_versions_and_files() {
    let inspection = run(orlop().args(["inspect", "--json"]).arg(image())).json();
    let names: Vec<&str> =
        inspection["partitions"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    let all = [
        "esp",
        "root-a",
        "root-a-verity",
        "root-a-verity-sig",
        "root-b",
        "root-b-verity",
        "root-b-verity-sig",
        "state",
    ];
    assert_eq!(names, all);
    assert_eq!(inspection["damage"], Value::Null);
    let signers = &inspection["signers"];
    for part in ["uki", "root_hash", "policy"] {
        assert_eq!(signers[part], "Orlop development db", "{signers}");
    }
    let certificate = &signers["certificate"];
    assert_eq!((&certificate["development"], &certificate["valid_to"]), (&true.into(), &"2049-12-31T23:59:59Z".into()));
    assert_eq!(inspection["boot_manifest"]["trust"]["certificates"][0]["sha256"], certificate["sha256"]);
    assert_eq!(signers["release_keys"].as_array().unwrap().len(), 1, "{signers}");
    assert_eq!(signers["boot_manifest"], signers["release_keys"][0]["key"], "{signers}");
    let sections: Vec<&str> =
        inspection["uki"].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap()).collect();
    for section in [".osrel", ".cmdline", ".uname", ".initrd", ".linux", ".sbat"] {
        assert!(sections.contains(&section), "{sections:?}");
    }
    assert!(inspection["boot_manifest"]["command_line"].as_str().unwrap().ends_with(" --"));
    assert!(inspection["release_manifest"]["components"]["kubelet"].as_str().unwrap().starts_with("v1."));
    assert_eq!(inspection["components"]["kubelet"]["name"], "k8s.io/kubernetes");
    assert!(inspection["components"]["kernel"]["version"].as_str().unwrap().starts_with("6.12."));
    let files = inspection["files"].as_array().unwrap();
    let file = |path: &str| files.iter().find(|file| file["path"] == path).unwrap_or_else(|| panic!("{path}"));
    assert_eq!(file("/usr/bin/kubelet")["mode"], 0o755);
    assert_eq!(file("/usr/bin/mount")["target"], "../libexec/orlop/init");
    // By these paths the kernel starts them.
    assert_eq!(file("/sbin")["target"], "usr/sbin");
    assert_eq!(file("/usr/sbin/poweroff")["target"], "../libexec/orlop/init");
    assert_eq!(file("/usr/sbin/reboot")["target"], "../libexec/orlop/init");
    let text = run(orlop().arg("inspect").arg(image()));
    for part in [
        "UKI         Orlop development db",
        "valid 2020-01-01T00:00:00Z to",
        "root-a-verity-sig",
        ".linux",
        "root hash",
        "kubelet",
        "/usr/bin/containerd",
    ] {
        assert!(text.done().contains(part), "{part}");
    }
}

#[test]
fn verify_names_every_stage_that_passed() {
    let verify = |arguments: &[&str]| run(verify_as_built(&image()).arg("--json").args(arguments)).json();
    let verdict = verify(&[]);
    let stages: Vec<&str> =
        verdict["passed"].as_array().unwrap().iter().map(|row| row["stage"].as_str().unwrap()).collect();
    let all = [
        "gpt",
        "uki-signature",
        "extra",
        "release-signature",
        "release-manifest",
        "release-manifest",
        "uki",
        "uki",
        "disk",
        "signature-partition",
        "manifest-signature",
        "root-signature",
        "superblock",
        "tree",
        "ipe",
    ];
    assert_eq!(stages, all);
    assert_eq!((&verdict["image_only"], &verdict["image"]), (&Value::Bool(false), &Value::from("standalone")));
    assert_eq!(verify(&["--image-only"])["image_only"], true);
    run(verify_as_built(&image()).args(["--image-only", "--manifest", "x"])).fails(2, &["cannot be used with"]);
}

#[test]
fn a_plan_prints_the_layout_and_writes_nothing() {
    let desk = Desk::new();
    let definition = workspace().join("images/standalone.toml");
    let plan = run(desk.warm_build(&definition).arg("--plan"));
    for part in ["disk ", "root-a-verity-sig", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "attributes"] {
        assert!(plan.done().to_lowercase().contains(part), "{part}: {}", plan.stdout);
    }
    let document = run(desk.warm_build(&definition).args(["--plan", "--json"])).json();
    assert_eq!(document["layout"]["partitions"].as_array().unwrap().len(), 8, "{document}");
    desk.nothing_built();
}
