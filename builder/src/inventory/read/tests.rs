use std::io;

use super::super::sample::empty;
use super::*;
use crate::formats::pe::NewSection;
use crate::tree::ComponentRecord;

/// Made by `mkfs.erofs`: files plain, compressed and empty, links, folders.
const ROOT: &[u8] = include_bytes!("../../formats/erofs/testdata/small.erofs");
/// Bytes that a file of the root has, and a member of the initramfs may have too.
const SHARED: &[u8] = b"{\"version\":1}\n";
const MODULES_JSON: &[u8] = br#"{"first": [{"name": "listed", "path": "/modules/listed.ko.xz", "depends": []}],
    "later": [], "by_alias": []}"#;

/// What the root says of itself: all that it has belongs to `mine`, but for its own list.
fn document() -> Components {
    let record = |name: &str| ComponentRecord {
        kind: None,
        name: name.into(),
        version: "6.1-1".into(),
        origin: "somewhere".into(),
        sha256: String::new(),
    };
    let entries = erofs::list(&mut io::Cursor::new(ROOT)).unwrap();
    let owned = entries.into_iter().filter(|entry| entry.kind != erofs::Kind::Folder);
    let components =
        [("image", "rendered by orlop"), ("kernel", "linux-image-6.1"), ("mine", "mine"), ("pid1", "orlop-init")];
    Components {
        version: 1,
        components: components.map(|(key, name)| (key.to_owned(), record(name))).into(),
        inputs: BTreeMap::new(),
        lines: BTreeMap::new(),
        paths: owned.map(|entry| (entry.path, "mine".to_owned())).collect(),
    }
}

fn reading(document: &Components) -> Reading<'_> {
    Reading { owners: Owners::new(document, "6.1", "no stub"), inventory: empty() }
}

/// The error of a root with this document beside it.
fn refused(document: &Components, root: &[u8]) -> String {
    reading(document).root(&mut Cursor::new(root)).unwrap_err().to_string()
}

/// `from` once replaced by `to`, which is as long.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + from.len()].copy_from_slice(to);
    bytes
}

#[test]
fn every_path_of_the_root_is_in_its_list_and_the_other_way_round() {
    let mut document = document();
    let mut reading = reading(&document);
    reading.root(&mut Cursor::new(ROOT)).unwrap();
    let files = reading.inventory.files;
    assert_eq!(files.len(), document.paths.len());
    let owner = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.component.clone());
    assert_eq!((owner("/plain"), owner("/usr/share/orlop/components.json")), (Some("mine".into()), Some(IMAGE.into())));
    assert_eq!(missing(&document, &files), None);

    document.paths.insert("/etc/gone".into(), "mine".into());
    let error = missing(&document, &files).unwrap().to_string();
    assert_eq!(error, "root/etc/gone: components.json has it (component `mine`), and the root does not");
    // What lies elsewhere is not in the root.
    let elsewhere: Vec<File> = files.iter().map(|file| File { place: Place::Initramfs, ..file.clone() }).collect();
    document.paths.remove("/etc/gone");
    assert!(missing(&document, &elsewhere).is_some());

    document.paths.remove("/plain");
    let error = refused(&document, ROOT);
    assert!(error.starts_with("root/plain: no component owns this file (components.json has no such path)"), "{error}");
}

#[test]
fn a_device_in_the_root_is_nobodys() {
    let [file, device] = [0o100_644_u16, 0o020_644].map(u16::to_le_bytes);
    let is_device = |image: &Vec<u8>| {
        let entries = erofs::list(&mut io::Cursor::new(image)).unwrap_or_default();
        entries.iter().any(|entry| entry.path == "/plain" && entry.kind == erofs::Kind::Other)
    };
    // Where the mode of its inode stands.
    let places = (0..ROOT.len() - 1).filter(|at| ROOT[*at..*at + 2] == file);
    let changed = |at: usize| {
        let mut image = ROOT.to_vec();
        image[at..at + 2].copy_from_slice(&device);
        image
    };
    let image = places.map(changed).find(is_device).unwrap();
    let error = refused(&document(), &image);
    assert!(error.starts_with("root/plain: no component owns this file; "), "{error}");
}

/// An initramfs of these files.
fn initramfs(files: &[(&str, &[u8])]) -> Vec<u8> {
    let entry = |path: &str, kind| cpio::Entry { path: path.into(), kind };
    let folders = ["dev", "modules", "orlop"].map(|path| entry(path, cpio::Kind::Folder { mode: 0o755 }));
    let console = entry("dev/console", cpio::Kind::CharDevice { mode: 0o600, major: 5, minor: 1 });
    let files = files.iter().map(|(path, bytes)| entry(path, cpio::Kind::File { mode: 0o644, bytes: bytes.to_vec() }));
    let entries: Vec<_> = folders.into_iter().chain([console]).chain(files).collect();
    cpio::write(&entries, 1).unwrap()
}

/// What is said of an initramfs beside the root.
fn members(archive: &[u8]) -> Result<Vec<(String, String)>, String> {
    let document = document();
    let mut reading = reading(&document);
    reading.root(&mut Cursor::new(ROOT)).unwrap();
    reading.inventory.files.clear();
    reading.initramfs(archive).map_err(|error| error.to_string())?;
    Ok(reading.inventory.files.into_iter().map(|file| (file.path, file.component)).collect())
}

/// All that the builder puts there, and a module that only the root's files vouch for.
const GOOD: [(&str, &[u8]); 6] = [
    ("init", b"program"),
    ("modules/listed.ko.xz", b"module"),
    ("modules/of_root.ko.xz", SHARED),
    ("orlop/boot.json", b"{}"),
    ("orlop/modules.json", MODULES_JSON),
    ("orlop/release.pub", b"key"),
];

#[test]
fn members_of_the_initramfs_have_their_owners() {
    let found = members(&initramfs(&GOOD)).unwrap();
    let found: Vec<(&str, &str)> = found.iter().map(|(path, owner)| (&**path, &**owner)).collect();
    let owned = [
        ("/init", "pid1"),
        ("/modules/listed.ko.xz", "kernel"),
        ("/modules/of_root.ko.xz", IMAGE),
        ("/orlop/boot.json", IMAGE),
        ("/orlop/modules.json", IMAGE),
        ("/orlop/release.pub", IMAGE),
    ];
    assert_eq!(found, owned);
}

#[test]
fn what_the_builder_puts_into_no_initramfs_is_nobodys() {
    const NOT_LISTED: &str = "(orlop/modules.json does not name it, and the root has no such file)";
    let with = |path: &str, bytes: &[u8]| members(&initramfs(&[&GOOD[..], &[(path, bytes)]].concat())).unwrap_err();
    for (path, bytes, why) in [
        ("orlop/extra", &b"x"[..], ""),
        ("extra", b"x", ""),
        // The root has such a file, elsewhere.
        ("shell", SHARED, ""),
        ("modules/other.ko.xz", b"x", NOT_LISTED),
        // The root has an empty file, and links: that is no module.
        ("modules/empty.ko.xz", b"", NOT_LISTED),
        ("modules/link.ko.xz", b"../run/etc/hosts", NOT_LISTED),
    ] {
        let error = with(path, bytes);
        assert!(error.starts_with(&format!("initramfs/{path}: no component owns this file")), "{error}");
        assert!(error.contains(why), "{error}");
    }
    let kinds = [
        ("orlop/link", cpio::Kind::Link { target: "boot.json".into() }),
        ("orlop/null", cpio::Kind::CharDevice { mode: 0o666, major: 1, minor: 3 }),
    ];
    for (path, kind) in kinds {
        let folder = cpio::Entry { path: "orlop".into(), kind: cpio::Kind::Folder { mode: 0o755 } };
        let archive = cpio::write(&[folder, cpio::Entry { path: path.into(), kind }], 1).unwrap();
        let error = members(&archive).unwrap_err();
        assert!(error.starts_with(&format!("initramfs/{path}: no component owns this file; ")), "{error}");
    }
}

#[test]
fn a_member_that_is_there_twice_or_cannot_be_read_is_an_error() {
    let twice = initramfs(&[("init", b"one"), ("inix", b"two")]);
    let error = members(&replaced(twice, b"inix\0", b"init\0")).unwrap_err();
    assert!(error.starts_with("initramfs/init: no component owns this file (there are two"), "{error}");
    let error = members(&initramfs(&[("orlop/modules.json", b"{\"first\": 7}")])).unwrap_err();
    assert!(error.starts_with("initramfs/orlop/modules.json: ") && error.contains("line 1 column"), "{error}");
    let error = members(b"no archive").unwrap_err();
    assert!(error.starts_with("initramfs: cpio archive, offset 0: "), "{error}");
}

#[test]
fn a_section_that_is_there_twice_is_nobodys() {
    let sections = [NewSection::data(".one", b"1".to_vec()), NewSection::data(".two", b"2".to_vec())];
    let good = pe::add_sections(&pe::tests::stub(), &sections).unwrap();
    let uki = |bytes| Uki { bytes, command_line: String::new(), linux: Vec::new(), initramfs: Vec::new() };
    let names = |uki: &Uki| super::sections(uki).map(|found| found.into_keys().collect::<Vec<_>>());
    assert_eq!(names(&uki(good.clone())).unwrap(), [".one", ".sbat", ".text", ".two"]);
    let error = names(&uki(replaced(good, b".two\0\0\0\0", b".one\0\0\0\0"))).unwrap_err().to_string();
    assert!(error.starts_with("uki/.one: no component owns this file (there are two with that name)"), "{error}");
}

/// Its parts are not known, and that is said.
#[test]
fn a_program_that_is_too_large_is_a_gap() {
    let document = document();
    let mut reading = reading(&document);
    for (path, most) in [("/usr/bin/large", 8), ("/usr/bin/small", 64)] {
        let mut content = Content::at_most(most);
        io::Write::write_all(&mut content, b"\x7fELF and what follows").unwrap();
        reading.add(Seen { place: Place::Root, path, kind: kind(&content), runs: true, content: &content }, "mine");
    }
    let Inventory { files, gaps, .. } = reading.inventory;
    assert!(files.iter().all(|file| file.kind == Kind::Program), "{files:?}");
    let gaps: Vec<(&str, &str)> = gaps.iter().map(|gap| (&*gap.file, &*gap.what)).collect();
    assert_eq!(gaps[0], ("root/usr/bin/large", "too large to be looked into"));
    assert!(gaps.len() == 2 && gaps[1].1.contains("what it is made of is not known"), "{gaps:?}");
}
