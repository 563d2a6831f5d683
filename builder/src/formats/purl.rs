//! Package URLs as they are written (<https://github.com/package-url/purl-spec>, ECMA-427): what stays, and what is encoded.

/// Percent-encoded but for what the specification leaves as it is.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Namespace and name: each part of a path [`encoded`].
pub fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

#[test]
fn what_is_not_plain_is_encoded() {
    assert_eq!(encoded("v1.0.0+x_~:a/é"), "v1.0.0%2Bx_~:a%2F%C3%A9");
    assert_eq!(encoded_path("k8s.io/a b"), "k8s.io/a%20b");
}
