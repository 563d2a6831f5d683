//! Completing an image that was built unsigned: UKI and signature partition are written anew, all else is copied.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use orlop_chain::disk::{Disk, Found, find_root};

use super::companions::{Companions, Documents};
use super::disk;
use super::open::Image;
use super::output::Output;
use super::request::{Answer, Request};
use super::signing::Round;
use super::verify::digests_hold;
use crate::formats::pe;
use crate::sources::hash;

/// Writes the signed image into `out`, from the unsigned one beside `request` and the signatures in `answer`.
pub fn attach(request: &Path, answer: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
    let asked = Request::parse(&read(request)?).with_context(|| request.display().to_string())?;
    let answered = Answer::parse(&read(answer)?).with_context(|| answer.display().to_string())?;
    let round = asked.round().with_context(|| request.display().to_string())?;
    let (release, certificate) = asked.keys().with_context(|| request.display().to_string())?;
    let signatures = answered.signatures().with_context(|| answer.display().to_string())?;
    round.check(&signatures, &release, &certificate).with_context(|| answer.display().to_string())?;
    let name = &round.boot().image;
    let folder = request.parent().unwrap_or(Path::new(""));
    let beside = |end: &str| folder.join(format!("{name}.{end}"));
    let uki = read(&beside("efi"))?;
    if hex::encode(pe::authenticode_digest(&uki)?) != round.release().uki_authenticode_sha256 {
        bail!("{}: not the UKI that this request is for; build again with --unsigned", beside("efi").display());
    }
    let documents = documents(&round, &beside)?;
    let uki = round.signed_uki(&uki, &signatures, &certificate)?;
    let unsigned = Image::open(&beside("raw"))?;
    let found = check_disk(&unsigned, &round)
        .with_context(|| format!("{}: not the disk of this request", beside("raw").display()))?;
    let mut output = Output::begin(out)?;
    let raw = format!("{name}.raw");
    let image = output.create(&raw)?;
    let document = round.signature_partition(&signatures, &certificate)?;
    let signed = disk::Signed {
        uki: &uki,
        signature: &document,
        partition: &found.signature,
        epoch: round.release().build.epoch,
    };
    let digests = disk::sign(&unsigned, &image, &signed)
        .with_context(|| format!("{}: it cannot be signed", beside("raw").display()))?;
    output.write(&format!("{name}.efi"), &uki)?;
    let companions = Companions { round: &round, release: &release, certificate: &certificate, documents: &documents };
    companions.write(Some((&signatures, &digests)), &mut output)?;
    output.publish()?;
    Ok(out.join(raw))
}

/// The documents beside the request, once they are found to be those that the release manifest names.
fn documents(round: &Round, beside: &dyn Fn(&str) -> PathBuf) -> anyhow::Result<Documents> {
    let mut documents = Documents::new();
    for (name, sha256) in &round.release().companions {
        // The manifest was read: each name is the image's with an ending.
        let ending = name.strip_prefix(&round.boot().image).and_then(|rest| rest.strip_prefix('.'));
        let path = beside(ending.with_context(|| format!("the release manifest's companion `{name}`"))?);
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        if hash(&bytes) != *sha256 {
            bail!("{}: not the document that this request is for; build again with --unsigned", path.display());
        }
        documents.insert(name.clone(), bytes);
    }
    Ok(documents)
}

/// The root's partitions, once the disk is found whole and its root the one that the release manifest names.
fn check_disk(unsigned: &Image, round: &Round) -> anyhow::Result<Found> {
    if let Some(damage) = unsigned.table.damage() {
        bail!(damage);
    }
    let root = round.boot().verity.root_hash.parse()?;
    let found = find_root(&[Disk { name: "the unsigned image", gpt: &unsigned.table.gpt }], &root, None);
    // Nothing is verified for a user here: what does not fit is a failure, no refusal.
    let found = found.map_err(|refusal| anyhow::anyhow!(refusal.reason))?;
    let (data, hashes) = (unsigned.region(&found.root), unsigned.region(&found.verity));
    digests_hold(round.release(), &data, &hashes).map_err(|refusal| anyhow::anyhow!(refusal.reason))?;
    Ok(found)
}
