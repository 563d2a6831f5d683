//! Inputs that do not come as they were locked. A definition with one component from an address of this machine,
//! whose lockfile names nothing else: the build ends where the rest would be wanted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use orlop::sources::{Project, hash};
use orlop_config::lockfile::{Input, Lockfile, render};

use crate::support::server::{Answer, Server};
use crate::support::{Desk, Outcome, names, run, run_on};

/// More than a few blocks, and nothing that a tar or a package would be.
pub const FILE: &[u8] = &[b'x'; 20_000];

/// A definition whose only locked download is `release.bin`.
pub fn definition(desk: &Desk, server: &Server, kind: &str) -> PathBuf {
    let (url, sha256) = (server.url("pool/release.bin"), hash(FILE));
    let source = match kind {
        "url" => format!("url = {{ url = \"{url}\", sha256 = \"{sha256}\", version = \"1\" }}"),
        _ => "deb.package = \"release\"".to_owned(),
    };
    let text = format!(
        "name = \"tiny\"\nversion = \"1\"\narchitecture = \"x86_64\"\nclass = \"public\"\nkubernetes = \"1.37\"\n\
         stub = \"release\"\n[kernel]\ncomponent = \"release\"\ncommand_line = [\"gpt\", \"panic=10\"]\n\
         [kernel.modules]\nboot = [\"efivarfs\"]\nboot_by_alias = []\nearly = []\nalways = []\nby_alias = []\n\
         [budgets]\nroot_bytes = 1\nfiles = 1\nexecutables = 1\n\
         [preload.\"localhost/pause:1\"]\ncomponent = \"release\"\nfiles = {{ \"/pause\" = \"release.bin\" }}\n\
         entrypoint = [\"/pause\"]\n[components.release.source]\n{source}\n"
    );
    let path = desk.file("tiny.toml", text);
    let project = Project::load(&path).unwrap();
    let origin = if kind == "url" { url } else { "Debian trixie pool/release_1_all.deb".into() };
    let input = Input {
        kind: kind.into(),
        name: "release".into(),
        version: "1".into(),
        origin,
        sha256,
        size: Some(FILE.len() as u64),
    };
    let lockfile = Lockfile {
        version: 1,
        definition: "tiny".into(),
        request: project.request(),
        epoch: 1_763_948_096,
        inputs: BTreeMap::from([("release".into(), input)]),
    };
    desk.file("tiny.lock", render(&lockfile));
    path
}

fn build(desk: &Desk, server: &Server, kind: &str, arguments: &[&str]) -> Outcome {
    let outcome = run(command(desk, server, kind).args(arguments));
    desk.nothing_built();
    outcome
}

/// A build of that definition.
pub fn command(desk: &Desk, server: &Server, kind: &str) -> Command {
    let mut command = desk.build(&definition(desk, server, kind));
    command.env("ORLOP_DEBIAN_MIRROR", server.url("").trim_end_matches('/')).env_remove("http_proxy");
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    command
}

/// What the build misses once the download is there.
pub const NEXT: &str = "has no input `tool.e2fsprogs`";

#[test]
fn a_file_that_arrives_is_kept_under_its_digest() {
    let (desk, server) = (Desk::new(), Server::start(Answer::File(FILE.into())));
    build(&desk, &server, "url", &[]).fails(1, &[NEXT, "orlop lock"]);
    let digest = hash(FILE);
    let kept = desk.path("cache/sha256").join(&digest[..2]).join(&digest[2..]);
    assert_eq!(std::fs::read(kept).unwrap(), FILE);
    // The second time it is there: nobody is asked, and no connection is needed.
    build(&desk, &server, "url", &["--offline"]).fails(1, &[NEXT]);
    assert_eq!(server.requests(), ["pool/release.bin"]);
}

#[test]
fn another_file_is_refused_and_not_kept() {
    let mut other = FILE.to_vec();
    other[0] ^= 1;
    let (desk, server) = (Desk::new(), Server::start(Answer::File(other.clone())));
    let (expected, got) = (hash(FILE), hash(&other));
    let says = [
        "input `release`",
        &expected,
        &got,
        "/pool/release.bin",
        "nothing was kept",
        "change `sha256` of component `release`",
    ];
    build(&desk, &server, "url", &[]).fails(1, &says);
    assert!(names(&desk.path("cache/sha256")).is_empty() && names(&desk.path("cache/partial")).is_empty());
    assert_eq!(server.requests().len(), 1, "a wrong file is no passing failure: asked again");
}

#[test]
fn a_cut_download_goes_on_where_it_ended() {
    let (desk, server) = (Desk::new(), Server::start(Answer::CutOnce(FILE.into(), 20)));
    build(&desk, &server, "url", &[]).fails(1, &[NEXT]);
    assert_eq!(server.requests().len(), 2);
    assert!(names(&desk.path("cache/partial")).is_empty());
}

#[test]
fn a_gone_package_is_its_own_kind_of_error() {
    let (desk, server) = (Desk::new(), Server::start(Answer::NotFound));
    let says = ["the archive dropped what was locked", "input `release`", "release 1", "--relock-gone"];
    build(&desk, &server, "deb", &[]).fails(1, &says);
    // Nobody asked for another lockfile.
    let lockfile = std::fs::read_to_string(desk.path("tiny.lock")).unwrap();
    assert!(lockfile.contains("origin = \"Debian trixie pool/release_1_all.deb\""), "{lockfile}");
}

#[test]
fn a_gone_release_file_says_its_address() {
    let (desk, server) = (Desk::new(), Server::start(Answer::NotFound));
    build(&desk, &server, "url", &[]).fails(1, &["/pool/release.bin", "404"]);
}

#[test]
fn a_network_that_is_not_there_says_what_to_look_at() {
    let (desk, server) = (Desk::new(), Server::closed());
    let says = ["/pool/release.bin", "after 5 attempts", "is there a network?", "https_proxy", "orlop lock --fetch"];
    build(&desk, &server, "url", &[]).fails(1, &says);
}

#[test]
fn an_empty_cache_without_a_network_says_what_fills_it() {
    let (desk, server) = (Desk::new(), Server::start(Answer::File(FILE.into())));
    build(&desk, &server, "url", &["--offline"]).fails(1, &["`release` is not in the cache", "orlop lock --fetch"]);
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[test]
fn a_damaged_file_of_the_cache_is_fetched_again() {
    let (desk, server) = (Desk::new(), Server::start(Answer::File(FILE.into())));
    let digest = hash(FILE);
    let mut damaged = FILE.to_vec();
    damaged[3] ^= 1;
    let place = desk.file(&format!("cache/sha256/{}/{}", &digest[..2], &digest[2..]), damaged);
    let outcome = build(&desk, &server, "url", &[]);
    outcome.fails(1, &["in the cache is damaged", NEXT]);
    assert_eq!(std::fs::read(place).unwrap(), FILE);
}

#[test]
fn a_full_disk_below_the_cache_is_named() {
    let (desk, server) = (Desk::new(), Server::start(Answer::File(FILE.into())));
    let (outcome, _) = run_on(&desk, "cache", "size=8k", &command(&desk, &server, "url"));
    outcome.fails(1, &["/cache/partial/", "No space left on device", "make room", "ORLOP_CACHE"]);
}
