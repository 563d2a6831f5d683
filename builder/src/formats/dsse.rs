//! DSSE envelopes: a payload with its type, and signatures over both, here by ed25519 keys.
//!
//! Format: <https://github.com/secure-systems-lab/dsse>, `protocol.md` and `envelope.md`, version 1.0.
//!
//! Bytes are not trusted: an envelope is bounded, its signatures are counted, and a `keyid` decides nothing.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use orlop_chain::key::{PublicKey, SPKI_PREFIX};
use orlop_chain::manifest::verify_message;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// No envelope is longer. One about an image with a few hundred inputs has a tenth of it.
pub const MOST_BYTES: usize = 1 << 20;
/// Each costs a verification by each trusted key.
const MOST_SIGNATURES: usize = 16;

/// An envelope. Its fields are what somebody wrote: [`Envelope::verify`] says what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    keyid: String,
    sig: String,
}

/// Why an envelope is none, or says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// Not even read.
    #[error("more than {MOST_BYTES} bytes, which no envelope here has")]
    TooLong,
    /// Not JSON, or without the fields of an envelope.
    #[error("not a DSSE envelope: {0}")]
    Text(String),
    /// A payload of another kind.
    #[error("its payloadType is `{found}`, not `{expected}`")]
    Type {
        /// Its type, shortened.
        found: String,
        /// The one that was asked for.
        expected: String,
    },
    /// A field that cannot be decoded.
    #[error("its `{field}` is not base64: {reason}")]
    Base64 {
        /// The field.
        field: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// None, or more than anybody makes.
    #[error("it has {0} signatures, not 1 to {MOST_SIGNATURES}")]
    Signatures(usize),
    /// By nobody who is trusted, or over something else.
    #[error(
        "no signature in it is by a trusted release key over its payload (it names the key {named}; trusted: {trusted}); it was altered, or somebody else signed it"
    )]
    Signature {
        /// The `keyid`s that it names.
        named: String,
        /// Those of the trusted keys.
        trusted: String,
    },
}

/// What is signed: the pre-authentication encoding of a type and a payload.
///
/// It begins with `DSSEv1`, as nothing else does that a release key signs: no signature is good for another kind of message.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// What a key is called in an envelope: SHA-256 of its SubjectPublicKeyInfo (DER), lowercase hex, as certificates are named
/// by theirs.
pub fn keyid(key: &PublicKey) -> String {
    let der = [SPKI_PREFIX.as_slice(), key.key.as_bytes()].concat();
    hex::encode(Sha256::digest(der))
}

impl Envelope {
    /// An envelope with one signature, which is over [`pae`] of the two.
    pub fn new(payload_type: &str, payload: &[u8], key: &PublicKey, signature: &[u8; 64]) -> Self {
        let signature = Signature { keyid: keyid(key), sig: STANDARD.encode(signature) };
        Envelope { payload_type: payload_type.into(), payload: STANDARD.encode(payload), signatures: vec![signature] }
    }

    /// Its file: one line, so that it may be put into a bundle (`*.intoto.jsonl`) as it is.
    pub fn render(&self) -> Vec<u8> {
        // Strings and lists.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads an envelope's file. Fields that the format does not have are left aside, as it asks.
    pub fn parse(bytes: &[u8]) -> Result<Self, DsseError> {
        if bytes.len() > MOST_BYTES {
            return Err(DsseError::TooLong);
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| DsseError::Text(error.to_string()))?;
        match envelope.signatures.len() {
            1..=MOST_SIGNATURES => Ok(envelope),
            count => Err(DsseError::Signatures(count)),
        }
    }

    /// The payload, by whomever it is.
    pub fn unverified(&self, payload_type: &str) -> Result<Vec<u8>, DsseError> {
        if self.payload_type != payload_type {
            let found = self.payload_type.chars().take(80).collect::<String>().escape_default().to_string();
            return Err(DsseError::Type { found, expected: payload_type.into() });
        }
        decode("payload", &self.payload)
    }

    /// The payload, and which of these keys signed it and its type.
    pub fn verify<'k>(&self, payload_type: &str, keys: &'k [PublicKey]) -> Result<(Vec<u8>, &'k PublicKey), DsseError> {
        let payload = self.unverified(payload_type)?;
        let message = pae(payload_type, &payload);
        for Signature { sig, .. } in &self.signatures {
            // Somebody else's may be written in a way that nobody here knows; ours counts all the same.
            let Ok(signature) = decode("sig", sig) else { continue };
            // By any of them: a keyid is a hint, which nobody signs.
            if let Some(key) = keys.iter().find(|key| verify_message(&message, &signature, key).is_ok()) {
                return Ok((payload, key));
            }
        }
        let trusted: Vec<String> = keys.iter().map(keyid).collect();
        Err(DsseError::Signature { named: self.signers(), trusted: trusted.join(", ") })
    }

    /// The keys that it says signed it; nobody vouches for that.
    pub fn signers(&self) -> String {
        let named = self.signatures.iter().map(|signature| match signature.keyid.as_str() {
            "" => "without a name".to_owned(),
            keyid => keyid.chars().take(80).collect::<String>().escape_default().to_string(),
        });
        named.collect::<Vec<_>>().join(", ")
    }
}

/// Both alphabets: a signer may use either.
fn decode(field: &'static str, text: &str) -> Result<Vec<u8>, DsseError> {
    let decoded = STANDARD.decode(text).or_else(|error| URL_SAFE.decode(text).map_err(|_| error));
    decoded.map_err(|error| DsseError::Base64 { field, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "application/vnd.in-toto+json";

    fn key(seed: u8) -> (SigningKey, PublicKey) {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let public = PublicKey { key: secret.verifying_key(), development: true };
        (secret, public)
    }

    fn sample() -> (Envelope, PublicKey) {
        let (secret, public) = key(3);
        // Its base64 has letters of which the two alphabets have their own.
        let payload = [b"{ }".as_slice(), &[0xfb, 0xff, 0xfe]].concat();
        let signature = secret.sign(&pae(TYPE, &payload)).to_bytes();
        (Envelope::new(TYPE, &payload, &public, &signature), public)
    }

    fn refused(envelope: &Envelope, keys: &[PublicKey]) -> String {
        envelope.verify(TYPE, keys).unwrap_err().to_string()
    }

    /// The specification's own example, and lengths in bytes.
    #[test]
    fn what_is_signed_is_what_the_specification_says() {
        let message = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(message, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pae("é", b""), "DSSEv1 2 é 0 ".as_bytes());
    }

    #[test]
    fn an_envelope_reads_back_and_names_its_key() {
        let (envelope, public) = sample();
        let bytes = envelope.render();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
        let read = Envelope::parse(&bytes).unwrap();
        assert_eq!(read, envelope);
        let keys = [key(4).1, public.clone()];
        let (payload, signer) = read.verify(TYPE, &keys).unwrap();
        assert_eq!((payload.len(), signer), (6, &public));
        assert_eq!((read.signers(), keyid(&public).len()), (keyid(&public), 64));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("+//+"), "{text}");
        // The other alphabet, fields of a later version, and a hint that leads nowhere.
        let other = text.replace("+//+", "-__-").replace(&keyid(&public), "somebody").replacen('{', "{\"x\":1,", 1);
        assert_eq!(Envelope::parse(other.as_bytes()).unwrap().verify(TYPE, &keys).unwrap().1, &public);
    }

    #[test]
    fn what_was_altered_is_named() {
        let (good, public) = sample();
        let keys = [public];
        let none = refused(&good, &[]);
        assert!(none.contains("trusted: )"), "{none}");
        let foreign = refused(&good, &[key(4).1]);
        let named = format!("it names the key {}; trusted: {}", keyid(&keys[0]), keyid(&key(4).1));
        assert!(foreign.contains(&named), "{foreign}");
        let change = |change: &dyn Fn(&mut Envelope)| {
            let mut altered = good.clone();
            change(&mut altered);
            refused(&altered, &keys)
        };
        let payload = change(&|envelope| envelope.payload = STANDARD.encode(b"{\"x\": 1}"));
        assert!(payload.contains("no signature in it is by a trusted release key over its payload"), "{payload}");
        let kind = change(&|envelope| envelope.payload_type = "text/plain\u{1b}".into());
        assert_eq!(kind, format!("its payloadType is `text/plain\\u{{1b}}`, not `{TYPE}`"));
        let garbage = change(&|envelope| envelope.payload = "{}".into());
        assert!(garbage.starts_with("its `payload` is not base64: "), "{garbage}");
        let garbage = change(&|envelope| envelope.signatures[0].sig.push('!'));
        assert!(garbage.contains("no signature in it is by a trusted release key"), "{garbage}");
        let short = change(&|envelope| envelope.signatures[0].sig = STANDARD.encode([7_u8; 63]));
        assert!(short.contains("no signature in it"), "{short}");
    }

    #[test]
    fn the_signatures_of_others_are_skipped() {
        let (mut envelope, public) = sample();
        let own = envelope.signatures[0].clone();
        let other = |sig: &str| Signature { keyid: "somebody".into(), sig: sig.into() };
        envelope.signatures = vec![other("not base64!"), other(""), other(&STANDARD.encode([7_u8; 64])), own];
        assert_eq!(envelope.verify(TYPE, std::slice::from_ref(&public)).unwrap().1, &public);
    }

    #[test]
    fn an_envelope_is_bounded() {
        let (good, _) = sample();
        let with = |count: usize| Envelope { signatures: vec![good.signatures[0].clone(); count], ..good.clone() };
        for count in [0, MOST_SIGNATURES + 1] {
            assert_eq!(Envelope::parse(&with(count).render()), Err(DsseError::Signatures(count)));
        }
        assert!(Envelope::parse(&with(MOST_SIGNATURES).render()).is_ok());
        let huge = Envelope { payload: "A".repeat(MOST_BYTES), ..good };
        assert_eq!(Envelope::parse(&huge.render()), Err(DsseError::TooLong));
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = sample().0.render();
        for end in 0..bytes.len() - 1 {
            assert!(matches!(Envelope::parse(&bytes[..end]), Err(DsseError::Text(_))), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_envelope_or_an_error(bytes: Vec<u8>) {
            let _ = Envelope::parse(&bytes);
        }

        #[test]
        fn a_changed_byte_is_refused_or_says_the_same(at in 0_usize..1000, byte: u8) {
            let (good, public) = sample();
            let keys = [public];
            let mut bytes = good.render();
            let at = at % bytes.len();
            bytes[at] = byte;
            let verified = Envelope::parse(&bytes).and_then(|envelope| envelope.verify(TYPE, &keys));
            if let Ok((payload, _)) = verified {
                prop_assert_eq!(payload, good.unverified(TYPE).unwrap());
            }
        }
    }
}
