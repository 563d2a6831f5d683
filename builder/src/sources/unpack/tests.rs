//! Archives: real ones in every compression, and ones that lie.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn tarball(entries: &[(&str, u8, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        // Set as bytes: the crate refuses to write the names that matter here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_mode(if content.starts_with("#!") { 0o755 } else { 0o640 });
        let is_link = matches!(kind, b'1' | b'2');
        if is_link {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_size(if is_link { 0 } else { content.len() as u64 });
        header.set_cksum();
        archive.append(&header, if is_link { "" } else { content }.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn package(data: &[u8]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in [("debian-binary", b"2.0\n".as_slice()), ("control.tar", b"odd"), ("data.tar", data)] {
        let size = content.len();
        bytes.extend_from_slice(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, "100644").as_bytes());
        bytes.extend_from_slice(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

fn unpack(archive: &[u8], strip: usize) -> Result<(tempfile::TempDir, Vec<String>), Error> {
    let outer = tempfile::tempdir().unwrap();
    let to = outer.path().join("to");
    fs::create_dir(&to).unwrap();
    let result = decompress(Cursor::new(archive), "test").and_then(|reader| tar(reader, &to, strip, "test"));
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1, "nothing is written beside the folder");
    result?;
    let names = super::super::produce::catalogue(&to)?.into_keys().collect();
    Ok((outer, names))
}

#[test]
fn a_package_is_unpacked() {
    let data = tarball(&[
        ("./", b'5', ""),
        ("./usr/bin/x", b'0', "#!x"),
        ("./usr/lib/y", b'0', "y"),
        ("./usr/l", b'2', "lib/y"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let (deb_path, to) = (folder.path().join("x.deb"), folder.path().join("to"));
    fs::create_dir(&to).unwrap();
    fs::write(&deb_path, package(&data)).unwrap();
    deb(&deb_path, &to).unwrap();
    let mode = |name: &str| fs::metadata(to.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("usr/bin/x"), mode("usr/lib/y")), (0o755, 0o644));
    assert_eq!(fs::read_to_string(to.join("usr/l")).unwrap(), "y");
}

#[test]
fn compressions_are_told_by_their_first_bytes() {
    let plain = tarball(&[("a/b", b'0', "content")]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, &plain).unwrap();
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    std::io::Write::write_all(&mut xz, &plain).unwrap();
    let zst = ruzstd::encoding::compress_to_vec(plain.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    for archive in [plain, gz.finish().unwrap(), xz.finish().unwrap(), zst] {
        let (_folder, names) = unpack(&archive, 0).unwrap();
        assert_eq!(names, ["a/b"]);
        let (_folder, names) = unpack(&archive, 1).unwrap();
        assert_eq!(names, ["b"]);
    }
}

#[test]
fn no_archive_writes_beside_its_folder() {
    let lies: [&[(&str, u8, &str)]; 4] = [
        &[("../x", b'0', "x")],
        &[("a/../../x", b'0', "x")],
        &[("a", b'2', ".."), ("a/x", b'0', "x")],
        &[("a", b'2', "../x"), ("a", b'0', "x")],
    ];
    for lie in lies {
        let error = unpack(&tarball(lie), 0).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{lie:?}: {error}");
    }
    let hard = tarball(&[("a", b'1', "../../etc/passwd")]);
    assert!(unpack(&hard, 0).is_err());
    let (folder, names) = unpack(&tarball(&[("/etc/x", b'0', "x")]), 0).unwrap();
    assert_eq!(names, ["etc/x"], "an absolute name is one of the archive's root");
    drop(folder);
}

#[test]
fn zip_prefixes_modes_and_lies() {
    let folder = tempfile::tempdir().unwrap();
    let write = |names: &[&str]| {
        let path = folder.path().join("x.zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for name in names {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, b"x").unwrap();
        }
        zip.finish().unwrap();
        path
    };
    let to = folder.path().join("to");
    fs::create_dir(&to).unwrap();
    zip(&write(&["m@v/bin/go", "m@v/VERSION", "other/x"]), "m@v/", &to, |name| name.starts_with("bin/")).unwrap();
    let names: Vec<_> = super::super::produce::catalogue(&to).unwrap().into_keys().collect();
    assert_eq!(names, ["VERSION", "bin/go"]);
    assert_eq!(fs::metadata(to.join("bin/go")).unwrap().permissions().mode() & 0o111, 0o111);
    assert!(zip(&write(&["m@v/../x"]), "m@v/", &to, |_| false).is_err());
    assert!(!folder.path().join("x").exists());
}

#[test]
fn what_is_no_package_says_where() {
    let read = |bytes: &[u8]| ar_member(Cursor::new(bytes), "data.tar", "x.deb").map(|_| ()).unwrap_err().to_string();
    assert_eq!(read(b"<!DOCTYPE html>"), "x.deb: not an ar archive (offset 0)");
    let whole = package(b"data");
    assert_eq!(read(&whole[..whole.len() - 1]), "x.deb: no ar member at offset 136");
    assert_eq!(read(b"!<arch>\n"), "x.deb: holds no member `data.tar…`");
}

/// Unpacks a package's bytes; what `deb` does with a file.
fn unpack_package(bytes: &[u8], to: &Path) -> Result<(), Error> {
    let data = ar_member(Cursor::new(bytes), "data.tar", "test")?;
    tar(decompress(data, "test")?, to, 0, "test")
}

#[test]
fn a_package_of_dpkg_debs_is_unpacked_and_no_part_of_it() {
    let desk = tempfile::tempdir().unwrap();
    let (tree, path) = (desk.path().join("tree"), desk.path().join("x.deb"));
    for folder in ["DEBIAN", "usr/bin"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    let control = "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n";
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    fs::write(tree.join("usr/bin/x"), "content").unwrap();
    std::os::unix::fs::symlink("x", tree.join("usr/bin/y")).unwrap();
    let mut dpkg = std::process::Command::new("dpkg-deb");
    dpkg.args(["-Zxz", "--root-owner-group", "--build"]).arg(&tree).arg(&path);
    let made = dpkg.output().expect("dpkg-deb is on every Debian");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let bytes = fs::read(&path).unwrap();
    let to = desk.path().join("to");
    fs::create_dir(&to).unwrap();
    unpack_package(&bytes, &to).unwrap();
    assert_eq!(fs::read(to.join("usr/bin/x")).unwrap(), b"content");
    assert_eq!(fs::read_link(to.join("usr/bin/y")).unwrap(), Path::new("x"));
    // The members end with the data, and an odd length with one byte of padding.
    for end in 0..bytes.len() - 1 {
        let to = tempfile::tempdir_in(desk.path()).unwrap();
        assert!(unpack_package(&bytes[..end], to.path()).is_err(), "cut at {end} of {}", bytes.len());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = ar_member(Cursor::new(&bytes), "data", "test");
        let _ = unpack(&bytes, 0);
    }

    #[test]
    fn any_cut_is_survived(cut in 0usize..4000, flip in 0usize..4000) {
        let mut bytes = package(&tarball(&[("a/b", b'0', "content"), ("c", b'2', "a/b")]));
        bytes.truncate(cut);
        if let Some(byte) = bytes.get_mut(flip) {
            *byte ^= 0x10;
        }
        if let Ok(section) = ar_member(Cursor::new(&bytes), "data.tar", "test") {
            let folder = tempfile::tempdir().unwrap();
            if let Ok(reader) = decompress(section, "test") {
                let _ = tar(reader, folder.path(), 0, "test");
            }
        }
    }
}
