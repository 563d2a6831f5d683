//! The licence texts beside a built image: what is in the image has them, or is named as having none.

use std::collections::BTreeSet;
use std::fs;

use orlop::image::licences::Licences;
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
    let mut licences = licences();
    licences.image = "another".into();
    let other = desk.file("another.licences.json", licences.render());
    let sbom = |file: &std::path::Path| {
        let mut command = orlop();
        command.arg("sbom").arg(image()).arg("--licences").arg(file);
        run(&mut command)
    };
    sbom(&other).fails(1, &["another.licences.json: of another 0.1.0, and the image is standalone 0.1.0"]);
    sbom(&desk.file("bad.json", "{}")).fails(1, &["bad.json: not a document of licence texts"]);
    sbom(&desk.path("missing.json")).fails(1, &["missing.json: cannot be opened", "No such file"]);
}
