//! The signature partition: one JSON object, then NUL to the end (Discoverable Partitions Specification).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_config::manifest::SignaturePartition;

use crate::RootHash;

/// More JSON than this is not read.
pub const MAX_JSON: usize = 64 << 10;
/// Size of the partition.
pub const PARTITION_BYTES: usize = 1 << 20;

/// Why a signature partition cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Nothing but NUL: the slot is empty.
    #[error("the signature partition is blank")]
    Blank,
    /// More text than a signature has.
    #[error("more than {MAX_JSON} bytes before the first NUL")]
    TooLong,
    /// Something after the text.
    #[error("byte {offset} after the JSON text is {value:#04x}, want NUL")]
    Trailing {
        /// In the partition.
        offset: usize,
        /// What stands there.
        value: u8,
    },
    /// Not JSON, or not this document.
    #[error("not a signature document: {0}")]
    Json(String),
    /// A field that does not decode.
    #[error("field `{field}` is `{value}`, want {want}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        want: &'static str,
    },
    /// The root hash is not signed for the kernel.
    #[error("field `signature` is missing: the root hash is not signed with the certificate's key")]
    Unsigned,
    /// It speaks of another root.
    #[error("it is for root hash {found}, want {want}")]
    OtherRoot {
        /// Its root hash.
        found: RootHash,
        /// Ours.
        want: RootHash,
    },
}

/// Reads a whole signature partition.
pub fn parse(bytes: &[u8]) -> Result<SignaturePartition, SignatureError> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    match end {
        0 => return Err(SignatureError::Blank),
        1..=MAX_JSON => {}
        _ => return Err(SignatureError::TooLong),
    }
    if let Some(extra) = bytes[end..].iter().position(|byte| *byte != 0) {
        return Err(SignatureError::Trailing { offset: end + extra, value: bytes[end + extra] });
    }
    serde_json::from_slice(&bytes[..end]).map_err(|error| SignatureError::Json(error.to_string()))
}

/// The root hash that a signature document speaks of.
pub fn root_hash(document: &SignaturePartition) -> Result<RootHash, SignatureError> {
    let value = &document.root_hash;
    value.parse().map_err(|_| SignatureError::Field {
        field: "rootHash",
        value: value.clone(),
        want: "64 lowercase hexadecimal digits",
    })
}

/// The boot manifest's ed25519 signature, if the document is for `root`.
pub fn boot_signature(document: &SignaturePartition, root: &RootHash) -> Result<[u8; 64], SignatureError> {
    let found = root_hash(document)?;
    if found != *root {
        return Err(SignatureError::OtherRoot { found, want: *root });
    }
    let value = &document.orlop_boot_signature;
    let decoded = STANDARD.decode(value).ok().and_then(|bytes| bytes.try_into().ok());
    decoded.ok_or_else(|| SignatureError::Field {
        field: "orlopBootSignature",
        value: value.clone(),
        want: "64 bytes in base64",
    })
}

/// The PKCS#7 signature of the root hash, for the kernel to judge.
pub fn root_signature(document: &SignaturePartition) -> Result<Vec<u8>, SignatureError> {
    let value = document.signature.as_ref().ok_or(SignatureError::Unsigned)?;
    let decoded = STANDARD.decode(value).ok().filter(|bytes| !bytes.is_empty());
    decoded.ok_or_else(|| SignatureError::Field {
        field: "signature",
        value: value.clone(),
        want: "a PKCS#7 signature in base64",
    })
}

/// The partition's bytes for a document.
pub fn encode(document: &SignaturePartition) -> Result<Vec<u8>, SignatureError> {
    let mut bytes = serde_json::to_vec(document).map_err(|error| SignatureError::Json(error.to_string()))?;
    if bytes.len() > MAX_JSON {
        return Err(SignatureError::TooLong);
    }
    bytes.resize(PARTITION_BYTES, 0);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOT: RootHash = RootHash([0xab; 32]);

    fn sample() -> SignaturePartition {
        SignaturePartition {
            root_hash: ROOT.to_string(),
            signature: None,
            certificate_fingerprint: None,
            orlop_boot_signature: STANDARD.encode([5; 64]),
        }
    }

    #[test]
    fn round_trip() {
        let bytes = encode(&sample()).unwrap();
        assert_eq!(bytes.len(), PARTITION_BYTES);
        let document = parse(&bytes).unwrap();
        assert_eq!(document, sample());
        assert_eq!(boot_signature(&document, &ROOT), Ok([5; 64]));
        let other = RootHash([1; 32]);
        assert_eq!(boot_signature(&document, &other), Err(SignatureError::OtherRoot { found: ROOT, want: other }));
    }

    #[test]
    fn the_root_hashs_signature_is_there_or_named() {
        let with = |text: &str| SignaturePartition { signature: Some(text.into()), ..sample() };
        assert_eq!(root_signature(&sample()), Err(SignatureError::Unsigned));
        assert_eq!(root_signature(&with("AQID")), Ok(vec![1, 2, 3]));
        for wrong in ["", "AQI", "\u{e9}"] {
            let field = root_signature(&with(wrong)).unwrap_err();
            assert!(matches!(field, SignatureError::Field { field: "signature", .. }), "{wrong}: {field}");
        }
    }

    #[test]
    fn blank_trailing_and_long_are_named() {
        assert_eq!(parse(&[0; 4096]), Err(SignatureError::Blank));
        assert_eq!(parse(&[]), Err(SignatureError::Blank));
        let mut bytes = encode(&sample()).unwrap();
        bytes[5000] = 1;
        assert_eq!(parse(&bytes), Err(SignatureError::Trailing { offset: 5000, value: 1 }));
        assert_eq!(parse(&vec![b' '; MAX_JSON + 1]), Err(SignatureError::TooLong));
    }

    #[test]
    fn every_cut_of_the_text_is_an_error() {
        let text = serde_json::to_vec(&sample()).unwrap();
        for end in 0..text.len() {
            assert!(parse(&text[..end]).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_document_or_an_error(bytes: Vec<u8>) {
            if let Ok(document) = parse(&bytes) {
                let _ = boot_signature(&document, &ROOT);
                let _ = root_signature(&document);
            }
        }
    }
}
