//! kubelet's configuration beside the types of the kubelet that the image's is compiled of, out of the go command's cache.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use orlop::sources::{Bench, Cache, Project, Silent, check_kubelet};
use orlop_config::render;

use crate::shared_cache::user_cache;
use crate::support::{Desk, names, run, workspace};

/// The image that joins the lab's cluster, whose modules `make test-images` has fetched.
fn definition() -> PathBuf {
    workspace().join("qemu-tests/images/lab.toml")
}

/// What the build says of a configuration.
fn checked(text: &str) -> Result<(), String> {
    let cache = Cache::open().unwrap();
    let bench = Bench { cache: &cache, report: &Silent, offline: true, jobs: 1 };
    let project = Project::load(&definition()).unwrap();
    let lockfile = project.lockfile().unwrap();
    check_kubelet(&bench, &project, &lockfile, text).map_err(|error| error.to_string())
}

#[test]
fn a_misspelt_key_is_found_however_deep_it_stands() {
    let project = Project::load(&definition()).unwrap();
    let joined = render::widest_kubelet(project.definition());
    for sound in [&joined, &render::kubelet()] {
        checked(sound).unwrap_or_else(|error| panic!("{error}\n{sound}"));
    }
    for (right, wrong, named) in [
        ("kind:", "Kind:", "Kind"),
        ("maxPods:", "maxPod:", "maxPod"),
        ("    enabled: true\n", "    enable: true\n", "authentication.webhook.enable"),
        ("    clientCAFile:", "    clientCaFile:", "authentication.x509.clientCaFile"),
        ("    effect:", "    effects:", "registerWithTaints.effects"),
    ] {
        assert!(joined.contains(right), "{right}");
        let error = checked(&joined.replacen(right, wrong, 1)).unwrap_err();
        assert!(error.contains(&format!(" has no `{named}`, ")), "{error}");
    }
}

/// A cache like the user's, but for one line of one module's file.
fn cache_without(line: &str, desk: &Desk) -> PathBuf {
    let (user, cache) = (user_cache(), desk.path("cache"));
    let folder = format!("go/mod/k8s.io/{}", kubelets_module());
    let file = Path::new(&folder).join("config/v1beta1/types.go");
    // Each folder on the way is one of this cache's, with links to all else that is there.
    for above in [Path::new(""), Path::new("go"), Path::new("go/mod"), Path::new("go/mod/k8s.io")] {
        fs::create_dir_all(cache.join(above)).unwrap();
        for name in names(&user.join(above)) {
            let path = above.join(name);
            if !file.starts_with(&path) && path != Path::new("locks") {
                symlink(user.join(&path), cache.join(&path)).unwrap();
            }
        }
    }
    let text = fs::read_to_string(user.join(&file)).unwrap();
    let kept: String = text.lines().filter(|one| !one.contains(line)).map(|one| format!("{one}\n")).collect();
    assert!(kept.len() < text.len(), "{line}");
    fs::create_dir_all(cache.join(&file).parent().unwrap()).unwrap();
    fs::write(cache.join(&file), kept).unwrap();
    cache
}

/// `kubelet@v0.37.2`, which the image's kubelet is compiled of.
fn kubelets_module() -> String {
    let path = definition().with_extension("go").join("kubelet/go.mod");
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("replace k8s.io/kubelet => k8s.io/kubelet "));
    format!("kubelet@{}", line.expect("a version of k8s.io/kubelet"))
}

#[test]
fn a_build_fails_for_a_key_that_the_locked_kubelet_does_not_know() {
    let desk = Desk::new();
    let cache = cache_without("`json:\"maxPods,omitempty\"`", &desk);
    let mut build = desk.warm_build(&definition());
    let outcome = run(build.arg("--offline").env("ORLOP_CACHE", cache));
    let module = kubelets_module();
    let version = module.replacen("kubelet@v0.", "kubelet v1.", 1);
    let file = format!("/k8s.io/{module}/config/v1beta1/types.go: {version} has no `maxPods`, ");
    outcome.fails(1, &[file.as_str(), "`kubernetes`", "orlop lock DEFINITION"]);
    desk.nothing_built();
}
