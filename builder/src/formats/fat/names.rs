//! Short names, and which names need a long one beside.

use std::collections::BTreeSet;

/// Eleven bytes: eight of the name and three of its extension, padded with spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShortName(pub [u8; 11]);

impl ShortName {
    /// What ties long-name entries to their short one.
    pub fn checksum(&self) -> u8 {
        self.0.iter().fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
    }

    /// The name itself, if it is one of eight and three characters in capitals: then it needs no long name.
    pub fn exact(name: &str) -> Option<ShortName> {
        let (base, extension) = name.split_once('.').unwrap_or((name, ""));
        let fits =
            (1..=8).contains(&base.len()) && extension.len() <= 3 && !(name.contains('.') && extension.is_empty());
        let plain = |text: &str| text.bytes().all(|byte| is_short(byte) && !byte.is_ascii_lowercase());
        (fits && plain(base) && plain(extension)).then(|| ShortName::from_parts(base.as_bytes(), extension.as_bytes()))
    }

    /// A name made up for one that does not fit, different from all in `taken`.
    pub fn made_up(name: &str, taken: &BTreeSet<ShortName>) -> Option<ShortName> {
        let (base, extension) = name.trim_start_matches('.').rsplit_once('.').unwrap_or((name, ""));
        let (base, extension) = (short_bytes(base, 8), short_bytes(extension, 3));
        (1..1_000_000_u32).find_map(|number| {
            let tail = format!("~{number}");
            let keep = base.len().min(8 - tail.len());
            let candidate = ShortName::from_parts(&[&base[..keep], tail.as_bytes()].concat(), &extension);
            (!taken.contains(&candidate)).then_some(candidate)
        })
    }

    fn from_parts(base: &[u8], extension: &[u8]) -> ShortName {
        let mut bytes = [b' '; 11];
        bytes[..base.len()].copy_from_slice(base);
        bytes[8..8 + extension.len()].copy_from_slice(extension);
        ShortName(bytes)
    }
}

fn is_short(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"$%'-_@~`!(){}^#&".contains(&byte)
}

fn short_bytes(text: &str, length: usize) -> Vec<u8> {
    let kept = text.chars().filter(|character| !matches!(character, ' ' | '.'));
    let bytes = kept.map(|character| match u8::try_from(character) {
        Ok(byte) if is_short(byte) => byte.to_ascii_uppercase(),
        _ => b'_',
    });
    bytes.take(length).collect()
}

/// Whether a long name may have this text.
pub(super) fn is_valid(name: &str) -> bool {
    let plain = !name.chars().any(|character| character.is_control() || "\"*/:<>?\\|".contains(character));
    plain && !matches!(name, "" | "." | "..") && !name.ends_with(['.', ' ']) && name.encode_utf16().count() <= 255
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: ShortName) -> String {
        String::from_utf8(name.0.to_vec()).unwrap()
    }

    #[test]
    fn names_of_eight_and_three_capitals_are_their_own() {
        assert_eq!(ShortName::exact("BOOTX64.EFI").map(text).as_deref(), Some("BOOTX64 EFI"));
        assert_eq!(ShortName::exact("EFI").map(text).as_deref(), Some("EFI        "));
        for other in ["Linux", "BOOTX64.EFI.TMP", "A.", "TOOLONGNAME", "A.LONG", "A B"] {
            assert_eq!(ShortName::exact(other), None, "{other}");
        }
    }

    #[test]
    fn made_up_names_are_all_different() {
        let mut taken = BTreeSet::new();
        for number in 1..=12 {
            let name = ShortName::made_up(&format!("orlop_{number}.0+3.efi"), &taken).unwrap();
            assert!(taken.insert(name));
        }
        let names: Vec<_> = taken.into_iter().map(text).collect();
        assert!(names.contains(&"ORLOP_~1EFI".to_owned()) && names.contains(&"ORLOP~12EFI".to_owned()), "{names:?}");
    }

    #[test]
    fn the_checksum_of_the_specification() {
        // Computed by hand from the specification's C function.
        let by_hand = b"BOOTX64 EFI".iter().fold(0_u8, |sum, byte| {
            (if sum & 1 == 1 { 0x80_u8 } else { 0 }).wrapping_add(sum >> 1).wrapping_add(*byte)
        });
        assert_eq!(ShortName(*b"BOOTX64 EFI").checksum(), by_hand);
    }

    #[test]
    fn what_no_name_may_be() {
        for bad in ["", ".", "..", "a/b", "a\\b", "a:", "end.", "end ", "\n", &"x".repeat(256)] {
            assert!(!is_valid(bad), "{bad:?}");
        }
        assert!(is_valid("orlop_1.0+3.efi") && is_valid("größe"));
    }
}
