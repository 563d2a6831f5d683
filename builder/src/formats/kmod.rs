//! Kernel modules: what the `.modinfo` section of a `.ko` or `.ko.xz` says (`key=value`, each ended by NUL).

use std::io::Read;

use object::{Object, ObjectSection};

/// No module is bigger than this when it is unpacked.
const MAX_BYTES: u64 = 64 << 20;
const XZ: &[u8; 6] = b"\xfd7zXZ\0";

/// What a module says of itself. Names are as in `/proc/modules`: with `_`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModuleInfo {
    /// Its name.
    pub name: String,
    /// Modules that must be loaded before it.
    pub depends: Vec<String>,
    /// Modules that had better be loaded before it (`softdep=pre: …`).
    pub soft_before: Vec<String>,
    /// Modules that had better be loaded after it (`softdep=post: …`).
    pub soft_after: Vec<String>,
    /// Patterns of the devices and features that it is for.
    pub aliases: Vec<String>,
    /// Kernel that it was built for.
    pub vermagic: String,
}

/// Why a module cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KmodError {
    /// Packed in a way that does not unpack.
    #[error("kernel module: unpacking")]
    Unpack(#[from] std::io::Error),
    /// Too big.
    #[error("kernel module: more than {MAX_BYTES} bytes unpacked")]
    TooBig,
    /// Not ELF.
    #[error("kernel module")]
    Elf(#[from] object::Error),
    /// ELF, but no module.
    #[error("kernel module: no `.modinfo` section with a name")]
    NoInfo,
}

/// Reads the module in `bytes`, packed by xz or not at all.
pub fn modinfo(bytes: &[u8]) -> Result<ModuleInfo, KmodError> {
    let unpacked;
    let elf = if bytes.starts_with(XZ) {
        unpacked = unpack(bytes)?;
        &unpacked
    } else {
        bytes
    };
    let file = object::File::parse(elf)?;
    let section = file.section_by_name(".modinfo").ok_or(KmodError::NoInfo)?;
    let info = parse(section.data()?);
    if info.name.is_empty() { Err(KmodError::NoInfo) } else { Ok(info) }
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, KmodError> {
    let mut out = Vec::new();
    lzma_rust2::XzReader::new(bytes, true).take(MAX_BYTES + 1).read_to_end(&mut out)?;
    if out.len() as u64 > MAX_BYTES { Err(KmodError::TooBig) } else { Ok(out) }
}

fn parse(section: &[u8]) -> ModuleInfo {
    let mut info = ModuleInfo::default();
    for entry in section.split(|byte| *byte == 0) {
        let entry = String::from_utf8_lossy(entry);
        let Some((key, value)) = entry.split_once('=') else { continue };
        match key {
            "name" => info.name = normal(value),
            "depends" => info.depends.extend(value.split(',').filter(|name| !name.is_empty()).map(normal)),
            "alias" => info.aliases.push(value.to_owned()),
            "softdep" => soft(&mut info, value),
            "vermagic" => info.vermagic = value.to_owned(),
            _ => {}
        }
    }
    info
}

/// `pre: a b post: c`
fn soft(info: &mut ModuleInfo, value: &str) {
    let mut before = true;
    for word in value.split_whitespace() {
        match word {
            "pre:" => before = true,
            "post:" => before = false,
            name if before => info.soft_before.push(normal(name)),
            name => info.soft_after.push(normal(name)),
        }
    }
}

fn normal(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECTION: &[u8] =
        b"license=GPL\0alias=pci:v00001AF4d*\0alias=virtio:d00000002v*\0depends=virtio,virtio-ring\0\
        softdep=pre: crc32c sha-256 post: zstd\0name=virtio_blk\0vermagic=6.12.0 SMP\0\0\0";

    #[test]
    fn all_that_is_asked_for_is_found() {
        let info = parse(SECTION);
        assert_eq!(info.name, "virtio_blk");
        assert_eq!(info.depends, ["virtio", "virtio_ring"]);
        assert_eq!((info.soft_before, info.soft_after), (vec!["crc32c".into(), "sha_256".into()], vec!["zstd".into()]));
        assert_eq!(info.aliases, ["pci:v00001AF4d*", "virtio:d00000002v*"]);
        assert_eq!(info.vermagic, "6.12.0 SMP");
    }

    #[test]
    fn a_program_is_no_module() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(matches!(modinfo(&own), Err(KmodError::NoInfo)));
        assert!(matches!(modinfo(b"\xfd7zXZ\0nonsense"), Err(KmodError::Unpack(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_module_or_an_error(bytes: Vec<u8>) {
            let _ = modinfo(&bytes);
            let _ = modinfo(&[XZ.as_slice(), &bytes].concat());
            let _ = parse(&bytes);
        }
    }
}
