//! The schemas, judged by another program: Python's `jsonschema` takes them for schemas, takes every definition and node config
//! of this repository by them, and refuses those that are wrong.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::sbom::python;
use crate::support::{orlop, run, workspace};
use crate::tools::says;

/// A line for each document: its first mistake, or nothing.
const VALIDATE: &str = r#"
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for text in json.load(open(sys.argv[2])):
    error = next(validator.iter_errors(text), None)
    print("" if error is None else json.dumps(error.message))
"#;

/// The first mistake of each TOML document; empty for none.
fn mistakes(schema: &str, documents: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let values: Vec<Value> = documents.iter().map(|text| toml::from_str(text).expect(text)).collect();
    let schema = write("schema.json", run(orlop().args(["schema", schema])).done());
    let documents = write("documents.json", &Value::Array(values).to_string());
    let said = says(python().args(["-c", VALIDATE]).arg(schema).arg(documents));
    said.lines().map(str::to_owned).collect()
}

/// The definitions in these folders.
fn definitions() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in ["images", "qemu-tests/images"] {
        for entry in fs::read_dir(workspace().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "toml") {
                found.push((path.clone(), read(&path)));
            }
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_definitions_of_this_repository_are_taken() {
    let (paths, texts): (Vec<_>, Vec<_>) = definitions().into_iter().unzip();
    assert!(paths.len() >= 8, "{paths:?}");
    let found = mistakes("definition", &texts);
    assert_eq!(found.len(), paths.len());
    for (path, mistake) in paths.iter().zip(found) {
        assert_eq!(mistake, "", "{}", path.display());
    }
}

/// What of the shipped node is replaced by what.
const WRONG: &[(&str, &str, &str)] = &[
    ("an unknown key", "class =", "clas ="),
    ("an unknown key deep down", "always = [", "allways = ["),
    ("an unknown key of a source", "follow = ", "folow = "),
    ("a wrong value", "refusal = \"reboot\"", "refusal = \"halt\""),
    ("a wrong type", "esp_mib = 256", "esp_mib = \"256\""),
    ("a wrong type in a list", "boot = [\"sha256_ssse3\"", "boot = [7"),
    ("a number below 0", "state_mib = 512", "state_mib = -1"),
    ("a kind of source that there is not", "[components.stub.source.deb]", "[components.stub.source.rpm]"),
    ("a name that is none", "name = \"node\"", "name = \"Node One\""),
    ("a version of Kubernetes that is none", "kubernetes = \"1.37\"", "kubernetes = \"v1.37\""),
    ("a missing key", "version = \"0.1.0\"\n", ""),
    ("a missing key deep down", "package = \"linux-image-cloud-amd64\"\n", ""),
];

#[test]
fn definitions_that_are_wrong_are_refused() {
    let node = read(&workspace().join("images/node.toml"));
    let changed = |(what, from, to): &(&str, &str, &str)| {
        assert!(node.contains(from), "{what}: the shipped node has no {from}");
        node.replacen(from, to, 1)
    };
    let found = mistakes("definition", &WRONG.iter().map(changed).collect::<Vec<_>>());
    assert_eq!(found.len(), WRONG.len());
    for ((what, ..), mistake) in WRONG.iter().zip(found) {
        assert_ne!(mistake, "", "{what}");
    }
    // What is required of the whole is not required of one that extends it, and all else is.
    let over = |text: &str| format!("extends = \"orlop:node\"\n{text}");
    let found = mistakes("definition", &[over("[kernel.modules]\nearly = []"), over("[kernel.modules]\nlate = []")]);
    assert_eq!(found[0], "");
    assert_ne!(found[1], "");
}

#[test]
fn node_configs_are_taken_and_wrong_ones_refused() {
    let folder = workspace().join("config/tests/node_config");
    let (least, full) = (read(&folder.join("least.toml")), read(&folder.join("full.toml")));
    // As the check takes them: with any blanks around the numbers.
    let sysctls = "[sysctls]\n\"net.core.somaxconn\" = \" 8192 \"\n\"net.ipv4.tcp_rmem\" = \"4096\\t5000  6000\\n\"\n";
    let spaced = format!("{least}\n{sysctls}");
    assert_eq!(mistakes("node-config", &[least.clone(), full, spaced]), ["", "", ""]);
    let wrong = [
        ("an unknown key", "[labels]\n[lables]\n"),
        ("a number out of range", "[kubelet]\nmax_pods = 0\n"),
        ("a number far down out of range", "[kubelet.eviction]\nmemory_available_mib = 1\n"),
        ("an unknown sysctl", "[sysctls]\n\"kernel.modules_disabled\" = 0\n"),
        ("a sysctl out of range", "[sysctls]\n\"vm.dirty_ratio\" = 99\n"),
        ("one number where there are two", "[sysctls]\n\"net.ipv4.ip_local_port_range\" = \"1024\"\n"),
        ("numbers in one", "[sysctls]\n\"net.ipv4.tcp_rmem\" = \"4096,5000,6000\"\n"),
        ("an unknown effect", "[[taints]]\nkey = \"a\"\neffect = \"NoRun\"\n"),
        ("a wrong type", "[time]\nservers = \"ntp.example\"\n"),
        ("a network without its prefix", "[[network.interfaces]]\nname = \"eth0\"\naddresses = [\"192.0.2.1\"]\n"),
        ("a hardware address that is none", "[[network.interfaces]]\nmac = \"52:54\"\n"),
        ("a taint without an effect", "[[taints]]\nkey = \"a\"\n"),
    ];
    let found = mistakes("node-config", &wrong.map(|(_, more)| format!("{least}\n{more}")));
    for ((what, _), mistake) in wrong.iter().zip(found) {
        assert_ne!(mistake, "", "{what}");
    }
    let later = mistakes("node-config", &[least.replacen("version = 1", "version = 2", 1)]);
    assert_ne!(later, [""]);
}
