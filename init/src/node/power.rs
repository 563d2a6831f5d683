//! The power key, on whichever input device has it.

use super::shutdown::Wish;
use nix::libc::O_NONBLOCK;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// `struct input_event` on 64 bits.
const EVENT: usize = 24;
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;
const PRESSED: i32 = 1;

/// Every input device, by name.
#[derive(Debug, Default)]
pub struct Buttons(BTreeMap<String, File>);

impl Buttons {
    /// Opens the devices that came since the last look.
    pub fn look(&mut self) {
        for entry in fs::read_dir("/dev/input").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("event") && !self.0.contains_key(&name) {
                let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(entry.path());
                self.0.extend(file.ok().map(|file| (name, file)));
            }
        }
    }

    /// What to poll for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.values().map(AsFd::as_fd)
    }

    /// Whether the power key was pressed.
    pub fn read(&mut self) -> Vec<Wish> {
        let mut pressed = false;
        let mut gone = Vec::new();
        for (name, device) in &mut self.0 {
            let mut events = [0u8; EVENT * 64];
            loop {
                match device.read(&mut events) {
                    Ok(count) if count > 0 => pressed |= events[..count].chunks_exact(EVENT).any(is_power_key),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    _ => {
                        gone.push(name.clone());
                        break;
                    }
                }
            }
        }
        self.0.retain(|name, _| !gone.contains(name));
        if pressed { vec![Wish::power_off("power key")] } else { Vec::new() }
    }
}

fn is_power_key(event: &[u8]) -> bool {
    let half = |at: usize| u16::from_le_bytes([event[at], event[at + 1]]);
    let value = i32::from_le_bytes(std::array::from_fn(|index| event[20 + index]));
    half(16) == EV_KEY && half(18) == KEY_POWER && value == PRESSED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_power_keys_press_counts() {
        let event = |kind: u16, code: u16, value: i32| {
            let mut bytes = [0u8; EVENT];
            bytes[16..18].copy_from_slice(&kind.to_le_bytes());
            bytes[18..20].copy_from_slice(&code.to_le_bytes());
            bytes[20..24].copy_from_slice(&value.to_le_bytes());
            bytes
        };
        assert!(is_power_key(&event(EV_KEY, KEY_POWER, 1)));
        assert!(!is_power_key(&event(EV_KEY, KEY_POWER, 0)));
        assert!(!is_power_key(&event(EV_KEY, 30, 1)));
        assert!(!is_power_key(&event(0, 0, 0)));
    }
}
