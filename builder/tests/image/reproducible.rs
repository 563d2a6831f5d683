//! Two builds from one lockfile are byte for byte the same, whoever makes them, where and when.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compare::difference;
use crate::shared_cache::{share, user_cache};
use crate::support::{Desk, run, workspace};

/// The build as it is everywhere else: the repository's definition and the user's cache.
fn usual(desk: &Desk) -> PathBuf {
    run(&mut desk.warm_build(&workspace().join("images/standalone.toml"))).done();
    desk.path("out")
}

/// The same definition elsewhere, built by somebody else in another place with another cache.
fn elsewhere(desk: &Desk, cache: &Path) -> PathBuf {
    let definition = desk.copy_of_standalone("");
    let out = desk.path("somewhere/else/out");
    for folder in ["home", "temporary", "somewhere/else"] {
        std::fs::create_dir_all(desk.path(folder)).unwrap();
    }
    // rustup finds the pinned toolchain by the user's home: that it does is the machine's affair.
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let of_the_user = |name: &str, default: &str| std::env::var_os(name).map_or(home.join(default), PathBuf::from);
    let build = desk.warm_build_into(&definition, &out);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && exec \"$0\" \"$@\""]).arg(build.get_program()).args(build.get_args());
    command.args(["--jobs", "3"]).current_dir(desk.path("somewhere"));
    command.env("RUSTUP_HOME", of_the_user("RUSTUP_HOME", ".rustup"));
    command.env("CARGO_HOME", of_the_user("CARGO_HOME", ".cargo"));
    command.env("ORLOP_CACHE", cache).env("HOME", desk.path("home")).env("TMPDIR", desk.path("temporary"));
    command.env("TZ", "Asia/Kathmandu").env("LC_ALL", "tr_TR.UTF-8").env("LANG", "tr_TR.UTF-8");
    command.env("USER", "somebody").env("LOGNAME", "somebody").env("HOSTNAME", "elsewhere");
    // What a user's own settings could do to compilers and linkers.
    command.env("RUSTFLAGS", "-Cdebuginfo=2").env("CARGO_BUILD_TARGET", "wasm32-unknown-unknown");
    command
        .env("GOFLAGS", "-tags=wrong")
        .env("CGO_CFLAGS", "-O0")
        .env("CC", "false")
        .env("LD_LIBRARY_PATH", "/nowhere");
    run(&mut command).done();
    out
}

#[test]
fn a_build_elsewhere_is_the_same_to_the_byte() {
    let desk = Desk::new();
    let cache = desk.path("another-cache");
    // Downloads and Go's compilations are shared, and crates as they were downloaded; every step runs anew.
    share(&cache, &["vendor"]);
    let folders = [usual(&desk), elsewhere(&desk, &cache)];
    let found = difference([&folders[0], &folders[1]], [&user_cache(), &cache]);
    assert_eq!(found, None);
}

/// Everything is downloaded and compiled anew: half an hour.
#[cfg(feature = "slow")]
#[test]
fn a_build_that_shares_nothing_is_the_same_to_the_byte() {
    let desk = Desk::new();
    let cache = desk.path("another-cache");
    let folders = [usual(&desk), elsewhere(&desk, &cache)];
    let found = difference([&folders[0], &folders[1]], [&user_cache(), &cache]);
    assert_eq!(found, None);
}
