//! The kernel's keys (`keyctl(2)`): who is in a keyring, and one key of ours for as long as dm-verity looks for it.

use super::check;
use nix::libc;
use std::ffi::CStr;
use std::io;

/// `include/uapi/linux/keyctl.h`
const KEYCTL_REVOKE: i32 = 3;
const KEYCTL_DESCRIBE: i32 = 6;
const KEYCTL_UNLINK: i32 = 9;
const KEYCTL_READ: i32 = 11;
const PROCESS_KEYRING: i32 = -2;
/// Most bytes that are read: thousands of keys, or the longest description.
const LIMIT: usize = 16 << 10;

/// A key of this process, until it is dropped.
#[derive(Debug)]
pub struct UserKey(i32);

impl UserKey {
    /// Puts bytes where the kernel finds them by their description.
    pub fn add(description: &CStr, payload: &[u8]) -> io::Result<Self> {
        // SAFETY: both strings end with NUL, the payload has the length that is given.
        let serial = check(unsafe {
            libc::syscall(
                libc::SYS_add_key,
                c"user".as_ptr(),
                description.as_ptr(),
                payload.as_ptr(),
                payload.len(),
                PROCESS_KEYRING,
            )
        })?;
        Ok(UserKey(serial as i32))
    }
}

impl Drop for UserKey {
    fn drop(&mut self) {
        for (command, keyring) in [(KEYCTL_REVOKE, 0), (KEYCTL_UNLINK, PROCESS_KEYRING)] {
            // SAFETY: both commands take numbers only. A key that stays is the signature, which is no secret.
            unsafe { libc::syscall(libc::SYS_keyctl, command, self.0, keyring, 0, 0) };
        }
    }
}

/// Serial numbers of the keys in a keyring.
pub fn members(keyring: i32) -> io::Result<Vec<i32>> {
    let bytes = read(KEYCTL_READ, keyring)?;
    let serials = bytes.as_chunks().0;
    Ok(serials.iter().map(|serial| i32::from_ne_bytes(*serial)).collect())
}

/// What a key is called.
pub fn description(key: i32) -> io::Result<String> {
    let bytes = read(KEYCTL_DESCRIBE, key)?;
    let text = String::from_utf8_lossy(&bytes);
    // `type;uid;gid;permissions;description`, then a NUL.
    let described = text.splitn(5, ';').nth(4).map(|text| text.trim_end_matches('\0').to_owned());
    described.ok_or_else(|| io::Error::other(format!("key {key:x} is described as `{text}`")))
}

fn read(command: i32, key: i32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0u8; LIMIT];
    // SAFETY: both commands write at most as many bytes as the buffer has, and return how many there are.
    let length = check(unsafe { libc::syscall(libc::SYS_keyctl, command, key, bytes.as_mut_ptr(), bytes.len(), 0) })?;
    if length as usize > bytes.len() {
        return Err(io::Error::other(format!("key {key:x} has {length} bytes, want at most {LIMIT}")));
    }
    bytes.truncate(length as usize);
    Ok(bytes)
}
