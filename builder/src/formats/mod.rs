//! On-disk formats, a folder each: structures, writer, reader. Nothing here knows what an image is.
//!
//! Every format has a second witness in `tests/witness_*.rs`: somebody else's program that reads what was written here.

pub mod auditable;
pub mod authenticode;
pub mod cpio;
pub mod dsse;
pub mod efi_signature;
pub mod elf;
pub mod erofs;
pub mod ext4_template;
pub mod fat;
pub mod go_binary;
pub mod gpt;
pub mod kmod;
pub mod oci;
pub mod pe;
pub mod pkcs7;
pub mod purl;
pub mod verity;
pub mod x509;
