//! A folder beside its layer, as it should be and changed in each way.

use super::*;
use crate::layer;
use std::fs;
use std::io::Cursor;
use std::os::unix::fs::{PermissionsExt, symlink};

fn tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let entry = layer::read(Cursor::new(Vec::new())).expect("the folder itself")[&b""[..]].clone();
    let mut header = tar::Header::new_gnu();
    header.set_uid(entry.owner.0.into());
    header.set_gid(entry.owner.1.into());
    header.set_mode(0o755);
    header.set_size(5);
    builder.append_data(&mut header.clone(), "bin/pause", &b"pause"[..]).expect("a file");
    header.set_size(0);
    header.set_mode(0o777);
    header.set_entry_type(tar::EntryType::Symlink);
    builder.append_link(&mut header, "init", "bin/pause").expect("a link");
    builder.into_inner().expect("finished")
}

/// What is said about a folder that was unpacked right and then changed.
fn changed(change: impl FnOnce(&Path)) -> Vec<String> {
    let place = tempfile::tempdir().expect("a folder");
    let root = place.path().join("fs");
    for folder in ["", "bin"] {
        fs::create_dir(root.join(folder)).expect("a folder");
        fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    fs::write(root.join("bin/pause"), "pause").expect("a file");
    fs::set_permissions(root.join("bin/pause"), fs::Permissions::from_mode(0o755)).expect("its mode");
    symlink("bin/pause", root.join("init")).expect("a link");
    change(&root);
    let tar = tar();
    let layer = layer::read(Cursor::new(&tar)).expect("a layer");
    let folder = open_folder(&root.canonicalize().expect("a path")).expect("opened");
    compare(folder.as_fd(), &layer, &mut Cursor::new(&tar)).expect("compared")
}

#[test]
fn what_was_unpacked_is_the_same() {
    assert_eq!(changed(|_| ()), Vec::<String>::new());
}

#[test]
fn each_change_is_told() {
    let pause = |root: &Path| root.join("bin/pause");
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
    let content = changed(|root| fs::write(pause(root), "paus3").expect("written"));
    assert_eq!(content, ["/bin/pause: content"]);
    assert_eq!(changed(|root| fs::write(pause(root), "pause!").expect("written")), ["/bin/pause: 6 bytes"]);
    assert_eq!(changed(|root| mode(&pause(root), 0o4755)), ["/bin/pause: mode 4755"]);
    assert_eq!(changed(|root| mode(&root.join("bin"), 0o777)), ["/bin: mode 0777"]);
    assert_eq!(changed(|root| mode(root, 0o1777)), ["/: mode 1777"]);
    assert_eq!(changed(|root| fs::write(root.join("bin/x"), "").expect("written")), ["/bin: `x` is in it"]);
    assert_eq!(changed(|root| fs::remove_file(pause(root)).expect("removed")), ["/bin/pause: missing"]);
    let linked = changed(|root| fs::hard_link(pause(root), root.with_file_name("x")).expect("linked"));
    assert_eq!(linked, ["/bin/pause: 2 names"]);
    let moved = changed(|root| {
        fs::remove_file(root.join("init")).expect("removed");
        symlink("/proc/1/exe", root.join("init")).expect("a link");
    });
    assert_eq!(moved, ["/init: link to /proc/1/exe"]);
}

#[test]
fn a_link_in_place_of_a_folder_is_not_followed() {
    let found = changed(|root| {
        fs::rename(root.join("bin"), root.with_file_name("elsewhere")).expect("moved");
        symlink("../elsewhere", root.join("bin")).expect("a link");
    });
    assert_eq!(found[0], "/bin: type Symlink");
    assert!(found[1].starts_with("/bin/pause: cannot be read: "), "{found:?}");
}

#[test]
fn an_extended_attribute_is_told() {
    let mut is_supported = true;
    let found = changed(|root| {
        let flags = rustix::fs::XattrFlags::empty();
        is_supported = rustix::fs::setxattr(root.join("bin"), "user.x", b"1", flags).is_ok();
    });
    let told: &[&str] = if is_supported { &["/bin: extended attributes [user.x]"] } else { &[] };
    assert_eq!(found, told);
}
