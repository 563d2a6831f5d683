//! Making self-signed certificates for firmware keys.

use rsa::pkcs1v15::SigningKey;
use rsa::sha2::Sha256;
use rsa::signature::Keypair;
use sha2::Digest;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::der::flagset::FlagSet;
use x509_cert::der::{DateTime, Encode};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use super::Certificate;

/// The start of every certificate, 2020-01-01: before any signing time that an image can have.
const NOT_BEFORE: u16 = 2020;

/// Whom a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Common name, at most 64 bytes.
    pub name: String,
    /// The last day of its validity: year, month, day.
    pub end: (u16, u8, u8),
}

/// A self-signed certificate of a key. Its serial number is derived from key and name, so that the same two have the
/// same certificate.
pub fn make(subject: &Subject, key: &SigningKey<Sha256>) -> anyhow::Result<Certificate> {
    let name: Name = format!("CN={}", escape(&subject.name)).parse()?;
    let public = SubjectPublicKeyInfo::from_key(&key.verifying_key())?;
    let digest = sha2::Sha256::new().chain_update(public.to_der()?).chain_update(&subject.name).finalize();
    let mut serial = [0; 16];
    serial.copy_from_slice(&digest[..16]);
    // Positive, and of full length whatever the digest.
    serial[0] = serial[0] & 0x7f | 0x40;
    let (year, month, day) = subject.end;
    let validity = Validity::new(
        Time::from(DateTime::new(NOT_BEFORE, 1, 1, 0, 0, 0)?),
        Time::from(DateTime::new(year, month, day, 23, 59, 59)?),
    );
    let builder = CertificateBuilder::new(FirmwareKey(name), SerialNumber::new(&serial)?, validity, public)?;
    let made = builder.build::<_, rsa::pkcs1v15::Signature>(key)?;
    Ok(Certificate::parse(&made.to_der()?)?)
}

/// RFC 4514: these stand for themselves behind a backslash.
fn escape(name: &str) -> String {
    name.chars().flat_map(|c| ["\\", ""][usize::from(!",+\"\\<>;=#".contains(c))].chars().chain([c])).collect()
}

/// The extensions of a key that firmware holds and that signs itself.
struct FirmwareKey(Name);

impl BuilderProfile for FirmwareKey {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.0.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        _issuer: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let mut extensions = Vec::new();
        let basic = BasicConstraints { ca: false, path_len_constraint: None };
        extensions.push(basic.to_extension(tbs.subject(), &extensions)?);
        let usage = KeyUsage(FlagSet::from(KeyUsages::DigitalSignature));
        extensions.push(usage.to_extension(tbs.subject(), &extensions)?);
        let identifier = SubjectKeyIdentifier::try_from(key)?;
        extensions.push(identifier.to_extension(tbs.subject(), &extensions)?);
        Ok(extensions)
    }
}
