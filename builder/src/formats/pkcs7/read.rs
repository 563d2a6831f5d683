//! Reading signed data, and by whom it is signed.

use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use sha2::{Digest, Sha256};
use x509_cert::der::asn1::{ObjectIdentifier, OctetString};
use x509_cert::der::oid::db::rfc5911::{ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use x509_cert::der::oid::db::rfc5912::{ID_SHA_256, RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION};
use x509_cert::der::{Any, Decode, Encode};

use crate::formats::x509::Certificate;

/// Why signed data does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Pkcs7Error {
    /// Not signed data.
    #[error("not PKCS#7 signed data ({0})")]
    Format(String),
    /// None, or several.
    #[error("PKCS#7 with {0} signatures, want one")]
    Signers(usize),
    /// Another digest than SHA-256.
    #[error("PKCS#7 by another digest than SHA-256")]
    Digest,
    /// By somebody else.
    #[error("signed by a certificate that is not trusted here (issuer {issuer}, serial number {serial})")]
    Stranger {
        /// Its issuer.
        issuer: String,
        /// Its serial number.
        serial: String,
    },
    /// Over other bytes.
    #[error("the signature does not hold: what it is over was changed")]
    Signature,
}

/// Signed data with one signature.
pub struct Signed {
    data: SignedData,
    signer: SignerInfo,
}

impl Signed {
    /// Reads a content info.
    pub fn parse(bytes: &[u8]) -> Result<Self, Pkcs7Error> {
        let format = |error: x509_cert::der::Error| Pkcs7Error::Format(error.to_string());
        let info = ContentInfo::from_der(bytes).map_err(format)?;
        if info.content_type != ID_SIGNED_DATA {
            return Err(Pkcs7Error::Format(format!("content of type {}", info.content_type)));
        }
        Signed::of(info.content.decode_as().map_err(format)?)
    }

    /// Reads signed data without a content info around it.
    pub fn parse_signed_data(bytes: &[u8]) -> Result<Self, Pkcs7Error> {
        Signed::of(SignedData::from_der(bytes).map_err(|error| Pkcs7Error::Format(error.to_string()))?)
    }

    fn of(data: SignedData) -> Result<Self, Pkcs7Error> {
        let mut signers = data.signer_infos.0.iter();
        let (Some(signer), None) = (signers.next().cloned(), signers.next()) else {
            return Err(Pkcs7Error::Signers(data.signer_infos.0.len()));
        };
        if signer.digest_alg.oid != ID_SHA_256 {
            return Err(Pkcs7Error::Digest);
        }
        // Firmware and kernel look at these; what they refuse must not pass here.
        let form = |what: &str| Pkcs7Error::Format(what.into());
        if data.version != CmsVersion::V1 || signer.version != CmsVersion::V1 {
            return Err(form("another version than 1"));
        }
        if ![RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION].contains(&signer.signature_algorithm.oid) {
            return Err(form("another signature algorithm than RSA"));
        }
        if let Some(attributes) = &signer.signed_attrs {
            let mut types = attributes.iter().filter(|attribute| attribute.oid == ID_CONTENT_TYPE);
            let named = types.next().filter(|attribute| attribute.values.len() == 1);
            let named = named.and_then(|attribute| attribute.values.get(0)?.decode_as::<ObjectIdentifier>().ok());
            if named != Some(data.encap_content_info.econtent_type) || types.next().is_some() {
                return Err(form("its attributes speak of another content"));
            }
        }
        Ok(Signed { data, signer })
    }

    /// Whether it is over bytes that lie elsewhere, which are plain data.
    pub fn is_detached(&self) -> bool {
        let info = &self.data.encap_content_info;
        info.econtent.is_none() && info.econtent_type == ID_DATA
    }

    /// The certificates that came along, those that can be used here.
    pub fn certificates(&self) -> Vec<Certificate> {
        let along = self.data.certificates.iter().flat_map(|set| set.0.iter());
        along.filter_map(|choice| Certificate::parse(&choice.to_der().ok()?).ok()).collect()
    }

    /// The content that lies inside, with its type.
    pub fn content(&self) -> Option<(ObjectIdentifier, &Any)> {
        let info = &self.data.encap_content_info;
        info.econtent.as_ref().map(|content| (info.econtent_type, content))
    }

    /// The bytes that lie inside as data.
    pub fn data(&self) -> Option<Vec<u8>> {
        let (_, content) = self.content()?;
        content.decode_as::<OctetString>().ok().map(|octets| octets.into_bytes().into())
    }

    /// Which of these certificates signed `content`: the content itself, or attributes that name its digest.
    pub fn signed_by<'c>(&self, content: &[u8], trusted: &'c [Certificate]) -> Result<&'c Certificate, Pkcs7Error> {
        let certificate = trusted.iter().find(|certificate| self.names(certificate)).ok_or_else(|| self.stranger())?;
        let message = match &self.signer.signed_attrs {
            None => content.to_vec(),
            Some(attributes) => {
                let mut digests = attributes.iter().filter(|attribute| attribute.oid == ID_MESSAGE_DIGEST);
                let value = digests.next().filter(|attribute| attribute.values.len() == 1);
                let named = value.and_then(|attribute| attribute.values.get(0)?.decode_as::<OctetString>().ok());
                let holds = named.is_some_and(|digest| digest.as_bytes() == Sha256::digest(content).as_slice());
                if !holds || digests.next().is_some() {
                    return Err(Pkcs7Error::Signature);
                }
                attributes.to_der().map_err(|error| Pkcs7Error::Format(error.to_string()))?
            }
        };
        let holds = certificate.verifies(&message, self.signer.signature.as_bytes());
        holds.then_some(certificate).ok_or(Pkcs7Error::Signature)
    }

    fn names(&self, certificate: &Certificate) -> bool {
        let tbs = certificate.parsed.tbs_certificate();
        matches!(&self.signer.sid, SignerIdentifier::IssuerAndSerialNumber(by)
            if by.issuer == *tbs.issuer() && by.serial_number == *tbs.serial_number())
    }

    fn stranger(&self) -> Pkcs7Error {
        let (issuer, serial) = match &self.signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(by) => (by.issuer.to_string(), by.serial_number.to_string()),
            SignerIdentifier::SubjectKeyIdentifier(id) => {
                (format!("key {}", hex::encode(id.0.as_bytes())), "none".into())
            }
        };
        Pkcs7Error::Stranger { issuer, serial }
    }
}
