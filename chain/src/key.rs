//! Release public keys: PEM around an ed25519 SubjectPublicKeyInfo (RFC 8410).
//!
//! That structure has exactly one encoding, so it is compared, not parsed: no ASN.1 decoder in PID 1.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;

/// The line before the PEM text that marks a development key.
pub const DEVELOPMENT_MARK: &str = "# orlop development key";
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// No image trusts more release keys.
pub const MOST_TRUSTED: usize = 8;
/// `SEQUENCE { SEQUENCE { OID 1.3.101.112 } BIT STRING (32 bytes) }`, up to the key itself.
pub const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A release public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The key.
    pub key: VerifyingKey,
    /// Whether its file says that it is a development key.
    pub development: bool,
}

/// Why a public key file is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not text, or more than a key file has.
    #[error("the public key file is not a short text file ({0} bytes)")]
    NotText(usize),
    /// The file holds something secret.
    #[error("this is a private key; give the public one (release.pub)")]
    Private,
    /// No PEM block.
    #[error("no `{BEGIN}` … `{END}` block in the public key file")]
    NoBlock,
    /// Text outside the block that is not the development mark.
    #[error("unexpected line {line} in the public key file: `{text}`")]
    Unexpected {
        /// Counted from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// Not an ed25519 key.
    #[error("the PEM block holds no ed25519 public key (RSA and EC keys sign other things)")]
    NotEd25519,
    /// A point that no honest key has.
    #[error("the ed25519 key is not a usable point of the curve")]
    BadPoint,
}

/// Reads a public key file.
pub fn parse_public(bytes: &[u8]) -> Result<PublicKey, KeyError> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= 4096);
    let text = text.ok_or(KeyError::NotText(bytes.len()))?;
    if text.contains("PRIVATE KEY") {
        return Err(KeyError::Private);
    }
    let mut development = false;
    let mut body: Option<String> = None;
    let mut ended = false;
    for (index, line) in text.lines().map(str::trim_end).enumerate() {
        match (&mut body, line) {
            (None, DEVELOPMENT_MARK) => development = true,
            (None, BEGIN) => body = Some(String::new()),
            (Some(_), END) if !ended => ended = true,
            (Some(body), part) if !ended => body.push_str(part),
            (_, "") => {}
            (_, other) => return Err(KeyError::Unexpected { line: index + 1, text: other.to_owned() }),
        }
    }
    let body = body.filter(|_| ended).ok_or(KeyError::NoBlock)?;
    let der = STANDARD.decode(body).map_err(|_| KeyError::NotEd25519)?;
    let key: [u8; 32] =
        der.strip_prefix(&SPKI_PREFIX).and_then(|key| key.try_into().ok()).ok_or(KeyError::NotEd25519)?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| KeyError::BadPoint)?;
    if key.is_weak() {
        return Err(KeyError::BadPoint);
    }
    Ok(PublicKey { key, development })
}

/// Reads a file of one or more public keys, each with its own mark: those that an image trusts.
pub fn parse_trusted(bytes: &[u8]) -> Result<Vec<PublicKey>, KeyError> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MOST_TRUSTED * 4096);
    let text = text.ok_or(KeyError::NotText(bytes.len()))?;
    let files: Vec<&str> = text.split_inclusive(END).filter(|part| !part.trim().is_empty()).collect();
    if files.is_empty() || files.len() > MOST_TRUSTED {
        return Err(KeyError::NoBlock);
    }
    files.into_iter().map(|file| parse_public(file.as_bytes())).collect()
}

/// The text of a public key file.
pub fn encode_public(key: &PublicKey) -> String {
    let der = [SPKI_PREFIX.as_slice(), key.key.as_bytes()].concat();
    let mark = if key.development { format!("{DEVELOPMENT_MARK}\n") } else { String::new() };
    format!("{mark}{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    fn sample(development: bool) -> PublicKey {
        PublicKey { key: SigningKey::from_bytes(&[9; 32]).verifying_key(), development }
    }

    #[test]
    fn round_trip_with_and_without_the_mark() {
        for development in [false, true] {
            let text = encode_public(&sample(development));
            assert_eq!(parse_public(text.as_bytes()), Ok(sample(development)));
        }
    }

    #[test]
    fn several_keys_keep_their_marks() {
        let text = [sample(true), sample(false)].map(|key| encode_public(&key)).concat();
        assert_eq!(parse_trusted(text.as_bytes()), Ok(vec![sample(true), sample(false)]));
        assert_eq!(parse_trusted(encode_public(&sample(true)).as_bytes()), Ok(vec![sample(true)]));
        assert_eq!(parse_trusted(b"\n"), Err(KeyError::NoBlock));
        assert_eq!(parse_trusted(encode_public(&sample(false)).repeat(9).as_bytes()), Err(KeyError::NoBlock));
        assert!(parse_trusted(&text.as_bytes()[..text.len() - 4]).is_err());
    }

    #[test]
    fn other_keys_are_named() {
        let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(parse_public(private.as_bytes()), Err(KeyError::Private));
        let rsa = format!("{BEGIN}\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n{END}\n");
        assert_eq!(parse_public(rsa.as_bytes()), Err(KeyError::NotEd25519));
        let text = format!("surprise\n{}", encode_public(&sample(false)));
        let unexpected = KeyError::Unexpected { line: 1, text: "surprise".to_owned() };
        assert_eq!(parse_public(text.as_bytes()), Err(unexpected));
    }

    #[test]
    fn the_neutral_point_is_no_key() {
        let mut point = [0; 32];
        point[0] = 1;
        let der = [SPKI_PREFIX.as_slice(), &point].concat();
        let text = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der));
        assert_eq!(parse_public(text.as_bytes()), Err(KeyError::BadPoint));
    }

    #[test]
    fn every_cut_is_an_error() {
        let text = encode_public(&sample(true));
        for end in 0..text.len() - 1 {
            assert!(parse_public(&text.as_bytes()[..end]).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_key_or_an_error(bytes: Vec<u8>) {
            let _ = parse_public(&bytes);
        }
    }
}
