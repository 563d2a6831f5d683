//! Partition types (Discoverable Partitions Specification, UAPI.2) and attribute bits.

use crate::Guid;

/// EFI system partition.
pub const ESP: Guid = Guid::from_u128(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b);
/// Root, x86-64.
pub const ROOT_X86_64: Guid = Guid::from_u128(0x4f68bce3_e8cd_4db1_96e7_fbcaf984b709);
/// Verity tree of a root, x86-64.
pub const ROOT_VERITY_X86_64: Guid = Guid::from_u128(0x2c7357ed_ebd2_46d9_aec1_23d437ec2bf5);
/// Signature of a root hash, x86-64.
pub const ROOT_VERITY_SIG_X86_64: Guid = Guid::from_u128(0x41092b05_9fc8_4523_994f_2def0408b176);
/// `/var`: the state partition.
pub const VAR: Guid = Guid::from_u128(0x4d21b016_b534_45c2_a9fb_5c16e091fd2d);
/// The one entry of a protective MBR.
pub const PROTECTIVE_MBR: u8 = 0xee;

/// Attribute: not to be written.
pub const READ_ONLY: u64 = 1 << 60;
/// Attribute: not to be used without being asked for.
pub const NO_AUTO: u64 = 1 << 63;

/// The type's name, for people; `None` for a type that no disk of ours has.
pub fn name(guid: Guid) -> Option<&'static str> {
    match guid {
        ESP => Some("esp"),
        ROOT_X86_64 => Some("root"),
        ROOT_VERITY_X86_64 => Some("root-verity"),
        ROOT_VERITY_SIG_X86_64 => Some("root-verity-sig"),
        VAR => Some("var"),
        _ => None,
    }
}
