//! The committed code is what the committed definitions say. `ORLOP_REGENERATE=1` writes it instead.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Packages, and the modules that their code is in.
const PACKAGES: [(&str, &str); 7] = [
    (".containerd.services.content.v1", "content"),
    (".containerd.services.diff.v1", "diff"),
    (".containerd.services.images.v1", "images"),
    (".containerd.services.leases.v1", "leases"),
    (".containerd.services.snapshots.v1", "snapshots"),
    (".containerd.types", "types"),
    (".runtime.v1", "runtime"),
];

/// The definitions that have services.
const SERVICES: [&str; 6] =
    ["content.proto", "cri.proto", "diff.proto", "images.proto", "leases.proto", "snapshots.proto"];

/// File name → text.
type Generated = BTreeMap<String, String>;

/// The program's clients. Descriptors are shared by packages: made by themselves, referred to by path elsewhere.
fn clients() -> Generated {
    let builder = tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .extern_path(".containerd.types", "crate::proto::types");
    let mut files = generate(builder, &SERVICES);
    files.extend(generate(tonic_prost_build::configure(), &["descriptor.proto", "mount.proto"]));
    files
}

/// The servers of the tests' fake, which speak the program's own messages.
fn servers() -> Generated {
    let mut builder = tonic_prost_build::configure().build_client(false).build_transport(false);
    for (package, module) in PACKAGES {
        builder = builder.extern_path(package, format!("::orlop_cri::proto::{module}"));
    }
    generate(builder, &SERVICES)
}

/// Generates into a folder of its own and reads the files back.
fn generate(builder: tonic_prost_build::Builder, definitions: &[&str]) -> Generated {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let definitions = protox::compile(definitions, [folder]).expect("valid definitions");
    let out = tempfile::tempdir().expect("a folder");
    builder.emit_rerun_if_changed(false).out_dir(out.path()).compile_fds(definitions).expect("generated");
    fs::read_dir(out.path())
        .expect("generated files")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a plain name");
            (name, fs::read_to_string(entry.path()).expect("text"))
        })
        .collect()
}

fn committed_is_generated(folder: &str, generated: Generated) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    for (name, text) in generated {
        let path = folder.join(&name);
        if std::env::var_os("ORLOP_REGENERATE").is_some() {
            fs::write(&path, &text).expect("written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "{name} is not what the definitions say: ORLOP_REGENERATE=1 cargo test -p orlop-cri --test generated"
        );
    }
}

#[test]
fn the_clients_are_what_the_definitions_say() {
    committed_is_generated("src/proto", clients());
}

#[test]
fn the_fakes_servers_are_what_the_definitions_say() {
    committed_is_generated("tests/fake/proto", servers());
}
