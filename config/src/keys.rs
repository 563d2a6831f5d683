//! The set of keys that signs images: `keys.toml`, in the folder that `orlop keygen` makes. Paths are relative to it.

use serde::{Deserialize, Serialize};

use crate::text::{Mistake, Sources, Text};

/// The file's name in a folder of keys.
pub const FILE: &str = "keys.toml";

/// A set of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Signs manifests: ed25519.
    pub release: ReleaseKey,
    /// Signs what firmware and kernel check: RSA-2048.
    pub db: DbKey,
    /// The signed IPE policy, where the db key is not at hand when images are built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
}

/// The release key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseKey {
    /// Its public part, PEM.
    pub public: String,
    /// Who signs with it; absent: nobody here (`orlop build --unsigned`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
}

/// The key whose certificate lies in the firmware's db.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DbKey {
    /// Its certificate, PEM or DER.
    pub certificate: String,
    /// Who signs with it; absent: nobody here (`orlop build --unsigned`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
}

/// Who makes signatures: one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Signer {
    /// A key file, PKCS#8 PEM.
    Key(String),
    /// A program and its arguments: what is to be signed on standard input, the raw signature on standard output. A
    /// program with a `/` in its name is relative to this file's folder, as it runs there.
    Command(Vec<String>),
}

/// The signed IPE policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// PKCS#7 around the policy's text, as `orlop sign-policy` makes it.
    pub signature: String,
}

/// Reads a set's text.
pub fn parse(file: &str, text: &str) -> Result<Keys, Mistake> {
    let text = Text::new(file, text);
    let sources = Sources::new(std::slice::from_ref(&text));
    let table = sources.parse(0)?;
    let places = table.get_ref().clone();
    let keys: Keys = sources.read(table)?;
    for (name, signer) in [("release", &keys.release.signer), ("db", &keys.db.signer)] {
        if matches!(signer, Some(Signer::Command(words)) if words.first().is_none_or(String::is_empty)) {
            let span = crate::text::span_of(&places, &[name, "signer", "command"]);
            let next = "write the program and its arguments: command = [\"sign-with-hsm\", \"--key\", \"release\"]";
            return Err(sources.mistake(span, "an empty command".into(), Some(next.into())));
        }
    }
    Ok(keys)
}

/// A set's text.
pub fn render(keys: &Keys) -> String {
    // Strings, lists and tables with string keys only.
    toml::to_string(keys).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"[release]
public = "release.pub"

[release.signer]
key = "release.key"

[db]
certificate = "db.crt"

[db.signer]
command = ["sign", "db"]
"#;

    #[test]
    fn a_set_reads_back() {
        let keys = parse("keys.toml", TEXT).expect("sound");
        assert_eq!(render(&keys), TEXT);
        assert_eq!(keys.db.signer, Some(Signer::Command(vec!["sign".into(), "db".into()])));
    }

    #[test]
    fn mistakes_have_their_place_and_a_suggestion() {
        for (from, to, want) in [
            ("certificate", "certifikate", "keys.toml:8:1: unknown field `certifikate`"),
            ("[\"sign\", \"db\"]", "[]", "keys.toml:11:11: an empty command"),
            ("command = [\"sign\", \"db\"]", "key = 1", "keys.toml:11:7: "),
            ("key = \"release.key\"", "key = \"a\"\ncommand = [\"b\"]", "keys.toml:4:1: "),
        ] {
            let error = parse("keys.toml", &TEXT.replacen(from, to, 1)).expect_err(to).to_string();
            assert!(error.starts_with(want), "{error}\n{want}");
        }
    }
}
