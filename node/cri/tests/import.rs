//! `import` against the fake.

mod fake;
mod sample;

use fake::{Fake, against};
use orlop_cri::import::{Outcome, import};
use orlop_cri::{Error, Result};
use std::io::Write;

const NAME: &str = "localhost/pause:1";

fn import_files(fake: &Fake, files: &sample::Files) -> Result<Outcome> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&sample::tar(files)).expect("written");
    against(fake, async |channel| import(&channel, file.path(), NAME).await)
}

/// More than two messages.
fn layer() -> Vec<u8> {
    (0..(5u32 << 19)).map(|n| n as u8).collect()
}

#[test]
fn an_image_is_made_pinned_and_held_by_its_manifests_labels() {
    let fake = Fake::default();
    let files = sample::files(&layer());
    assert_eq!(import_files(&fake, &files).expect("imported"), Outcome::Imported);

    let world = fake.world();
    assert_eq!(world.blobs.len(), 3);
    assert!(world.leases.is_empty(), "the lease has ended");
    let image = &world.images[NAME];
    assert_eq!(image.labels["io.cri-containerd.pinned"], "pinned");
    assert_eq!(image.labels["io.cri-containerd.image"], "managed");
    let target = image.target.as_ref().expect("a target");
    let labels = &world.blobs[&target.digest].labels;
    assert_eq!(labels["containerd.io/gc.ref.content.l.0"], sample::digest(&layer()));
    assert!(world.blobs.contains_key(&labels["containerd.io/gc.ref.content.config"]));
}

#[test]
fn the_second_time_nothing_is_written() {
    let fake = Fake::default();
    let files = sample::files(b"layer");
    import_files(&fake, &files).expect("imported");
    let before = fake.world().log.clone();
    assert_eq!(import_files(&fake, &files).expect("present"), Outcome::Present);
    assert_eq!(fake.world().log, before);
}

#[test]
fn what_is_missing_is_made_whole() {
    let fake = Fake::default();
    let files = sample::files(b"layer");
    import_files(&fake, &files).expect("imported");
    {
        let mut world = fake.world();
        world.blobs.remove(&sample::digest(b"layer"));
        for blob in world.blobs.values_mut() {
            blob.labels.clear();
        }
        // As if the import had been cut off: its lease is still there.
        let manifest = world.images[NAME].target.as_ref().expect("a target").digest.clone();
        world.leases.insert(format!("orlop-import-{}", manifest.replace(':', "-")), Default::default());
        world.log.clear();
    }
    assert_eq!(import_files(&fake, &files).expect("imported"), Outcome::Imported);
    let world = fake.world();
    assert_eq!(world.blobs.len(), 3);
    assert_eq!(world.log.iter().filter(|line| line.starts_with("write ")).count(), 1);
    assert_eq!(world.log.iter().filter(|line| line.starts_with("label ")).count(), 1);
    assert!(world.leases.is_empty());
}

#[test]
fn a_name_that_points_to_an_older_image_is_moved() {
    let fake = Fake::default();
    import_files(&fake, &sample::files(b"old")).expect("imported");
    let old = fake.world().images[NAME].clone();
    assert_eq!(import_files(&fake, &sample::files(b"new")).expect("imported"), Outcome::Imported);
    assert_ne!(fake.world().images[NAME].target, old.target);
}

#[test]
fn a_blob_that_is_not_its_digest_is_not_sent() {
    let fake = Fake::default();
    let mut files = sample::files(b"layer");
    files[3].1[0] ^= 1;
    let error = import_files(&fake, &files).expect_err("wrong digest");
    assert!(matches!(error, Error::Archive { .. }), "{error}");
    assert!(error.to_string().contains("has the digest sha256:"), "{error}");
    let world = fake.world();
    assert!(world.blobs.is_empty() && world.images.is_empty());
}
