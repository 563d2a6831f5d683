//! Names, of domains and of cards. Of what comes from the network, letters, digits, `-`, `_` and dots are let
//! into `resolv.conf`, and nothing else.

use crate::bytes::Reader;

/// Longest name (RFC 1035).
const LONGEST: usize = 253;
/// More names of one list than this are left out: kubelet takes no more than 32.
const MANY: usize = 32;
/// More pointers in one name than this are a loop.
const POINTERS: usize = 16;

/// A name as text, in lower case and without the last dot; `None` where it is no name of a host or domain.
pub fn from_text(text: &str) -> Option<String> {
    let text = text.trim_end_matches('\0');
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    (text.len() <= LONGEST && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

/// Names in the form of DNS, with pointers into the same bytes (RFC 3397). A name that is no host's or domain's is left
/// out; bytes that are no names at all are `None`.
pub fn list(bytes: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < bytes.len() && names.len() < MANY {
        let (name, end) = read(bytes, at)?;
        names.extend(from_text(&name));
        at = end;
    }
    Some(names)
}

/// The name at a place of a packet, with dots between its labels, and where it ends.
pub fn read(packet: &[u8], at: usize) -> Option<(String, usize)> {
    let mut reader = Reader(packet.get(at..)?);
    let mut end = None;
    let mut name = String::new();
    let mut pointers = 0;
    loop {
        let length = reader.u8()?;
        match length {
            0 => return Some((name, end.unwrap_or(packet.len() - reader.0.len()))),
            1..=63 => {
                let label = reader.take(length.into())?;
                if !name.is_empty() {
                    name.push('.');
                }
                // A dot inside a label, or a byte that is no letter, does not pass `from_text`.
                name.extend(label.iter().map(|byte| match byte {
                    b'.' => ' ',
                    byte => char::from(*byte),
                }));
                if name.len() > 2 * LONGEST {
                    return None;
                }
            }
            0xc0.. => {
                let to = usize::from(length & 0x3f) << 8 | usize::from(reader.u8()?);
                end.get_or_insert(packet.len() - reader.0.len());
                pointers += 1;
                if pointers > POINTERS {
                    return None;
                }
                reader = Reader(packet.get(to..)?);
            }
            _ => return None,
        }
    }
}

/// A hardware address as everybody writes it.
pub fn mac(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// The hardware address of a text.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let bytes: Vec<u8> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect::<Option<_>>()?;
    (text.len() == 17).then_some(bytes.try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_rfc_is_read() {
        // RFC 3397 §2: eng.apple.com., marketing.apple.com.
        let bytes = b"\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04";
        assert_eq!(list(bytes), Some(vec!["eng.apple.com".into(), "marketing.apple.com".into()]));
    }

    #[test]
    fn a_pointer_to_itself_ends() {
        assert_eq!(list(b"\xc0\x00"), None);
        assert_eq!(list(b"\x01a\xc0\x00"), None);
    }

    #[test]
    fn what_would_be_a_line_of_its_own_is_no_name() {
        for text in ["a\nnameserver 192.0.2.1", "a b", "", ".", "a..b", "-a", "ä.example", &"a".repeat(64)] {
            assert_eq!(from_text(text), None, "{text:?}");
        }
        assert_eq!(list(b"\x03a\nb\x00\x02ok\x00"), Some(vec!["ok".into()]));
        assert_eq!(from_text("Lab.Example.\0").as_deref(), Some("lab.example"));
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic_or_a_bad_name(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for name in list(&bytes).unwrap_or_default() {
                prop_assert!(name.len() <= LONGEST && !name.contains(char::is_whitespace));
            }
        }
    }
}
