//! A second Kubernetes minor is locked by its number alone. Needs the network.
#![cfg(feature = "slow")]

use orlop::sources::{Bench, Cache, Project, Silent, Update, lock};

#[test]
fn the_newest_patch_release_of_another_minor_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("older.toml");
    std::fs::write(&path, "extends = \"orlop:node\"\nname = \"older\"\nkubernetes = \"1.36\"\n").unwrap();
    let project = Project::load(&path).unwrap();
    let cache = Cache::open().unwrap();
    let bench = Bench { cache: &cache, report: &Silent, offline: false, jobs: 2 };
    let locked = lock(&bench, &project, None, &Update::Nothing).unwrap();
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
