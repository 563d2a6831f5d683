//! The licence texts beside a built image: what is in the image has them, or is named as having none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use orlop::image::licences::Licences;
use orlop::sources::Owner;
use serde_json::Value;

use crate::sbom::{CYCLONEDX, python};
use crate::support::{Desk, image, orlop, run};

fn licences() -> Licences {
    let path = image().with_extension("licences.json");
    Licences::parse(&fs::read(&path).expect("the build wrote it")).unwrap()
}

#[test]
fn every_module_and_crate_stands_there_with_its_texts_or_is_named_as_without() {
    let licences = licences();
    let have: BTreeSet<(String, String)> =
        licences.packages.iter().map(|package| (package.name.clone(), package.version.clone())).collect();
    let document = run(orlop().args(["sbom", "--format", "cyclonedx"]).arg(image())).json();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let is_part = |row: &&Value| row["bom-ref"].as_str().is_some_and(|of| of.starts_with("pkg:"));
    let parts: Vec<&Value> = document["components"].as_array().unwrap().iter().filter(is_part).collect();
    assert!(parts.len() > 100, "{}", parts.len());
    for part in parts {
        let key = (text(part, "name"), text(part, "version"));
        assert!(have.contains(&key), "{key:?} has no entry");
    }
    for (name, says) in [
        ("kernel", "GPL"),
        ("ca-certificates", "MPL"),
        ("k8s.io/kubernetes", "Apache License"),
        ("github.com/opencontainers/runc", "Apache License"),
        ("stdlib", "Redistribution and use"),
        ("libseccomp", "LESSER GENERAL PUBLIC LICENSE"),
        ("musl", "musl"),
        ("init", "Permission is hereby granted"),
    ] {
        let package = licences.packages.iter().find(|package| package.name == name);
        let package = package.unwrap_or_else(|| panic!("{name}"));
        let found =
            package.texts.values().any(|sha256| licences.texts[sha256].to_lowercase().contains(&says.to_lowercase()));
        assert!(found, "{name} has {:?}", package.texts.keys());
    }
    let without = licences.packages.iter().filter(|package| package.texts.is_empty()).count();
    assert_eq!(without, licences.without_text.len());
    assert!(without * 10 < licences.packages.len(), "{:?}", licences.without_text);
    assert!(licences.texts.values().all(|text| !text.trim().is_empty()));
}

/// Expressions, and no references to texts.
#[test]
fn most_packages_declare_an_expression_in_both_documents() {
    let beside = image().with_extension("licences.json");
    let sbom = |format: &str| {
        run(orlop().args(["sbom", "--format", format]).arg(image()).arg("--licences").arg(&beside)).json()
    };
    let (spdx, cyclonedx) = (sbom("spdx"), sbom("cyclonedx"));
    // Name and version → expression.
    let declared = |rows: &Value, version: &str, expression: &str| -> BTreeMap<(String, String), String> {
        let text = |row: &Value, key: &str| row.pointer(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| ((text(row, "/name"), text(row, version)), text(row, expression))).collect()
    };
    let spdx = declared(&spdx["packages"], "/versionInfo", "/licenseDeclared");
    let cyclonedx = declared(&cyclonedx["components"], "/version", "/licenses/0/expression");
    let licences = licences();
    let mut counts = [(0, 0); 2];
    for package in licences.packages.iter().filter(|package| matches!(package.owner, Owner::Go | Owner::Cargo)) {
        let key = (package.name.clone(), package.version.clone());
        // A component may have been compiled of more than the image has of it.
        let (Some(in_spdx), Some(in_cyclonedx)) = (spdx.get(&key), cyclonedx.get(&key)) else { continue };
        let count = &mut counts[usize::from(package.owner == Owner::Cargo)];
        count.1 += 1;
        if let Some(expression) = &package.declared {
            count.0 += 1;
            assert_eq!((in_spdx, in_cyclonedx), (expression, expression), "{}", package.label());
        }
    }
    let [(modules, of_modules), (crates, of_crates)] = counts;
    assert!(of_crates > 50 && crates == of_crates, "{crates} of {of_crates} crates");
    assert!(of_modules > 100 && modules * 4 > of_modules * 3, "{modules} of {of_modules} modules");
    let own_words = |name: &str| {
        let package = licences.packages.iter().find(|package| package.name == name);
        package.unwrap_or_else(|| panic!("{name}")).declared.as_deref()
    };
    for (name, expression) in [
        ("stdlib", Some("BSD-3-Clause")),
        ("github.com/containerd/containerd/v2", Some("Apache-2.0")),
        // A second text, `LICENSES/LICENSE`, has lines of its own around the licence.
        ("k8s.io/kubernetes", None),
        ("github.com/opencontainers/runc", Some("Apache-2.0")),
        ("init", Some("Apache-2.0 OR MIT")),
        // Theirs are no texts of these: the version of the LGPL is for people to read.
        ("libseccomp", None),
        ("musl", None),
    ] {
        assert_eq!(own_words(name), expression, "{name}");
    }
}

#[test]
fn the_standards_own_validators_accept_texts() {
    let desk = Desk::new();
    let beside = image().with_extension("licences.json");
    let write = |format: &str, name: &str| {
        let path = desk.path(name);
        let mut command = orlop();
        command.args(["sbom", "--format", format]).arg(image()).arg("--licences").arg(&beside);
        run(command.arg("--output").arg(&path)).done();
        path
    };
    let spdx = write("spdx", "sbom.spdx.json");
    let document: Value = serde_json::from_slice(&fs::read(&spdx).unwrap()).unwrap();
    assert!(document["hasExtractedLicensingInfos"].as_array().unwrap().len() > 10);
    let cyclonedx = write("cyclonedx", "sbom.cdx");
    for (arguments, file) in
        [(["-m", "spdx_tools.spdx.clitools.pyspdxtools", "--infile"], &spdx), (["-c", CYCLONEDX, ""], &cyclonedx)]
    {
        let arguments = arguments.iter().filter(|argument| !argument.is_empty());
        let output = python().args(arguments).arg(file).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}");
    }
}

#[test]
fn the_texts_of_another_image_are_refused() {
    let desk = Desk::new();
    let own = licences();
    let another = Licences { image: "another".into(), ..own.clone() };
    let another = desk.file("another.licences.json", another.render());
    // Another build of the same name and version.
    let hash = "ab".repeat(32);
    let build = Licences { root_hash: hash.clone(), ..own.clone() };
    let build = desk.file("build.licences.json", build.render());
    let (bad, missing) = (desk.file("bad.json", "{}"), desk.path("missing.json"));
    let image_is = format!("and the image is standalone 0.1.0 with the root hash {}", own.root_hash);
    for verb in ["sbom", "report"] {
        let given = |file: &std::path::Path| run(orlop().arg(verb).arg(image()).arg("--licences").arg(file));
        given(&another).fails(1, &["another.licences.json: of another 0.1.0 with the root hash", &image_is]);
        let says = format!("build.licences.json: of standalone 0.1.0 with the root hash {hash}, {image_is}");
        given(&build).fails(1, &[&says]);
        given(&bad).fails(1, &["bad.json: not a document of licence texts"]);
        given(&missing).fails(1, &["missing.json: cannot be opened", "No such file"]);
    }
}
