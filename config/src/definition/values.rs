//! What single values may look like.

/// Whether a text can be the name of an image, a component, a class.
pub fn is_name(name: &str) -> bool {
    let inner = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    inner && !name.starts_with('-') && (1..=32).contains(&name.len())
}

pub(crate) fn is_pod_name(name: &str) -> bool {
    let inner = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    inner && !name.starts_with('-') && !name.ends_with('-') && (1..=63).contains(&name.len())
}

pub(super) fn is_package(name: &str) -> bool {
    let inner = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-._".contains(&byte));
    inner && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// A version as people write them, and as UAPI.10 compares them.
pub(crate) fn is_version(version: &str) -> bool {
    let inner = version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+~^_".contains(&byte));
    inner && version.starts_with(|first: char| first.is_ascii_digit()) && version.len() <= 64
}

/// `1.37` or `1.37.2`, perhaps with a pre-release.
pub(super) fn is_release(version: &str) -> bool {
    let (numbers, pre) = version.split_once('-').unwrap_or((version, "rc.0"));
    let parts: Vec<&str> = numbers.split('.').collect();
    let numeric = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let pre_good = !pre.is_empty() && pre.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    numeric && pre_good && (2..=3).contains(&parts.len()) && (parts.len() == 3 || !version.contains('-'))
}

/// Whether a text is a SHA-256 in lowercase hex.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Absolute, normalised, below `/`.
pub(super) fn is_root_path(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(is_inner_path)
}

/// Relative, normalised, no way out.
pub(super) fn is_inner_path(path: &str) -> bool {
    let part_good = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\0', '\n']);
    path.split('/').all(part_good) && path.len() < 4096
}

/// Whether a link's target, taken from the link's folder, never climbs above the root.
pub(super) fn stays_inside(link: &str, target: &str) -> bool {
    let mut depth = link.matches('/').count() - usize::from(link.starts_with('/'));
    for part in target.split('/') {
        match part {
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            "" | "." => return false,
            _ => depth += 1,
        }
    }
    true
}

/// A port as everybody writes it. `u16::from_str` takes a `+` too, and what has a 0 in front is the same port by another name.
pub(crate) fn is_port(port: &str) -> bool {
    let plain = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    plain && port.parse::<u16>().is_ok()
}

pub(super) fn is_mode(mode: &str) -> bool {
    let digits = mode.len() == 3 || mode.len() == 4;
    digits && u32::from_str_radix(mode, 8).is_ok_and(|bits| bits & 0o7002 == 0)
}
