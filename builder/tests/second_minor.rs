//! A second Kubernetes minor is locked by its number alone, and built. Needs the network.
#![cfg(any(feature = "image", feature = "slow"))]

use std::path::{Path, PathBuf};

use orlop::sources::{Bench, Cache, Project, Silent, Update, lock};

fn definition(folder: &Path) -> PathBuf {
    let path = folder.join("older.toml");
    std::fs::write(&path, "extends = \"orlop:node\"\nname = \"older\"\nkubernetes = \"1.36\"\n").unwrap();
    path
}

#[test]
fn the_newest_patch_release_of_another_minor_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let project = Project::load(&definition(folder.path())).unwrap();
    let cache = Cache::open().unwrap();
    let bench = Bench { cache: &cache, report: &Silent, offline: false, jobs: 2 };
    // With a lockfile of the other minor, as somebody has who asks for another number: what fits is kept.
    let shipped = Project::load(Path::new("orlop:node")).unwrap().lockfile().unwrap();
    let locked = lock(&bench, &project, Some(&shipped), &Update::Nothing).unwrap();
    assert_eq!(locked.lockfile.inputs["containerd"].version, shipped.inputs["containerd"].version);
    assert_eq!(locked.lockfile.inputs["toolchain.zig"], shipped.inputs["toolchain.zig"]);
    locked.write(&project).unwrap();
    // What was written is a lockfile of this definition, with a Go module whose staging modules fit.
    let lockfile = project.lockfile().unwrap();
    let version = &lockfile.inputs["kubelet"].version;
    let patch = version.strip_prefix("v1.36.").expect(version);
    let go_mod = std::fs::read_to_string(project.go_folder("kubelet").join("go.mod")).unwrap();
    assert!(go_mod.contains(&format!("k8s.io/api => k8s.io/api v0.36.{patch}\n")), "{go_mod}");
    // A second time nothing changes.
    let again = lock(&bench, &project, Some(&lockfile), &Update::Nothing).unwrap();
    assert_eq!(again.changes, []);
}

/// From its number to an image that `orlop verify` accepts, with the shipped definition's own budgets.
#[cfg(feature = "slow")]
#[test]
fn an_image_of_another_minor_is_built() {
    let desk = support::Desk::new();
    let definition = definition(&desk.path(""));
    support::run(support::orlop().arg("lock").arg(&definition)).done();
    support::run(&mut desk.warm_build(&definition)).done();
    let image = desk.path("out/older.raw");
    support::run(&mut desk.verify(&image)).done();
    let inspected = support::run(support::orlop().args(["inspect", "--json"]).arg(&image)).json();
    let kubelet = &inspected["components"]["kubelet"];
    assert!(kubelet["version"].as_str().unwrap().starts_with("v1.36."), "{kubelet}");
}

#[cfg(feature = "slow")]
#[path = "support/mod.rs"]
mod support;
