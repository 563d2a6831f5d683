use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::advisories::Database;
use crate::formats::go_binary::Functions;

mod changed;
mod debian;
mod exceptions;
mod gates;
mod judged;
mod outputs;
mod patched;
mod replaced;

/// Where the public databases' documents for tests lie.
fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/advisories")
}

fn database() -> Database {
    Database::load(&[samples()]).unwrap()
}

/// A database of documents made up here.
fn made_up(documents: &[Value]) -> Database {
    let folder = tempfile::tempdir().unwrap();
    for (number, document) in documents.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.json")), document.to_string()).unwrap();
    }
    Database::load(&[folder.path().to_owned()]).unwrap()
}

fn package(ecosystem: &str, name: &str, version: &str, path: &str) -> Package {
    let component = path.rsplit('/').next().unwrap();
    // A package of Debian is its component.
    let of = if ecosystem.starts_with("Debian") { version } else { "1.0" };
    Package {
        identity: Identity { ecosystem: ecosystem.into(), name: name.into(), version: Some(version.into()) },
        otherwise: None,
        by: By { component: component.into(), version: of.into() },
        path: path.into(),
        functions: None,
    }
}

/// The package in a program that has these functions.
fn with(mut package: Package, functions: &[&str]) -> Package {
    let mut all = Functions::default();
    functions.iter().for_each(|name| all.add(name, true));
    package.functions = Some(Arc::new(all));
    package
}

fn inventory(packages: Vec<Package>) -> Inventory {
    Inventory {
        image: "edge".into(),
        version: "1.4.0".into(),
        architecture: Some("amd64".into()),
        own: true,
        packages,
        ..Inventory::default()
    }
}

fn report(packages: Vec<Package>, database: &Database) -> Report {
    scan(&inventory(packages), database).unwrap()
}

/// What all of the tests look at: a module whose faulty functions are in one program, and not in another.
fn yaml() -> Vec<Package> {
    let yaml = |path: &str| package("Go", "gopkg.in/yaml.v2", "v2.2.3", path);
    vec![
        with(yaml("/usr/bin/kubelet"), &["gopkg.in/yaml%2ev2.Unmarshal"]),
        with(yaml("/usr/bin/containerd"), &["gopkg.in/yaml%2ev2.Marshal"]),
    ]
}
