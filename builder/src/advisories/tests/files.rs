//! Folders and archives, good and bad.

use super::*;

const DOCUMENT: &str = r#"{"id": "A-1", "affected": [{"package": {"ecosystem": "Go", "name": "x"}}]}"#;

fn archive(members: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut zip = zip::ZipWriter::new(fs::File::create(folder.path().join("all.zip")).unwrap());
    for (name, bytes) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    folder
}

fn error(path: &Path, limits: &Limits) -> String {
    let error = Database::load_within(&[path.to_owned()], limits).unwrap_err();
    assert!(!error.to_string().contains(['\n', '\u{1b}']), "{error}");
    error.to_string()
}

#[test]
fn an_archive_gives_what_its_folder_gives() {
    let mut members = Vec::new();
    let mut folders = vec![samples()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let name = entry.strip_prefix(samples()).unwrap().to_str().unwrap().to_owned();
                members.push((name, fs::read(&entry).unwrap()));
            }
        }
    }
    let members: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let zipped = archive(&members);
    let (zipped, plain) = (Database::load(&[zipped.path().join("all.zip")]).unwrap(), database());
    assert_eq!((zipped.advisories().len(), plain.advisories().len()), (11, 11));
    for (a, b) in zipped.advisories().iter().zip(plain.advisories()) {
        assert!(
            a.source.contains("all.zip: ") && b.source.ends_with(a.source.split(": ").last().unwrap()),
            "{}",
            a.source
        );
        assert_eq!(Advisory { source: b.source.clone(), ..a.clone() }, *b);
    }
    // RustSec's documents say when, Go's do not.
    assert_eq!(plain.newest(), Some("2026-03-19"));
}

#[test]
fn what_is_no_document_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["all/A-1.json", "README.md", "index/db.json", "index/vulns.json", ".git/x.json", "all/.hidden.json", "x.txt"]
    {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), if name == "all/A-1.json" { DOCUMENT } else { "nonsense" }).unwrap();
    }
    let loaded = Database::load(&[folder.path().to_owned()]).unwrap();
    assert_eq!(loaded.advisories().len(), 1);
    assert!(loaded.newest().unwrap() >= "2026-01-01", "the day of the file");
}

#[test]
fn what_holds_no_advisory_is_an_error() {
    let limits = Limits::default();
    let folder = tempfile::tempdir().unwrap();
    assert!(error(folder.path(), &limits).contains("no advisory in it; name a folder"));
    assert!(error(&folder.path().join("none"), &limits).contains("none: No such file"));
    let zipped = archive(&[("README.md", b"x")]);
    assert!(error(&zipped.path().join("all.zip"), &limits).contains("all.zip: no advisory in it"));
    fs::write(folder.path().join("x.zip"), "PK nonsense").unwrap();
    assert!(error(&folder.path().join("x.zip"), &limits).contains("x.zip: not a whole zip archive"));
}

#[test]
fn one_broken_document_is_an_error_of_the_whole_database() {
    let zipped = archive(&[("A-1.json", DOCUMENT.as_bytes()), ("go/\u{1b}[2J\u{202e}B.json", b"{")]);
    let message = error(&zipped.path().join("all.zip"), &Limits::default());
    assert!(message.contains(r#"all.zip: "go/\u{1b}[2J\u{202e}B.json": no OSV document: EOF"#), "{message}");
    let zipped = archive(&[("A-1.json", &[0xff, 0xfe])]);
    assert!(error(&zipped.path().join("all.zip"), &Limits::default()).contains("A-1.json: not UTF-8 (byte 0)"));
    // Cut short: the list of members stands last.
    let whole = fs::read(archive(&[("A-1.json", DOCUMENT.as_bytes())]).path().join("all.zip")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for cut in 0..whole.len() {
        fs::write(folder.path().join("cut.zip"), &whole[..cut]).unwrap();
        assert!(Database::load(&[folder.path().join("cut.zip")]).is_err(), "{cut}");
    }
}

/// Small in the archive, and without end when it is unpacked.
#[test]
fn a_zip_bomb_is_stopped_early() {
    let zeros = vec![b' '; 20 << 20];
    let zipped = archive(&[("A-1.json", &zeros)]);
    let path = zipped.path().join("all.zip");
    assert!(fs::metadata(&path).unwrap().len() < 100_000);
    assert!(error(&path, &Limits::default()).contains("A-1.json: more than 8388608 bytes in a document"));
    // Many that are each small enough.
    let padded = format!("{DOCUMENT}{}", " ".repeat(1 << 20));
    let names: Vec<String> = (0..20).map(|number| format!("A-{number}.json")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), padded.as_bytes())).collect();
    let zipped = archive(&members);
    let path = zipped.path().join("all.zip");
    let message = error(&path, &Limits::default());
    assert!(message.contains("all.zip: more than") && message.contains("bytes in all documents"), "{message}");
    assert!(
        Database::load_within(std::slice::from_ref(&path), &Limits { free: 64 << 20, ..Limits::default() }).is_ok()
    );
    let few = Limits { entries: 10, ..Limits::default() };
    assert!(error(&path, &few).contains("more than 10 files"));
}

#[test]
fn folders_are_bounded_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("A-1.json"), DOCUMENT).unwrap();
    fs::write(folder.path().join("A-2.json"), DOCUMENT).unwrap();
    let limits = Limits::default();
    assert!(error(folder.path(), &Limits { entries: 1, ..limits }).contains("more than 1 files"));
    assert!(error(folder.path(), &Limits { total: 100, ..limits }).contains("more than 100 bytes in all documents"));
    assert!(
        error(folder.path(), &Limits { document: 10, ..limits }).contains("A-1.json: more than 10 bytes in a document")
    );
    std::os::unix::fs::symlink(folder.path(), folder.path().join("back")).unwrap();
    assert!(error(folder.path(), &limits).contains("more than 16 folders within each other"));
}
