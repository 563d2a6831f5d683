use std::path::Path;

use super::super::produce::ProducedFile;
use super::*;

fn made(files: &[(&str, &Path)]) -> Produced {
    let kind = ProducedKind::File { size: 0, sha256: "ab".into(), executable: false };
    let file = |(name, path): &(&str, &Path)| {
        ((*name).to_owned(), ProducedFile { path: path.to_path_buf(), kind: kind.clone() })
    };
    Produced { files: files.iter().map(file).collect(), ..Produced::default() }
}

#[test]
fn texts_are_known_by_their_names() {
    for name in
        ["LICENSE", "LICENSE-MIT", "License.txt", "COPYING.LESSER", "NOTICE", "licence.md", "PATENTS", "copyright"]
    {
        assert!(files::is_text(name), "{name}");
    }
    for name in ["licensed", "license.go", "LICENSES2", "README.md", "notices", "license_test.go", "copyright.rs"] {
        assert!(!files::is_text(name), "{name}");
    }
}

#[test]
fn a_folder_gives_its_own_texts_and_no_links() {
    let desk = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = desk.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    [("LICENSE", "a"), ("src/LICENSE", "b"), ("LICENSES/MIT.txt", "c"), ("LICENSES/x/y.txt", "d"), ("main.go", "e")]
        .iter()
        .for_each(|(name, text)| write(name, text));
    std::os::unix::fs::symlink("/etc/passwd", desk.path().join("NOTICE")).unwrap();
    let texts: Vec<_> = files::folder(desk.path()).unwrap().into_iter().collect();
    let row = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(texts, [row("LICENSE", "a"), row("LICENSES/MIT.txt", "c")]);
    assert!(files::folder(&desk.path().join("gone")).is_err());
}

#[test]
fn a_link_to_a_folder_of_texts_is_not_followed() {
    let (desk, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(other.path().join("private.txt"), "x").unwrap();
    fs::write(desk.path().join("LICENSE"), "a").unwrap();
    std::os::unix::fs::symlink(other.path(), desk.path().join("LICENSES")).unwrap();
    let names: Vec<_> = files::folder(desk.path()).unwrap().into_keys().collect();
    assert_eq!(names, ["LICENSE"]);
}

#[test]
fn a_text_of_an_archive_is_whole_or_an_error() {
    let most = usize::try_from(files::MOST).unwrap();
    assert_eq!(linked::read(&vec![b'x'; most][..], "x.tar").unwrap().len(), most);
    let error = linked::read(std::io::repeat(b'x'), "x.tar").unwrap_err().to_string();
    assert!(error.starts_with("x.tar: a licence text in it has more bytes than any has (4194304)"), "{error}");
}

#[test]
fn a_debian_package_gives_its_copyright() {
    let desk = tempfile::tempdir().unwrap();
    let text = desk.path().join("text");
    fs::write(&text, b"GPL \xff").unwrap();
    let files = ["usr/share/doc/linux/copyright", "usr/share/doc/linux/copyright.gz", "usr/lib/x/y/LICENSE", "COPYING"];
    let made = made(&files.map(|name| (name, text.as_path())));
    let found: Vec<String> = files::produced(&made).unwrap().into_keys().collect();
    assert_eq!(found, ["COPYING", "usr/share/doc/linux/copyright"]);
    assert_eq!(files::produced(&made).unwrap()["COPYING"], "GPL \u{fffd}");
}

#[test]
fn our_own_texts_are_those_of_the_repository() {
    let Found { texts, declared } = own();
    let holds = |file: &str, text: &str| texts[file].contains(text);
    assert!(holds("LICENSE-APACHE", "Apache License") && holds("LICENSE-MIT", "Permission is hereby granted"));
    assert_eq!(declared.as_deref(), Some("Apache-2.0 OR MIT"));
    assert!(is_expression(OWN_LICENCE));
}
