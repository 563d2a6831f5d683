//! The signed IPE policy: made with the db key, or an input that was made before.

use anyhow::{Context, bail};
use orlop_config::render;

use crate::formats::pkcs7::{Content, Form, Signed, write};
use crate::formats::x509::Certificate;
use crate::keys::{DbKey, KeySet};

/// The policy of every image, in PKCS#7 by a db key.
pub fn sign(key: &DbKey) -> anyhow::Result<Vec<u8>> {
    let text = render::ipe_policy().into_bytes();
    let signature = key.sign(&text).context("signing the IPE policy")?;
    let form = Form { content: Content::Data(text), attributes: None, with_certificate: false };
    Ok(write(form, &key.certificate, &signature)?)
}

/// The policy that goes into a root: the one that was signed before, checked, or one that is signed now.
///
/// It must be by the key that signs the image: a machine may not have the certificates that are merely listed.
pub fn signed(keys: &KeySet) -> anyhow::Result<Vec<u8>> {
    match &keys.policy {
        Some(policy) => {
            check(policy, std::slice::from_ref(&keys.db.certificate))
                .context("the signed IPE policy; `orlop sign-policy` makes one")?;
            Ok(policy.clone())
        }
        None if keys.db.signs() => sign(&keys.db),
        None => bail!(
            "the IPE policy lies in the root and must be signed before the image is built: run `orlop sign-policy` where the db key is, and name the file in keys.toml: policy.signature = \"orlop_node.p7b\""
        ),
    }
}

/// Whether `policy` is the text of this version, signed by one of these.
pub fn check<'c>(policy: &[u8], trusted: &'c [Certificate]) -> anyhow::Result<&'c Certificate> {
    let signed = Signed::parse(policy)?;
    let text = signed.data().context("it has no text inside")?;
    let certificate = signed.signed_by(&text, trusted)?;
    if text != render::ipe_policy().into_bytes() {
        bail!("it is signed, but for another text than the policy of this `orlop`; sign it again");
    }
    Ok(certificate)
}
