//! Second witness of the initramfs' format: `cpio`.

use std::process::Stdio;

use orlop::formats::cpio::{Entry, Kind, write};

mod tools;
use tools::{says, tool};

#[test]
fn cpio_lists_and_unpacks_the_same() {
    let entry = |path: &str, kind| Entry { path: path.to_owned(), kind };
    let entries = [
        entry("dev", Kind::Folder { mode: 0o755 }),
        entry("dev/console", Kind::CharDevice { mode: 0o600, major: 5, minor: 1 }),
        entry("init", Kind::File { mode: 0o755, bytes: b"program".to_vec() }),
        entry("link", Kind::Link { target: "init".to_owned() }),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    std::fs::write(&path, write(&entries, 1_763_948_096).unwrap()).unwrap();
    let open = || Stdio::from(std::fs::File::open(&path).unwrap());
    let listing = says(tool("cpio").args(["-i", "-t", "-v", "-n", "--quiet"]).env("TZ", "UTC").stdin(open()));
    let lines: Vec<_> = listing.lines().collect();
    assert!(lines[0].starts_with("drwxr-xr-x   2 0        0"), "{listing}");
    assert!(lines[1].starts_with("crw-------   1 0        0          5,   1"), "{listing}");
    assert!(lines[2].starts_with("-rwxr-xr-x") && lines[2].ends_with("2025 init"), "{listing}");
    assert!(lines[3].ends_with("link -> init"), "{listing}");
    says(tool("cpio").args(["-i", "--quiet", "init", "link"]).current_dir(folder.path()).stdin(open()));
    assert_eq!(std::fs::read(folder.path().join("link")).unwrap(), b"program");
}
