//! `SOURCE_DATE_EPOCH`: every time in an image follows it.

use std::path::Path;

use orlop::formats::cpio;
use orlop::image::open::{Cursor, Image, UKI_PATH};
use orlop_chain::gpt::types;
use serde_json::Value;

use crate::compare::difference;
use crate::shared_cache::user_cache;
use crate::support::{Desk, run, workspace};

const EPOCH: u64 = 1_700_000_000;

#[test]
fn every_time_follows_the_epoch_and_two_epochs_differ_by_name() {
    let desk = Desk::new();
    let definition = workspace().join("images/standalone.toml");
    run(&mut desk.warm_build(&definition)).done();
    let out = desk.path("other");
    run(desk.warm_build_into(&definition, &out).env("SOURCE_DATE_EPOCH", EPOCH.to_string())).done();
    let release: Value = serde_json::from_slice(&std::fs::read(out.join("standalone.release.json")).unwrap()).unwrap();
    assert_eq!(release["build"]["epoch"], EPOCH);
    times(&out.join("standalone.raw"));
    let usual = desk.path("out");
    let found = difference([&usual, &out], [&user_cache(), &user_cache()]).unwrap();
    assert!(
        found.starts_with("standalone.release.json: field build.epoch: ") && found.contains("1700000000"),
        "{found}"
    );
}

fn times(raw: &Path) {
    let image = Image::open(raw).unwrap();
    let uki = image.uki().unwrap();
    let members = cpio::read(&uki.initramfs).unwrap();
    assert!(members.len() > 10 && members.iter().all(|member| u64::from(member.mtime) == EPOCH));
    let esp = image.table.gpt.of_type(types::ESP).next().unwrap();
    let volume = fatfs::FileSystem::new(Cursor::new(image.region(esp)), fatfs::FsOptions::new()).unwrap();
    let mut folder = volume.root_dir();
    for part in UKI_PATH.split('/') {
        let entry = folder.iter().map(Result::unwrap).find(|entry| entry.file_name() == part).unwrap();
        let (date, time) = (entry.modified().date, entry.modified().time);
        // 2023-11-14 22:13:20, in the two seconds that a FAT can tell apart.
        assert_eq!(
            (date.year, date.month, date.day, time.hour, time.min, time.sec),
            (2023, 11, 14, 22, 13, 20),
            "{part}"
        );
        if entry.is_dir() {
            folder = entry.to_dir();
        }
    }
}

#[test]
fn an_epoch_that_is_none_is_named() {
    let desk = Desk::new();
    let definition = workspace().join("images/standalone.toml");
    for epoch in ["x", "", "-1", "4294967296", "1.5"] {
        let says = format!("SOURCE_DATE_EPOCH={epoch}: not a number of seconds since 1970");
        run(desk.warm_build(&definition).env("SOURCE_DATE_EPOCH", epoch)).fails(1, &[&says]);
    }
    desk.nothing_built();
}
