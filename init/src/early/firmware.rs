//! What the firmware and the kernel say of Secure Boot, read before anything else can have changed it. What it comes
//! to is `orlop_chain::trust`'s business.

use crate::sys::keyring;
use nix::mount::{MsFlags, mount, umount};
use orlop_chain::Guid;
use orlop_chain::trust::Facts;
use std::fs;
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

/// Reads it all, with the variables mounted for as long as that takes.
pub fn read(appended: Option<String>) -> Firmware {
    let variables = mounted("efivarfs", EFIVARS, || {
        let mok = MOK_LISTS.iter().find(|path| Path::new(path).try_exists().unwrap_or(true));
        let loader = variable("LoaderDevicePartUUID", LOADER).ok();
        (variable("SecureBoot", GLOBAL), variable("db", DATABASE), mok, loader)
    });
    let (secure_boot, db, mok, loader) = variables.unwrap_or_else(|error| (Err(error.clone()), Err(error), None, None));
    let lockdown = mounted("securityfs", SECURITY, || text("/sys/kernel/security/lockdown"));
    let facts = Facts {
        secure_boot,
        db,
        mok_list: mok.map(|path| (*path).to_owned()),
        platform: platform(),
        lockdown: lockdown.and_then(|text| text),
        require_signatures: Err("dm-verity is not loaded".to_owned()),
        appended,
    };
    Firmware { facts, loader_partition: loader.and_then(|bytes| parse_loader_partition(&bytes)) }
}

/// dm-verity's own word on whether it demands signatures.
pub fn require_signatures() -> Result<String, String> {
    text(REQUIRE_SIGNATURES)
}

fn mounted<T>(kind: &str, folder: &str, work: impl FnOnce() -> T) -> Result<T, String> {
    if !Path::new(folder).is_dir() {
        return Err(format!("the kernel has no {folder}"));
    }
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some(kind), folder, Some(kind), flags, None::<&str>).map_err(|error| format!("{folder}: {error}"))?;
    let done = work();
    let _ = umount(folder);
    Ok(done)
}

fn variable(name: &str, vendor: &str) -> Result<Vec<u8>, String> {
    fs::read(format!("{EFIVARS}/{name}-{vendor}")).map_err(|error| error.to_string())
}

fn text(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// Descriptions of the firmware's keys, as the kernel holds them.
fn platform() -> Result<Vec<String>, String> {
    let serial = find_keyring(&text("/proc/keys")?, ".platform")?;
    let members = keyring::members(serial).map_err(|error| error.to_string())?;
    members.into_iter().map(|key| keyring::description(key).map_err(|error| error.to_string())).collect()
}

/// The serial number of root's keyring of this name in the text of `/proc/keys`.
fn find_keyring(keys: &str, name: &str) -> Result<i32, String> {
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
        [serial] => Ok(*serial),
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
        assert_eq!(find_keyring(keys, ".platform"), Ok(0x1df4_bf0d));
        assert_eq!(find_keyring(keys, ".builtin_trusted_keys"), Ok(0x0a8f_f0b2));
        assert_eq!(find_keyring(keys, ".machine"), Err("0 keyrings are called .machine".to_owned()));
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
