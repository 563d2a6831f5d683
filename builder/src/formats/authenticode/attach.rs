//! Signing: first what the key has to sign, then the file with the signature.

use anyhow::Context;
use cms::signed_data::SignedAttributes;
use sha2::{Digest, Sha256};
use x509_cert::attr::Attribute;
use x509_cert::der::asn1::{OctetString, SetOfVec};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNING_TIME};
use x509_cert::der::{Any, DateTime, Encode};
use x509_cert::time::Time;

use super::spc::{INDIRECT_DATA, IndirectData, digested};
use crate::formats::pe;
use crate::formats::pkcs7::{self, Content, Form};
use crate::formats::x509::Certificate;

/// `WIN_CERT_REVISION_2_0` and `WIN_CERT_TYPE_PKCS_SIGNED_DATA`.
const REVISION: u16 = 0x0200;
const PKCS_SIGNED_DATA: u16 = 0x0002;

/// What the key signs for a file with this Authenticode digest: DER of the signed attributes. `time` is seconds since
/// 1970, never the clock's; before the certificate's own start it is that.
pub fn to_sign(digest: &[u8; 32], time: u64, certificate: &Certificate) -> anyhow::Result<Vec<u8>> {
    Ok(attributes(digest, time, certificate)?.to_der()?)
}

/// The file with its signature. `file` is not signed yet.
pub fn attach(file: &[u8], time: u64, certificate: &Certificate, signature: &[u8]) -> anyhow::Result<Vec<u8>> {
    let digest = pe::authenticode_digest(file)?;
    let form = Form {
        content: Content::Typed(INDIRECT_DATA, Any::encode_from(&IndirectData::of(&digest)?)?),
        attributes: Some(attributes(&digest, time, certificate)?),
        with_certificate: true,
    };
    let pkcs7 = pkcs7::write(form, certificate, signature)?;
    let length = u32::try_from(pkcs7.len() + 8).context("a signature of 4 GiB")?;
    let mut table = Vec::with_capacity(pkcs7.len() + 16);
    table.extend_from_slice(&length.to_le_bytes());
    table.extend_from_slice(&REVISION.to_le_bytes());
    table.extend_from_slice(&PKCS_SIGNED_DATA.to_le_bytes());
    table.extend_from_slice(&pkcs7);
    Ok(pe::add_certificates(file, table)?)
}

fn attributes(digest: &[u8; 32], time: u64, certificate: &Certificate) -> anyhow::Result<SignedAttributes> {
    let content = Any::encode_from(&IndirectData::of(digest)?)?;
    let time = time.max(certificate.validity().0);
    let time = Time::from(DateTime::from_unix_duration(std::time::Duration::from_secs(time))?);
    let digest = OctetString::new(Sha256::digest(digested(&content)).as_slice())?;
    Ok(SignedAttributes::try_from(vec![
        attribute(ID_CONTENT_TYPE, Any::encode_from(&INDIRECT_DATA)?)?,
        attribute(ID_SIGNING_TIME, Any::encode_from(&time)?)?,
        attribute(ID_MESSAGE_DIGEST, Any::encode_from(&digest)?)?,
    ])?)
}

fn attribute(oid: ObjectIdentifier, value: Any) -> anyhow::Result<Attribute> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
}
