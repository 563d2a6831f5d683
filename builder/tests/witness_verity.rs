//! Second witness of the verity tree: `veritysetup`.

use std::fs::File;

use orlop::formats::verity::build;

mod tools;
use tools::{says, tool};

const SALT: [u8; 32] = [0x5c; 32];
const UUID: &str = "01234567-89ab-8def-8123-456789abcdef";

#[test]
fn veritysetup_accepts_our_tree_and_makes_the_same_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for blocks in [1, 2, 128, 129, 16_385] {
        let data: Vec<u8> = (0..blocks * 4096_usize).map(|index| (index * 7 / 3 % 253) as u8).collect();
        std::fs::write(path("data"), &data).unwrap();
        let made = build(&data, &File::create(path("ours")).unwrap(), &SALT, UUID).unwrap();
        says(tool("veritysetup").arg("verify").args([path("data"), path("ours")]).arg(&made.root_hash));

        File::create(path("theirs")).unwrap();
        let theirs = says(
            tool("veritysetup")
                .arg("format")
                .args([path("data"), path("theirs")])
                .args(["--salt", &made.salt, "--uuid", UUID]),
        );
        assert!(theirs.contains(&made.root_hash), "{blocks} blocks: ours {}, theirs:\n{theirs}", made.root_hash);
        let read = |name: &str| std::fs::read(path(name)).unwrap();
        assert!(read("ours") == read("theirs"), "{blocks} blocks: other bytes");
        let _ = std::fs::remove_file(path("theirs"));
    }
}

#[test]
fn veritysetup_refuses_what_was_altered() {
    let folder = tempfile::tempdir().unwrap();
    let (data, tree) = (folder.path().join("data"), folder.path().join("tree"));
    std::fs::write(&data, vec![3; 4096 * 200]).unwrap();
    let made = build(&File::open(&data).unwrap(), &File::create(&tree).unwrap(), &SALT, UUID).unwrap();
    let mut bytes = std::fs::read(&data).unwrap();
    bytes[4096 * 150] ^= 1;
    std::fs::write(&data, bytes).unwrap();
    let verdict = tool("veritysetup").arg("verify").args([&data, &tree]).arg(&made.root_hash).output().unwrap();
    assert!(!verdict.status.success());
}
