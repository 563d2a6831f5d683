//! Second witness of the initramfs' format: `cpio`.

use std::process::Stdio;

use orlop::formats::cpio::{Entry, Kind, read, write};

mod tools;
use tools::{every_cut, says, tool};

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

#[test]
fn we_read_what_cpio_writes_and_no_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("etc")).unwrap();
    std::fs::write(path("etc/file"), "content").unwrap();
    std::os::unix::fs::symlink("file", path("etc/link")).unwrap();
    std::fs::write(path("names"), "etc\netc/file\netc/link\n").unwrap();
    let mut cpio = tool("cpio");
    cpio.args(["-o", "-H", "newc", "--quiet"]).current_dir(folder.path());
    cpio.stdin(Stdio::from(std::fs::File::open(path("names")).unwrap()));
    let output = cpio.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let archive = output.stdout;
    let members = read(&archive).unwrap();
    let rows: Vec<_> = members.iter().map(|member| (member.path, member.kind(), member.bytes)).collect();
    let want: [(&str, &str, &[u8]); 3] =
        [("etc", "folder", b""), ("etc/file", "file", b"content"), ("etc/link", "link", b"file")];
    assert_eq!(rows, want);
    // After the trailer come NULs to the end of a block.
    let end = archive.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    every_cut(&archive, read_whole, |cut| cut >= end);
}

fn read_whole(archive: &[u8]) -> Result<usize, orlop::formats::cpio::CpioError> {
    read(archive).map(|members| members.len())
}
