//! The parameters of `mke2fs`. They are those of a big filesystem, because a small one grows into it on the node.

use orlop_config::definition::LEAST_STATE_MIB;

/// Bytes of the filesystem before it grows: no state partition is smaller.
pub const BYTES: u64 = LEAST_STATE_MIB << 20;

/// Every feature by name, so that no configuration file decides. `metadata_csum_seed`: a new UUID then needs no block but the
/// superblock. No `quota`: it needs a kernel module more. No `orphan_file`: older `e2fsck`s reject it.
const FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,\
    large_file,huge_file,dir_nlink,extra_isize,metadata_csum,metadata_csum_seed";

/// Blocks (of 4 KiB) up to which group descriptors have a place reserved: 2 TiB. A bigger filesystem grows on by `meta_bg`,
/// which the kernel switches to by itself.
const RESIZE_BLOCKS: u64 = (2 << 40) / 4096;

/// Of the template only: the first boot gives every node its own.
const UUID: &str = "6f726c6f-7073-8461-8465-74656d706c74";

/// `mke2fs`' arguments; the image's path comes after them. The image has [`BYTES`] bytes already.
pub fn mke2fs_args() -> Vec<String> {
    // Inode tables and journal are zeros in the file, and zeroed on the node: nothing is left for the kernel to do later.
    let extended = format!(
        "resize={RESIZE_BLOCKS},hash_seed={UUID},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard"
    );
    // `-i` and `-I`: mke2fs takes others for small filesystems. `-m 0`: everything on the node that writes much is root.
    let text = format!(
        "-q -F -t ext4 -T default -b 4096 -i 16384 -I 256 -m 0 -G 16 -J size=64 -e remount-ro -U {UUID} -L orlop-state"
    );
    let mut args: Vec<String> = text.split(' ').map(str::to_owned).collect();
    args.extend(["-O".to_owned(), FEATURES.to_owned(), "-E".to_owned(), extended]);
    args
}

/// `mke2fs`' environment: its clock stands, and it finds no configuration file but what is built in.
pub fn mke2fs_environment(epoch: u64) -> Vec<(&'static str, String)> {
    vec![
        ("E2FSPROGS_FAKE_TIME", epoch.to_string()),
        ("SOURCE_DATE_EPOCH", epoch.to_string()),
        ("MKE2FS_CONFIG", "/nonexistent/mke2fs.conf".to_owned()),
        ("MKE2FS_DEVICE_SECTSIZE", "512".to_owned()),
    ]
}
