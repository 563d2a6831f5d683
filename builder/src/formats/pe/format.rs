//! Offsets and flags. Those of the optional header count from its start.

/// Where the offset of the PE signature stands.
pub(super) const PE_OFFSET: usize = 0x3c;
pub(super) const SIGNATURE: &[u8; 4] = b"PE\0\0";
/// COFF header, behind the signature.
pub(super) const COFF: usize = 20;
pub(super) const COFF_SECTIONS: usize = 2;
pub(super) const COFF_SYMBOLS: usize = 8;
pub(super) const COFF_OPTIONAL_SIZE: usize = 16;

pub(super) const PE32_PLUS: u16 = 0x20b;
pub(super) const INITIALIZED_DATA_BYTES: usize = 8;
pub(super) const SECTION_ALIGNMENT: usize = 32;
pub(super) const FILE_ALIGNMENT: usize = 36;
pub(super) const SIZE_OF_IMAGE: usize = 56;
pub(super) const SIZE_OF_HEADERS: usize = 60;
pub(super) const CHECKSUM: usize = 64;
pub(super) const SUBSYSTEM: usize = 68;
pub(super) const DLL_CHARACTERISTICS: usize = 70;
pub(super) const DIRECTORIES: usize = 108;
/// Entry 4 of the data directories, the certificate table: a file offset and a size.
pub(super) const CERTIFICATES: usize = 112 + 4 * 8;

pub(super) const EFI_APPLICATION: u16 = 10;
pub(super) const NX_COMPAT: u16 = 0x100;

/// Bytes of an entry of the section table.
pub(super) const SECTION: usize = 40;
/// More sections than this no loader takes.
pub(super) const MAX_SECTIONS: usize = 96;
pub(super) const CODE: u32 = 0x20;
pub(super) const INITIALIZED_DATA: u32 = 0x40;
pub(super) const READABLE: u32 = 0x4000_0000;

/// The little-endian number at `at`; nothing beyond the end.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian number at `at`; nothing beyond the end.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Writes a number where one was read before.
pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}
