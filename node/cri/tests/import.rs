//! `import` against the fake.

mod fake;
mod sample;

use fake::{Fake, Snapshot, against};
use orlop_cri::import::{Order, Outcome, import};
use orlop_cri::{Error, Result};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const NAME: &str = "localhost/pause:1";

fn import_files(fake: &Fake, files: &sample::Files) -> Result<Outcome> {
    import_told(fake, files).0
}

/// And what was told on the way.
fn import_told(fake: &Fake, files: &sample::Files) -> (Result<Outcome>, String) {
    import_within(Duration::from_secs(100), fake, files)
}

fn import_within(within: Duration, fake: &Fake, files: &sample::Files) -> (Result<Outcome>, String) {
    let mut told = String::new();
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&sample::tar(files)).expect("written");
    let tell = |what: &str| told = what.to_owned();
    let (root, file) = (fake.root(), file.path());
    let order = Order { root: &root, file, reference: NAME, within };
    let outcome = against(fake, async |channel| import(&channel, &order, tell).await);
    (outcome, told)
}

/// More than two messages.
fn layer() -> Vec<u8> {
    sample::layer(&(0..(5u32 << 19)).map(|n| n as u8).collect::<Vec<u8>>())
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
    let files = sample::files(&sample::layer(b"code"));
    import_files(&fake, &files).expect("imported");
    fake.world().log.clear();
    assert_eq!(import_files(&fake, &files).expect("present"), Outcome::Present);
    let log = fake.world().log.clone();
    assert!(matches!(log.as_slice(), [view] if view.starts_with("start orlop-compare-")), "{log:?}");
}

#[test]
fn what_is_missing_is_made_whole() {
    let fake = Fake::default();
    let files = sample::files(&sample::layer(b"code"));
    import_files(&fake, &files).expect("imported");
    {
        let mut world = fake.world();
        world.blobs.remove(&sample::digest(&sample::layer(b"code")));
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
    assert_eq!(world.log.iter().filter(|line| line.starts_with("label ")).count(), 2, "manifest and configuration");
    assert!(world.leases.is_empty());
}

#[test]
fn a_name_that_points_to_an_older_image_is_moved() {
    let fake = Fake::default();
    import_files(&fake, &sample::files(&sample::layer(b"old"))).expect("imported");
    let old = fake.world().images[NAME].clone();
    let (moved, told) = import_told(&fake, &sample::files(&sample::layer(b"new")));
    assert_eq!(moved.expect("imported"), Outcome::Imported);
    let digest = &old.target.as_ref().expect("a target").digest;
    assert_eq!(told, format!("its name points to {digest}"));
    assert_ne!(fake.world().images[NAME].target, old.target);
}

#[test]
fn a_blob_that_is_not_its_digest_is_not_sent() {
    let fake = Fake::default();
    let mut files = sample::files(&sample::layer(b"code"));
    files[3].1[0] ^= 1;
    let error = import_files(&fake, &files).expect_err("wrong digest");
    assert!(matches!(error, Error::Forgotten { .. }), "{error}");
    assert!(error.to_string().contains("has the digest sha256:"), "{error}");
    let world = fake.world();
    assert!(world.blobs.is_empty() && world.images.is_empty());
}

/// Imports, changes what is there, imports again: what is said, and the folder that containers would get.
fn altered(change: impl FnOnce(&Fake, &Path)) -> (String, PathBuf) {
    let fake = Fake::default();
    let files = sample::files(&sample::layer(b"code"));
    import_files(&fake, &files).expect("imported");
    let name = sample::digest(&sample::layer(b"code"));
    // What an earlier boot ran stands on the layer still.
    let container = Snapshot { parent: name.clone(), folder: fake.root().join("container") };
    fs::create_dir(&container.folder).expect("a folder");
    fake.world().snapshots.insert("container".to_owned(), container);
    let folder = fake.world().snapshots[&name].folder.clone();
    change(&fake, &folder);
    let (outcome, told) = import_told(&fake, &files);
    assert_eq!(outcome.expect("made anew"), Outcome::Imported);
    assert_eq!(import_files(&fake, &files).expect("present"), Outcome::Present);
    let (now, blob) = (fake.world().snapshots[&name].folder.clone(), fake.blob(&name));
    assert_eq!(fs::read(now.join("pause")).expect("read"), b"code");
    assert_eq!(sample::digest(&fs::read(blob).expect("read")), name);
    assert_ne!(now, folder, "it was unpacked anew");
    assert!(!fake.world().snapshots.contains_key("container"));
    assert!(fake.world().leases.is_empty());
    (told, folder)
}

#[test]
fn an_unpacked_file_that_was_altered_is_unpacked_anew() {
    let (told, _) = altered(|_, folder| fs::write(folder.join("pause"), "evil").expect("written"));
    assert_eq!(told, "/pause: content");
    let (told, _) = altered(|_, folder| fs::write(folder.join("more"), "evil").expect("written"));
    assert_eq!(told, "/: `more` is in it");
}

#[test]
fn a_blob_that_was_altered_is_written_anew() {
    let layer = sample::layer(b"code");
    let mut evil = layer.clone();
    evil[0] ^= 1;
    let (told, _) = altered(|fake, _| fs::write(fake.blob(&sample::digest(&layer)), evil).expect("written"));
    assert_eq!(told, format!("blob {}: content", sample::digest(&layer)));
    let (told, _) = altered(|fake, _| fs::write(fake.blob(&sample::digest(&layer)), "evil").expect("written"));
    assert_eq!(told, format!("blob {}: 4 bytes", sample::digest(&layer)));
    let (told, _) = altered(|fake, _| fs::remove_file(fake.blob(&sample::digest(&layer))).expect("removed"));
    assert!(told.contains("cannot be read: "), "{told}");
}

#[test]
fn a_blob_that_is_no_file_of_its_own_is_not_opened_and_written_anew() {
    let layer = sample::layer(b"code");
    let digest = sample::digest(&layer);
    let told_of = |place: &dyn Fn(&Path, &Path)| {
        let (told, _) = altered(|fake, _| {
            let (blob, aside) = (fake.blob(&digest), fake.root().join("aside"));
            fs::rename(&blob, &aside).expect("moved");
            place(&aside, &blob);
        });
        told
    };
    let pipe = told_of(&|_, blob| {
        assert!(Command::new("mkfifo").arg(blob).status().expect("mkfifo").success());
        assert!(fs::symlink_metadata(blob).expect("it").file_type().is_fifo());
    });
    assert_eq!(pipe, format!("blob {digest}: type Fifo"));
    // The right bytes, as long as nobody writes to them through the other name.
    let link = told_of(&|aside, blob| symlink(aside, blob).expect("linked"));
    assert_eq!(link, format!("blob {digest}: type Symlink"));
    let name = told_of(&|aside, blob| fs::hard_link(aside, blob).expect("linked"));
    assert_eq!(name, format!("blob {digest}: 2 names"));
}

#[test]
fn a_snapshot_under_the_layers_name_that_is_another_is_taken_away() {
    let name = sample::digest(&sample::layer(b"code"));
    let (told, _) = altered(|fake, _| {
        let evil = Snapshot { parent: String::new(), folder: fake.root().join("evil") };
        fs::create_dir(&evil.folder).expect("a folder");
        let mut world = fake.world();
        world.snapshots.insert("evil".to_owned(), evil);
        world.snapshots.get_mut(&name).expect("the layer").parent = "evil".to_owned();
    });
    assert_eq!(told, "2 layers are unpacked");
    let (told, _) = altered(|fake, folder| {
        let elsewhere = fake.root().join("elsewhere");
        fs::rename(folder, &elsewhere).expect("moved");
        fake.world().snapshots.get_mut(&name).expect("the layer").folder = elsewhere;
    });
    assert!(told.contains("elsewhere: not the snapshotter's"), "{told}");
}

#[test]
fn a_snapshot_that_names_children_who_are_gone_is_left_to_the_collector() {
    let name = sample::digest(&sample::layer(b"code"));
    let (told, _) = altered(|fake, folder| {
        fs::write(folder.join("pause"), "evil").expect("written");
        fake.world().childless.insert(name.clone());
    });
    assert_eq!(told, "/pause: content");
}

#[test]
fn what_cri_remembers_of_an_altered_image_is_forgotten() {
    let (told, _) = altered(|fake, _| {
        let mut world = fake.world();
        world.known.insert(NAME.to_owned(), "sha256:evil".to_owned());
        let mut other = world.images[NAME].clone();
        other.name = "localhost/a:1".to_owned();
        world.known.insert(other.name.clone(), "sha256:evil".to_owned());
        world.images.insert(other.name.clone(), other);
    });
    assert_eq!(told, "it stands for sha256:evil");
}

#[test]
fn what_still_differs_is_no_image() {
    let fake = Fake::default();
    fake.world().spoil = Some("more".to_owned());
    let error = import_files(&fake, &sample::files(&sample::layer(b"code"))).expect_err("spoilt");
    assert!(error.to_string().contains("still differs: /: `more` is in it"), "{error}");
    assert!(fake.world().images.is_empty() && fake.world().known.is_empty());
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn an_import_that_hangs_ends_and_leaves_no_image() {
    let fake = Fake::default();
    let files = sample::files(&sample::layer(b"code"));
    import_files(&fake, &files).expect("imported");
    fake.world().silent.insert(sample::digest(&sample::layer(b"code")));
    let (outcome, _) = import_within(Duration::from_millis(200), &fake, &files);
    let error = outcome.expect_err("no answer");
    assert_eq!(error.exit_code(), 3, "{error}");
    assert!(error.to_string().contains("import: no answer in time; there is no image localhost/pause:1"), "{error}");
    assert!(fake.world().images.is_empty() && fake.world().known.is_empty());
}

#[test]
fn an_archive_that_cannot_be_read_leaves_no_image_of_its_name() {
    let fake = Fake::default();
    let mut files = sample::files(&sample::layer(b"code"));
    import_files(&fake, &files).expect("imported");
    // A name that CRI has not heard of is one that it learns at its next start.
    fake.world().known.clear();
    files.retain(|(name, _)| name != "index.json");
    let error = import_files(&fake, &files).expect_err("no index");
    assert_eq!(error.exit_code(), 3, "{error}");
    assert!(fake.world().images.is_empty());
}

#[test]
fn an_image_that_cannot_be_removed_is_no_image_to_go_on_without() {
    let fake = Fake::default();
    let files = sample::files(&sample::layer(b"code"));
    import_files(&fake, &files).expect("imported");
    {
        let mut world = fake.world();
        world.stuck.insert(NAME.to_owned());
        world.known.insert(NAME.to_owned(), "sha256:evil".to_owned());
    }
    let error = import_files(&fake, &files).expect_err("stuck");
    assert!(matches!(error, Error::Left { .. }), "{error}");
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("may be an altered one and cannot be removed"), "{error}");
}
