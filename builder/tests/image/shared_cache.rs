//! A cache that shares with the user's what a test may share, and makes the rest itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::names;

/// The user's cache, where the program looks for it.
pub fn user_cache() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("ORLOP_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|folder| folder.join("orlop")))
        .or_else(|| named("HOME").map(|home| home.join(".cache/orlop")))
        .expect("ORLOP_CACHE or HOME")
}

/// Makes a cache in `folder` that shares downloads and Go's own caches, and the results of these steps.
pub fn share(folder: &Path, steps: &[&str]) {
    let user = user_cache();
    fs::create_dir_all(folder.join("results")).unwrap();
    for name in ["sha256", "go"] {
        symlink(user.join(name), folder.join(name)).unwrap();
    }
    for name in names(&user.join("results")) {
        if steps.iter().any(|step| is_result_of(&name, step)) {
            symlink(user.join("results").join(&name), folder.join("results").join(&name)).unwrap();
        }
    }
}

/// `go-0123…` is a result of `go`; `go-toolchain-0123…` is not.
pub fn is_result_of(name: &str, step: &str) -> bool {
    let digest = name.strip_prefix(step).and_then(|rest| rest.strip_prefix('-'));
    digest.is_some_and(|digest| digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
