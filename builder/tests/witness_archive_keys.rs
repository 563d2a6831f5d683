//! The archive keys that are carried are those whose fingerprints their README names: openssl hashes them.

mod tools;

use std::fs;
use std::path::Path;

use tools::{says, tool};

/// The first packet of a binary keyring (RFC 9580 §4.2, in the old format that GnuPG writes): a public key.
fn public_key(keyring: &[u8]) -> &[u8] {
    let (start, length) = match keyring {
        [0x98, length, ..] => (2, usize::from(*length)),
        [0x99, high, low, ..] => (3, usize::from(u16::from_be_bytes([*high, *low]))),
        other => panic!("{:02x?} begins no public key", &other[..3]),
    };
    &keyring[start..start + length]
}

/// A version 4 fingerprint (RFC 9580 §5.5.4.2).
fn fingerprint(keyring: &[u8]) -> String {
    let key = public_key(keyring);
    assert_eq!(key[0], 4);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let length = u16::try_from(key.len()).unwrap().to_be_bytes();
    fs::write(&path, [&[0x99], &length[..], key].concat()).unwrap();
    let text = says(tool("openssl").args(["dgst", "-sha1", "-r"]).arg(&path));
    text.split(' ').next().unwrap().to_uppercase()
}

#[test]
fn every_archive_key_has_the_fingerprint_that_its_readme_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sources/deb/keys");
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells[0].ends_with(".gpg").then(|| (cells[0].to_owned(), cells[2].replace(' ', "")))
    };
    let mut promised: Vec<(String, String)> =
        readme.lines().filter(|line| line.starts_with('|')).filter_map(row).collect();
    promised.sort();
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let keys = names.filter(|name| name.ends_with(".gpg"));
    let mut found: Vec<(String, String)> =
        keys.map(|name| (name.clone(), fingerprint(&fs::read(folder.join(name)).unwrap()))).collect();
    found.sort();
    assert_eq!(found, promised);
    assert_eq!(found.len(), 6);
}
