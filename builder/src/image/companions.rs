//! What lies beside an image: release manifest, the documents that it names, provenance, keys to verify them with, sums; in
//! place of signatures, the request for them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_chain::key::{PublicKey, encode_public};
use orlop_config::manifest::{Sums, render_sums};

use super::disk::Digests;
use super::output::Output;
use super::request::Request;
use super::signing::{Round, Signatures};
use crate::formats::x509::Certificate;

/// Documents about an image that its release manifest names by their digests: file name → bytes.
pub type Documents = BTreeMap<String, Vec<u8>>;

/// What the companions speak of.
pub struct Companions<'a> {
    /// The two manifests and the provenance.
    pub round: &'a Round,
    /// The key that signs them.
    pub release: &'a PublicKey,
    /// The certificate of the key that signs UKI and root hash.
    pub certificate: &'a Certificate,
    /// The documents that the release manifest names.
    pub documents: &'a Documents,
}

impl Companions<'_> {
    /// Writes them; the digests are those of the signed disk.
    pub fn write(&self, signed: Option<(&Signatures, &Digests)>, output: &mut Output) -> anyhow::Result<()> {
        let name = &self.round.boot().image;
        output.write(&format!("{name}.release.json"), &self.round.release_manifest)?;
        output.write(&format!("{name}.release.pub"), encode_public(self.release).as_bytes())?;
        output.write(&format!("{name}.db.crt"), self.certificate.to_pem().as_bytes())?;
        for (name, bytes) in self.documents {
            output.write(name, bytes)?;
        }
        let Some((signatures, digests)) = signed else {
            let request = Request::new(self.round, self.release, self.certificate);
            return output.write(&format!("{name}.request.json"), &request.render());
        };
        let text = format!("{}\n", STANDARD.encode(signatures.release_manifest));
        output.write(&format!("{name}.release.json.sig"), text.as_bytes())?;
        let envelope = self.round.envelope(signatures, self.release);
        output.write(&format!("{name}.provenance.json"), &envelope.render())?;
        let sums = Sums {
            version: 1,
            image_sha256: digests.image.clone(),
            esp_sha256: digests.esp.clone(),
            signature_sha256: digests.signature.clone(),
        };
        output.write(&format!("{name}.sums.json"), &render_sums(&sums))
    }
}
