//! Two builds from one lockfile are byte for byte the same, whoever makes them, where and when.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compare::difference;
use crate::shared_cache::share;
#[cfg(feature = "slow")]
use crate::shared_cache::user_cache;
use crate::support::{Desk, run, workspace};

/// The build as it is everywhere else: the repository's definition and the user's cache. The root is made by one thread.
fn usual(desk: &Desk, cache: &Path) -> PathBuf {
    let mut build = desk.warm_build(&workspace().join("images/standalone.toml"));
    run(build.args(["--jobs", "1"]).env("ORLOP_CACHE", cache)).done();
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
    let mut command = somebody_else();
    let script = "test \"$(id -u)\" = 1234 || exit 99; umask 077 && exec \"$0\" \"$@\"";
    command.args(["sh", "-c", script]).arg(build.get_program()).args(build.get_args());
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

/// Starts programs as user and group 1234, who may do here what the caller may: called so in a user namespace of their
/// own; where there are none (root of some containers), root changes its name and keeps its rights as capabilities.
fn somebody_else() -> Command {
    let rights = "+dac_override,+dac_read_search,+fowner";
    let ways = [
        vec!["unshare".to_owned(), "-U".into(), "--map-user=1234".into(), "--map-group=1234".into()],
        vec![
            "setpriv".to_owned(),
            "--reuid=1234".into(),
            "--regid=1234".into(),
            "--clear-groups".into(),
            // access(2) too must see the capabilities: compilers look for their linkers by it.
            "--securebits=+no_setuid_fixup".into(),
            format!("--inh-caps={rights}"),
            format!("--ambient-caps={rights}"),
        ],
    ];
    let command = |way: &Vec<String>| {
        let mut command = Command::new(&way[0]);
        command.args(&way[1..]);
        command
    };
    let works = |way: &&Vec<String>| command(way).arg("true").output().is_ok_and(|output| output.status.success());
    let way = ways.iter().find(works);
    command(way.expect("neither `unshare -U --map-user` nor `setpriv --reuid` works here: no second user to build as"))
}

#[test]
fn a_build_elsewhere_is_the_same_to_the_byte() {
    let desk = Desk::new();
    let cache = desk.path("another-cache");
    // Downloads and Go's compilations are shared, and crates as they were downloaded; every step runs anew.
    share(&cache, &["vendor"]);
    // Here too the root is made anew.
    let here = desk.path("cache");
    share(&here, &["deb", "go", "go-toolchain", "libseccomp", "state-template", "tool", "vendor", "workspace", "zig"]);
    let folders = [usual(&desk, &here), elsewhere(&desk, &cache)];
    let found = difference([&folders[0], &folders[1]], [&here, &cache]);
    assert_eq!(found, None);
}

/// Everything is downloaded and compiled anew: half an hour.
#[cfg(feature = "slow")]
#[test]
fn a_build_that_shares_nothing_is_the_same_to_the_byte() {
    let desk = Desk::new();
    let cache = desk.path("another-cache");
    let folders = [usual(&desk, &user_cache()), elsewhere(&desk, &cache)];
    let found = difference([&folders[0], &folders[1]], [&user_cache(), &cache]);
    assert_eq!(found, None);
}
