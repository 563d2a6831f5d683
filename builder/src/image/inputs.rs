//! What a build starts from: a project (the definition with all that it extends) and its lockfile.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use orlop_chain::key::PublicKey;
use orlop_config::definition::check_static_pod;
use orlop_config::lockfile::Lockfile;

use crate::formats::x509::Certificate;
use crate::keys::{trusted_certificates, trusted_release_keys};
use crate::sources::{Bench, Error, Project, beside, fetch, relock_gone, shipped};

/// A definition and its lockfile, which belong together.
#[derive(Debug)]
pub struct Inputs {
    /// The definition, resolved and checked, and where it lies.
    pub project: Project,
    /// Its lockfile.
    pub lockfile: Lockfile,
    /// SHA-256 of the lockfile's bytes.
    pub lockfile_sha256: String,
    /// Static pod of the definition → its manifest, which calls the pod as the definition does.
    pub static_pods: BTreeMap<String, Vec<u8>>,
}

impl Inputs {
    /// Reads a definition, the lockfile beside it and the manifests of static pods: once, so that the image and what is said
    /// of it are of the same bytes whoever writes these files meanwhile.
    pub fn load(path: &Path) -> anyhow::Result<Inputs> {
        let project = Project::load(path)?;
        let (lockfile, lockfile_sha256) = project.lockfile_and_sha256()?;
        let pods = project.definition().static_pods.keys();
        let manifests = pods.map(|pod| anyhow::Ok((pod.clone(), static_pod(&project, pod)?)));
        let static_pods = manifests.collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        Ok(Inputs { project, lockfile, lockfile_sha256, static_pods })
    }

    /// Fetches what is not in the cache. With `relock`, packages that the archive dropped are locked again:
    /// those and nothing else, old → new is shown, and the lockfile is written.
    pub fn fetch(mut self, bench: &Bench<'_>, relock: bool) -> anyhow::Result<Inputs> {
        match fetch(bench, &self.project, &self.lockfile) {
            Ok(()) => return Ok(self),
            Err(Error::Gone(gone)) if relock => {
                let locked = relock_gone(bench, &self.project, &self.lockfile, &gone)?;
                for change in &locked.changes {
                    let version = |version: &Option<String>| version.clone().unwrap_or("none".into());
                    let (old, new) = (version(&change.old), version(&change.new));
                    bench.report.note(&format!("locked again: {} {old} → {new}", change.input));
                }
                locked.write(&self.project)?;
            }
            Err(error) => return Err(error.into()),
        }
        self = Inputs::load(&self.project.path)?;
        fetch(bench, &self.project, &self.lockfile)?;
        Ok(self)
    }

    /// Seconds since 1970 of every time in the image: `SOURCE_DATE_EPOCH`, else what the lockfile says.
    pub fn epoch(&self) -> anyhow::Result<u64> {
        let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(self.lockfile.epoch) };
        let number = text.to_str().and_then(|text| text.parse().ok()).filter(|epoch| *epoch <= u64::from(u32::MAX));
        number.with_context(|| format!("SOURCE_DATE_EPOCH={}: not a number of seconds since 1970", text.display()))
    }

    /// Release keys that the image trusts beside its own.
    pub fn release_keys(&self) -> anyhow::Result<Vec<PublicKey>> {
        let resolved = &self.project.resolved;
        let names = &resolved.definition.trust.release_keys;
        trusted_release_keys(&beside_all(names, resolved.file_of_release_keys())).context("trust.release_keys")
    }

    /// Certificates that the image trusts beside its own.
    pub fn certificates(&self) -> anyhow::Result<Vec<Certificate>> {
        let resolved = &self.project.resolved;
        let names = &resolved.definition.trust.certificates;
        trusted_certificates(&beside_all(names, resolved.file_of_certificates())).context("trust.certificates")
    }
}

fn static_pod(project: &Project, pod: &str) -> anyhow::Result<Vec<u8>> {
    let resolved = &project.resolved;
    let named = resolved.definition.static_pods.get(pod).map_or("", String::as_str);
    let path = beside(named, resolved.file_of_static_pod(pod).unwrap_or_default());
    let bytes = match path.strip_prefix("orlop:") {
        Some(name) => shipped::file(name).map(<[u8]>::to_vec).with_context(|| format!("orlop ships no `{name}`")),
        None => fs::read(&path).map_err(|reason| {
            let what = format!("the manifest of static pod `{pod}`");
            Error::Named { path: path.clone(), what, reason }.into()
        }),
    }?;
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{path}: a manifest is text"))?;
    check_static_pod(pod, &path, text)?;
    Ok(bytes)
}

fn beside_all(names: &[String], file: &str) -> Vec<PathBuf> {
    names.iter().map(|name| beside(name, file).into()).collect()
}
