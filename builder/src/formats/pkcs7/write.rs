//! Making signed data around a signature that was made elsewhere.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use x509_cert::der::asn1::{Null, ObjectIdentifier, OctetString, SetOfVec};
use x509_cert::der::oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};
use x509_cert::der::oid::db::rfc5912::{ID_SHA_256, RSA_ENCRYPTION};
use x509_cert::der::{self, Any, Encode};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::formats::x509::Certificate;

/// What was signed.
pub enum Content {
    /// Bytes that lie elsewhere.
    Detached,
    /// These bytes, inside.
    Data(Vec<u8>),
    /// A structure of its own type, inside.
    Typed(ObjectIdentifier, Any),
}

/// What goes around the signature.
pub struct Form {
    /// What was signed.
    pub content: Content,
    /// What was signed in place of the content; it names the content's digest.
    pub attributes: Option<SignedAttributes>,
    /// Whether the certificate goes along.
    pub with_certificate: bool,
}

/// The signed data, as a content info.
pub fn write(form: Form, certificate: &Certificate, signature: &[u8]) -> der::Result<Vec<u8>> {
    let data = write_signed_data(form, certificate, signature)?;
    ContentInfo { content_type: ID_SIGNED_DATA, content: Any::encode_from(&data)? }.to_der()
}

/// The signed data alone.
pub fn write_signed_data(form: Form, certificate: &Certificate, signature: &[u8]) -> der::Result<SignedData> {
    let tbs = certificate.parsed.tbs_certificate();
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: tbs.issuer().clone(),
            serial_number: tbs.serial_number().clone(),
        }),
        digest_alg: algorithm(ID_SHA_256),
        signed_attrs: form.attributes,
        signature_algorithm: algorithm(RSA_ENCRYPTION),
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    };
    let (econtent_type, econtent) = match form.content {
        Content::Detached => (ID_DATA, None),
        Content::Data(bytes) => (ID_DATA, Some(Any::encode_from(&OctetString::new(bytes)?)?)),
        Content::Typed(kind, content) => (kind, Some(content)),
    };
    let certificates = form.with_certificate.then(|| CertificateChoices::Certificate(certificate.parsed.clone()));
    Ok(SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![algorithm(ID_SHA_256)])?,
        encap_content_info: EncapsulatedContentInfo { econtent_type, econtent },
        certificates: certificates.map(|choice| CertificateSet::try_from(vec![choice])).transpose()?,
        crls: None,
        signer_infos: SignerInfos::try_from(vec![signer])?,
    })
}

/// With NULL parameters, as OpenSSL writes it and old firmware expects it.
pub(in crate::formats) fn algorithm(oid: ObjectIdentifier) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid, parameters: Some(Any::from(Null)) }
}
