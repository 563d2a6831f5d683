//! Identifiers: letters, digits, `.` and `-` after `SPDXRef-`.

use sha2::{Digest, Sha256};

/// An identifier for what is called `name` among things of one kind. Of a name that has other characters, part of its digest
/// stands behind: no two names give the same.
pub fn id(kind: &str, name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if name.chars().all(plain) {
        return format!("SPDXRef-{kind}-{name}");
    }
    let readable: String = name.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    let digest = hex::encode(Sha256::digest(name));
    format!("SPDXRef-{kind}-{}-{}", readable.trim_matches('-'), &digest[..12])
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn identifiers_are_readable_and_differ() {
        assert_eq!(id("Component", "ca-certificates"), "SPDXRef-Component-ca-certificates");
        assert_ne!(id("File", "root/a b"), id("File", "root/a/b"));
        assert_ne!(id("Component", "a_b"), id("Component", "a-b"));
        let hostile = id("File", "\"<\u{202e}>");
        assert!(hostile.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)), "{hostile}");
    }
}
