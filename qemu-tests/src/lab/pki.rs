//! Keys and certificates of the lab's servers and their clients: P-256, made anew for each lab.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use crate::{Error, Result};

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate and key.
    pub pair: Pair,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Authority").field("pair", &self.pair).finish_non_exhaustive()
    }
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// Common name: a user, for the API server.
    pub name: &'a str,
    /// Organisation: a group, for the API server.
    pub group: Option<&'a str>,
    /// Names and addresses, for a server.
    pub names: &'a [&'a str],
    /// The last year in which it is good; absent: far ahead.
    pub until: Option<i32>,
}

impl Authority {
    /// Makes one; its files are `NAME.crt` and `NAME.key` in `folder`.
    pub fn new(folder: &Path, name: &str) -> Result<Authority> {
        let mut params = params(&Subject { name, ..Subject::default() })?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(|error| failed(name, error))?;
        let certificate = params.self_signed(&key).map_err(|error| failed(name, error))?;
        let pair = Pair::write(folder, name, &certificate.pem(), &key.serialize_pem())?;
        Ok(Authority { issuer: Issuer::new(params, key), pair })
    }

    /// Issues a certificate for a server, a client or both.
    pub fn issue(&self, folder: &Path, file: &str, subject: &Subject<'_>) -> Result<Pair> {
        let mut params = params(subject)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !subject.names.is_empty() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let key = KeyPair::generate().map_err(|error| failed(file, error))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|error| failed(file, error))?;
        Pair::write(folder, file, &certificate.pem(), &key.serialize_pem())
    }

    /// The certificate, PEM.
    pub fn certificate(&self) -> Result<String> {
        std::fs::read_to_string(&self.pair.certificate).map_err(Error::file("reading", &self.pair.certificate))
    }
}

impl Pair {
    /// A key without a certificate: what the API server signs service accounts' tokens with. Its public half lies in
    /// the certificate's place.
    pub fn bare(folder: &Path, name: &str) -> Result<Pair> {
        let key = KeyPair::generate().map_err(|error| failed(name, error))?;
        Pair::write(folder, name, &key.public_key_pem(), &key.serialize_pem())
    }

    fn write(folder: &Path, name: &str, certificate: &str, key: &str) -> Result<Pair> {
        let pair = Pair { certificate: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) };
        for (path, text) in [(&pair.certificate, certificate), (&pair.key, key)] {
            std::fs::write(path, text).map_err(Error::file("writing", path))?;
        }
        Ok(pair)
    }
}

fn params(subject: &Subject<'_>) -> Result<CertificateParams> {
    let names: Vec<String> = subject.names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).map_err(|error| failed(subject.name, error))?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, subject.name);
    if let Some(group) = subject.group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    // Far back and far ahead: tests have clocks that are wrong.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(subject.until.unwrap_or(2049), 12, 31);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn failed(what: &str, error: rcgen::Error) -> Error {
    Error::Lab(format!("no certificate for {what}: {error}"))
}
