//! The IPE policy in the root: the kernel checks its signature, against the firmware's keys.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::Result;
use orlop::image::{BuildOptions, build};
use orlop::keys::KeySet;
use orlop::sources::{Bench, Cache, Silent};
use orlop_chain::Stage;
use orlop_machine::program;

use crate::bench::copy;
use crate::forge;
use crate::row::{Ends, Offline, On, rows};
use crate::subject::Subject;

rows! {
    fast a_strangers_policy {
        changed: "an image whose IPE policy a stranger has signed, with everything else signed by us",
        on: On::SecureBoot,
        alter: a_strangers_policy,
        ends: Ends::Refused(Stage::Ipe),
        says: "no key of the kernel's signed it",
        offline: Offline::Refused(Stage::Ipe),
    }
}

/// No root can be altered, so one is built: by a definition that lists the stranger's certificate, as if it were the
/// next one of a rotation. The firmware does not have it.
fn a_strangers_policy(subject: &mut Subject) -> Result<()> {
    let folder = subject.bench.file("build");
    fs::create_dir(&folder)?;
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
    let definition = folder.join("wipe.toml");
    let text = fs::read_to_string(images.join("wipe.toml"))?;
    fs::write(&definition, text + "\n[trust]\ncertificates = [\"stranger.crt\"]\n")?;
    let (go, lock) = (images.join("wipe.go"), images.join("wipe.lock"));
    let words: [&OsStr; 4] = ["-r".as_ref(), go.as_ref(), lock.as_ref(), folder.as_ref()];
    program::run(("cp", "coreutils"), &words)?;
    forge::write_stranger(&folder)?;
    let keys = forge::keys().canonicalize()?;
    let [public, release, certificate, db] =
        ["release.pub", "release.key", "db.crt", "db.key"].map(|name| keys.join(name).display().to_string());
    let document = format!(
        "[release]\npublic = {public:?}\nsigner.key = {release:?}\n\n[db]\ncertificate = {certificate:?}\n\
         signer.key = {db:?}\n\n[policy]\nsignature = \"policy.p7b\"\n"
    );
    fs::write(folder.join("keys.toml"), document)?;
    let keys = KeySet::open(&folder)?;
    let options = BuildOptions {
        definition: &definition,
        keys: &keys,
        out: &folder.join("out"),
        relock_gone: false,
        unsigned: false,
        plan_only: false,
    };
    let cache = Cache::open()?;
    let built = build(&options, &Bench { cache: &cache, report: &Silent, offline: true, jobs: 1 })?;
    copy(&built.image, &subject.disk)
}
