//! Second witnesses of the state template: `e2fsck`, `dumpe2fs` and `resize2fs`, over what a first boot makes of it.

use std::fs::File;
use std::path::Path;

use orlop::formats::ext4_template::{BYTES, from_image, mke2fs_args, mke2fs_environment};
use orlop_chain::Guid;
use orlop_chain::device::{ReadAt, apply};
use orlop_chain::state_template::{BLANK_BYTES, Content, Identity, Template, judge, plan};

mod tools;
use tools::{says, tool};

const EPOCH: u64 = 1_763_948_096;

fn template(folder: &Path, time_zone: &str) -> Vec<u8> {
    let image = folder.join("image");
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&image).unwrap();
    file.set_len(BYTES).unwrap();
    let mut mke2fs = tool("mke2fs");
    mke2fs.args(mke2fs_args()).arg(&image).envs(mke2fs_environment(EPOCH)).env("TZ", time_zone);
    says(&mut mke2fs);
    from_image(&file).unwrap()
}

/// What a first boot leaves on a partition that is a little bigger, and held something else before.
fn first_boot(path: &Path, template: &Template<'_>, identity: Identity) -> File {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
    file.set_len(BYTES + (40 << 20)).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xaa; 8192], BYTES / 2).unwrap();
    apply(&file, &plan(template, identity)).unwrap();
    file
}

#[test]
fn two_runs_of_the_recipe_give_the_same_small_template() {
    let folder = tempfile::tempdir().unwrap();
    let one = template(folder.path(), "UTC");
    assert!(one == template(folder.path(), "Asia/Tokyo"), "the template depends on more than its recipe");
    assert!(one.len() < 4 << 20, "{} bytes", one.len());
}

#[test]
fn e2fsck_accepts_a_first_boots_filesystem_and_its_growth() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = template(folder.path(), "UTC");
    let template = Template::parse(&bytes).unwrap();
    let uuid: Guid = "0f0e0d0c-0b0a-4908-8706-050403020100".parse().unwrap();
    let hash_seed: Guid = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee".parse().unwrap();
    let path = folder.path().join("state");
    let file = first_boot(&path, &template, Identity { uuid, hash_seed });
    let head = file.bytes_at(0, BLANK_BYTES).unwrap();
    assert_eq!(judge(&head, &template), Content::Ext4);
    says(tool("e2fsck").args(["-f", "-n"]).arg(&path));
    let facts = says(tool("dumpe2fs").arg("-h").arg(&path));
    let fact =
        |name: &str| facts.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    assert_eq!(fact("Filesystem UUID:"), uuid.to_string());
    assert_eq!(fact("Directory Hash Seed:"), hash_seed.to_string());
    assert_eq!(fact("Filesystem state:"), "clean");
    assert_eq!(fact("Total journal size:"), "64M");
    assert_eq!(fact("Block size:"), "4096");
    assert_eq!(fact("Inodes per group:"), "8192");
    assert!(fact("Filesystem features:").contains("metadata_csum_seed"), "{facts}");
    assert!(!fact("Filesystem features:").contains("quota"), "{facts}");

    for bytes in [64_u64 << 30, 2 << 40] {
        file.set_len(bytes).unwrap();
        says(tool("resize2fs").arg("-f").arg(&path));
        let grown = says(tool("dumpe2fs").arg("-h").arg(&path));
        let blocks = grown.lines().find_map(|line| line.strip_prefix("Block count:")).unwrap_or_default().trim();
        assert_eq!(blocks.parse::<u64>().unwrap(), bytes / 4096, "{grown}");
        assert!(grown.contains("resize_inode"), "the reserved descriptors did not suffice:\n{grown}");
        if bytes < 1 << 40 {
            says(tool("e2fsck").args(["-f", "-n"]).arg(&path));
        }
    }
}
