//! What an Authenticode signature says: "a portable executable with this digest".

use x509_cert::der::asn1::{BitString, ObjectIdentifier, OctetString};
use x509_cert::der::oid::db::rfc5912::ID_SHA_256;
use x509_cert::der::{self, Any, Sequence, Tag, Tagged};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::formats::pkcs7::algorithm;

/// `SPC_INDIRECT_DATA_OBJID`
pub const INDIRECT_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.4");
/// `SPC_PE_IMAGE_DATAOBJ`
const PE_IMAGE_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.15");
/// What every signer writes where a file's name once stood: `[0] { [2] { [0] "<<<Obsolete>>>" } }`, in UTF-16.
const OBSOLETE: &str = "<<<Obsolete>>>";

/// `SpcIndirectDataContent`
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct IndirectData {
    data: TypeAndValue,
    digest: DigestInfo,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct TypeAndValue {
    kind: ObjectIdentifier,
    value: Any,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct DigestInfo {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct PeImageData {
    flags: BitString,
    file: Any,
}

impl IndirectData {
    /// The statement of a digest.
    pub fn of(digest: &[u8; 32]) -> der::Result<Self> {
        let name: Vec<u8> = OBSOLETE.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let name = Any::new(context(0, false), name)?;
        let link = Any::new(context(2, true), der::Encode::to_der(&name)?)?;
        let file = Any::new(context(0, true), der::Encode::to_der(&link)?)?;
        let image = PeImageData { flags: BitString::from_bytes(&[])?, file };
        Ok(IndirectData {
            data: TypeAndValue { kind: PE_IMAGE_DATA, value: Any::encode_from(&image)? },
            digest: DigestInfo { algorithm: algorithm(ID_SHA_256), digest: OctetString::new(digest.as_slice())? },
        })
    }

    /// The digest that it states, where it is one of SHA-256 of a portable executable.
    pub fn digest(&self) -> Option<[u8; 32]> {
        let good = self.data.kind == PE_IMAGE_DATA && self.digest.algorithm.oid == ID_SHA_256;
        self.digest.digest.as_bytes().try_into().ok().filter(|_| good)
    }
}

fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific { constructed, number: der::TagNumber(number) }
}

/// The octets that are digested: the content without its outermost tag and length.
pub fn digested(content: &Any) -> &[u8] {
    debug_assert_eq!(content.tag(), Tag::Sequence);
    content.value()
}
