//! Second witness of the verity tree: `veritysetup`.

use std::fs::File;

use orlop::formats::verity::build;
use orlop_chain::verity::Superblock;

mod tools;
use tools::{every_cut, says, tool};

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
        every_cut(&read("theirs")[..512], Superblock::parse, |_| false);
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

/// Tells this test, run again in a process of its own, how many bytes to make a tree over.
const BYTES: &str = "ORLOP_TEST_VERITY_BYTES";

/// Most memory that this process has had, in KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn memory_does_not_grow_with_the_data() {
    if let Some(bytes) = std::env::var(BYTES).ok().and_then(|text| text.parse().ok()) {
        let (data, tree) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        data.set_len(bytes).unwrap();
        let made = build(&data, &tree, &SALT, UUID).unwrap();
        assert_eq!(made.data_blocks, bytes / 4096);
        println!("most memory: {} KiB", most_memory());
        return;
    }
    let gibibytes: &[u64] = if cfg!(feature = "slow") { &[2, 16] } else { &[2] };
    for gibibytes in gibibytes {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "memory_does_not_grow_with_the_data", "--nocapture"]);
        let said = says(again.env(BYTES, (gibibytes << 30).to_string()));
        let most = said.split("most memory: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        assert!(most.parse::<u64>().unwrap() <= 64 << 10, "{most} KiB for {gibibytes} GiB");
    }
}
