//! A container image's name as registries take it (Distribution specification 1.1, "Pulling manifests").

use std::fmt;

use super::values::{is_port, is_sha256};

/// `HOST/REPOSITORY[:TAG][@sha256:DIGEST]`. The host is always named: where an image comes from is not guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    /// The registry: a name or address, perhaps with a port.
    pub registry: String,
    /// What it is called there.
    pub repository: String,
    /// What may point to another image tomorrow.
    pub tag: Option<String>,
    /// SHA-256 of the manifest or index, lowercase hex.
    pub digest: Option<String>,
}

impl ImageReference {
    /// Reads one; the error says what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (rest, digest) = match text.split_once('@') {
            None => (text, None),
            Some((rest, digest)) => (rest, Some(digest_of(digest)?)),
        };
        let (registry, rest) = rest.split_once('/').filter(|(host, _)| is_registry(host)).ok_or_else(|| {
            "it names no registry; begin it with the host, such as \"registry.example:5000/team/app:1\"".to_owned()
        })?;
        let (repository, tag) = match rest.rsplit_once(':') {
            None => (rest, None),
            Some((repository, tag)) => (repository, Some(tag)),
        };
        if !repository.split('/').all(is_part) || repository.len() > 255 {
            return Err(format!(
                "`{repository}` is no repository; it takes lowercase letters, digits and `/`, and `.`, `_` or `-` between them"
            ));
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(format!("`{tag}` is no tag; it takes letters, digits, `.`, `_` and `-`, at most 128"));
        }
        Ok(ImageReference {
            registry: registry.into(),
            repository: repository.into(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }

    /// Registry and repository: what all versions of it are called.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(out, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(out, "@sha256:{digest}"))
    }
}

fn digest_of(text: &str) -> Result<String, String> {
    let digest = text.strip_prefix("sha256:").filter(|digest| is_sha256(digest));
    digest
        .map(str::to_owned)
        .ok_or_else(|| format!("`{text}` is no digest; write `sha256:` and 64 lowercase hexadecimal digits"))
}

/// A host and its port: `registry.example:5000`, `[::1]:5000`, `[::1]`.
pub fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// As everybody tells it from the first part of a repository: by a dot, a port, or the name `localhost`.
fn is_registry(host: &str) -> bool {
    let (name, port) = split_port(host);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let name_good = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(|label| {
            let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
        }),
    };
    let port_good = port.is_none_or(is_port);
    let told = port.is_some() || address.is_some() || name.contains('.') || name == "localhost";
    name_good && port_good && told && host.len() <= 255
}

/// Letters and digits, with one `.`, one or two `_`, or any number of `-` between them.
fn is_part(part: &str) -> bool {
    let outer = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = bytes.first().is_some_and(outer) && bytes.last().is_some_and(outer);
    let mut between = part.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    ends && between.all(|text| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let inner = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    inner && !tag.starts_with(['.', '-']) && (1..=128).contains(&tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_names_a_host_and_reads_back() {
        for (text, registry, repository, tag) in [
            ("registry.example/app", "registry.example", "app", None),
            ("registry.example:5000/team/app:1.2", "registry.example:5000", "team/app", Some("1.2")),
            ("localhost/pause:1", "localhost", "pause", Some("1")),
            ("[::1]:5000/a__b/c--d", "[::1]:5000", "a__b/c--d", None),
        ] {
            for digest in [None, Some(DIGEST.to_owned())] {
                let whole = digest.iter().fold(text.to_owned(), |text, digest| format!("{text}@sha256:{digest}"));
                let read = ImageReference::parse(&whole).expect(&whole);
                let tag = tag.map(str::to_owned);
                let want = ImageReference { registry: registry.into(), repository: repository.into(), tag, digest };
                assert_eq!((&read, read.to_string()), (&want, whole));
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, says) in [
            ("busybox", "names no registry"),
            ("library/busybox:1", "names no registry"),
            ("https://registry.example/app", "names no registry"),
            ("user:secret@registry.example/app", "is no digest"),
            ("registry.example:port/app", "names no registry"),
            ("registry.example:+80/app", "names no registry"),
            ("registry.example:080/app", "names no registry"),
            ("registry.example:0/app", "names no registry"),
            ("registry.example/App", "`App` is no repository"),
            ("registry.example/a//b", "`a//b` is no repository"),
            ("registry.example/a/../b", "`a/../b` is no repository"),
            ("registry.example/app:", "`` is no tag"),
            ("registry.example/app:-1", "`-1` is no tag"),
            ("registry.example/app@sha512:00", "`sha512:00` is no digest"),
            ("registry.example/app@sha256:ABC", "64 lowercase hexadecimal digits"),
        ] {
            let error = ImageReference::parse(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
