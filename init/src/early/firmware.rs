//! What the firmware and the kernel say of Secure Boot, read before anything else can have changed it. What it comes
//! to is `orlop_chain::trust`'s business.

use crate::sys::keyring;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};
use orlop_chain::Guid;
use orlop_chain::trust::Facts;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

const EFIVARS: &str = "/sys/firmware/efi/efivars";
const SECURITY: &str = "/sys/kernel/security";
const REQUIRE_SIGNATURES: &str = "/sys/module/dm_verity/parameters/require_signatures";
/// The firmware's own variables.
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Those of the signature databases (`EFI_IMAGE_SECURITY_DATABASE_GUID`).
const DATABASE: &str = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
/// Those of the boot loader's interface.
const LOADER: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/// Where the kernel looks for shim's keys: a table of shim's, then a variable that anybody may have written.
const MOK_LISTS: [&str; 2] = [
    "/sys/firmware/efi/mok-variables/MokListRT",
    "/sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23",
];

/// What was read.
#[derive(Debug)]
pub struct Firmware {
    /// All but dm-verity's parameter, which is there once its module is loaded.
    pub facts: Facts,
    /// The partition from which the firmware started, where it says so.
    pub loader_partition: Option<Guid>,
}

/// Reads it all. The variables stay mounted, and come along to the root with `/sys`: where each is a call into SMM it
/// takes seconds to list them.
pub fn read(appended: Option<String>) -> Firmware {
    let variables = attach("efivarfs", EFIVARS);
    let mok = MOK_LISTS.iter().find(|path| Path::new(path).try_exists().unwrap_or(true));
    let loader = variable("LoaderDevicePartUUID", LOADER).ok().flatten();
    let lockdown = attach("securityfs", SECURITY).and_then(|_| text("/sys/kernel/security/lockdown"));
    let _ = umount(SECURITY);
    let facts = Facts {
        secure_boot: variables.and_then(|has| if has { variable("SecureBoot", GLOBAL) } else { Ok(None) }),
        db: variable("db", DATABASE).and_then(|db| db.ok_or_else(|| "there is none".to_owned())),
        mok_list: mok.map(|path| (*path).to_owned()),
        platform: keys(".platform").and_then(|keys| keys.ok_or_else(|| "there is none".to_owned())),
        machine: keys(".machine").map(Option::unwrap_or_default),
        lockdown,
        require_signatures: Err("dm-verity is not loaded".to_owned()),
        appended,
    };
    Firmware { facts, loader_partition: loader.and_then(|bytes| parse_loader_partition(&bytes)) }
}

/// dm-verity's own word on whether it demands signatures.
pub fn require_signatures() -> Result<String, String> {
    text(REQUIRE_SIGNATURES)
}

/// Mounts one of the kernel's filesystems, to be read only; whether this machine has it.
fn attach(kind: &str, folder: &str) -> Result<bool, String> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    match mount(Some(kind), folder, Some(kind), flags, None::<&str>) {
        Ok(()) => Ok(true),
        Err(Errno::ENODEV | Errno::ENOENT | Errno::EOPNOTSUPP) => Ok(false),
        Err(error) => Err(format!("{folder}: {error}")),
    }
}

/// A variable, attributes first, if there is such a one.
fn variable(name: &str, vendor: &str) -> Result<Option<Vec<u8>>, String> {
    match fs::read(format!("{EFIVARS}/{name}-{vendor}")) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

fn text(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// Descriptions of the keys in one of the kernel's keyrings, if it has such a one.
fn keys(keyring: &str) -> Result<Option<Vec<String>>, String> {
    let Some(serial) = find_keyring(&text("/proc/keys")?, keyring)? else { return Ok(None) };
    let members = keyring::members(serial).map_err(|error| error.to_string())?;
    let described = members.into_iter().map(|key| keyring::description(key).map_err(|error| error.to_string()));
    described.collect::<Result<_, _>>().map(Some)
}

/// The serial number of root's keyring of this name in the text of `/proc/keys`.
fn find_keyring(keys: &str, name: &str) -> Result<Option<i32>, String> {
    let serials = keys.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let serial = words.next()?;
        // Flags, usage, expiry, permissions; then user and group.
        let mut owner = words.by_ref().skip(4);
        let roots = owner.next()? == "0" && owner.next()? == "0";
        let found = roots && words.next()? == "keyring" && words.next()?.strip_suffix(':')? == name;
        found.then(|| i32::from_str_radix(serial, 16).ok()).flatten()
    });
    match serials.collect::<Vec<_>>().as_slice() {
        [] => Ok(None),
        [serial] => Ok(Some(*serial)),
        found => Err(format!("{} keyrings are called {name}", found.len())),
    }
}

/// Four bytes of attributes, then UTF-16LE text with a NUL.
fn parse_loader_partition(bytes: &[u8]) -> Option<Guid> {
    let units: Vec<u16> = bytes.get(4..)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text = String::from_utf16(&units).ok()?;
    text.trim_end_matches('\0').to_ascii_lowercase().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_firmwares_partition() {
        let text = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B\0";
        let bytes: Vec<u8> = [6, 0, 0, 0].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(parse_loader_partition(&bytes), text[..36].to_ascii_lowercase().parse().ok());
        assert_eq!(parse_loader_partition(&bytes[..20]), None);
    }

    #[test]
    fn roots_keyring_is_found_by_its_name() {
        let keys = "\
0a8ff0b2 I------     1 perm 1f0b0000     0     0 keyring   .builtin_trusted_keys: 4
0b02ea55 I--Q---     9 perm 1f3f0000     0 65534 keyring   .platform: 3
1df4bf0d I------     1 perm 1f0b0000     0     0 keyring   .platform: 1
2b02ea55 I--Q---     9 perm 1f3f0000  1000  1000 keyring   .platform: 2
3c01aa00 I------     1 perm 1f010000     0     0 asymmetri .platform: 00aa: X509.rsa 00aa []
";
        assert_eq!(find_keyring(keys, ".platform"), Ok(Some(0x1df4_bf0d)));
        assert_eq!(find_keyring(keys, ".builtin_trusted_keys"), Ok(Some(0x0a8f_f0b2)));
        assert_eq!(find_keyring(keys, ".machine"), Ok(None));
        assert!(find_keyring(&keys.repeat(2), ".platform").is_err());
    }

    proptest! {
        #[test]
        fn any_variable_is_a_guid_or_none(bytes: Vec<u8>) {
            let _ = parse_loader_partition(&bytes);
        }

        #[test]
        fn any_text_names_a_keyring_or_none(text in "\\PC*") {
            let _ = find_keyring(&text, ".platform");
        }
    }
}
