//! How far a machine's firmware carries the chain: what was read from it and from the kernel, against what the boot
//! manifest asks for.

use std::fmt;

use orlop_config::manifest::{Certificate, SecureBoot, Trust};
use serde::{Deserialize, Serialize};

use crate::signature_list::{self, SignatureLists};
use crate::{Refusal, Stage};

/// Attributes stand before a variable's value, as efivarfs shows it.
const ATTRIBUTES: usize = 4;
/// Of the attributes: kept when the machine is off. The firmware's own `SecureBoot` is not; one that somebody wrote is.
const NON_VOLATILE: u8 = 1;

/// How far the chain reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// The root is the one whose hash the UKI carries; who can change the UKI can change that.
    RootHash,
    /// The firmware checked the UKI, the kernel is locked down and itself demands the root hash's signature.
    SecureBoot,
    /// What the kernel reads as code must come from a root so signed as well.
    #[serde(rename = "secure-boot+ipe")]
    SecureBootIpe,
}

impl Rung {
    /// Its name, in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Rung::RootHash => "root-hash",
            Rung::SecureBoot => "secure-boot",
            Rung::SecureBootIpe => "secure-boot+ipe",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What was read. Each is the exact bytes or text, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The variable `SecureBoot`, attributes first.
    pub secure_boot: Result<Vec<u8>, String>,
    /// The variable `db`, attributes first.
    pub db: Result<Vec<u8>, String>,
    /// Where a list of shim's machine owner keys was found. The kernel takes its keys for the firmware's, and without shim
    /// root can have written it.
    pub mok_list: Option<String>,
    /// Descriptions of the keys in `.platform`: `subject: key id`.
    pub platform: Result<Vec<String>, String>,
    /// `/sys/kernel/security/lockdown`.
    pub lockdown: Result<String, String>,
    /// dm-verity's parameter `require_signatures`.
    pub require_signatures: Result<String, String>,
    /// What was appended to the command line.
    pub appended: Option<String>,
}

/// What the facts come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How far the chain reaches, before IPE.
    pub rung: Rung,
    /// What was missing or is more than the manifest lists.
    pub notes: Vec<String>,
}

/// What is wrong.
#[derive(Default)]
struct Findings {
    /// What keeps the boot on the lowest rung.
    missing: Vec<String>,
    /// Whom else the firmware or the kernel trusts.
    foreign: Vec<String>,
    /// What is to be known, and no more.
    notes: Vec<String>,
}

/// Whether dm-verity is to be loaded so that it demands signatures: once it is loaded nobody can change that.
pub fn requires_signatures(facts: &Facts, trust: &Trust) -> bool {
    let ours = || facts.platform.as_ref().is_ok_and(|keys| holds_ours(keys, trust));
    trust.secure_boot == SecureBoot::Required || (secure_boot(facts).is_ok() && ours())
}

/// The rung that was reached, or the refusal.
pub fn judge(facts: &Facts, trust: &Trust) -> Result<Verdict, Refusal> {
    let Findings { missing, foreign, notes } = findings(facts, trust);
    if trust.secure_boot == SecureBoot::Required {
        if let Some(text) = &facts.appended {
            let reason = format!("`{text}` was appended to the signed command line, secure_boot = required forbids it");
            return Err(Refusal::new(Stage::Cmdline, reason));
        }
        let wrong = [missing, foreign].concat();
        if !wrong.is_empty() {
            let reason = format!("secure_boot = required: {}", wrong.join("; "));
            return Err(Refusal::new(Stage::SecureBoot, reason));
        }
        return Ok(Verdict { rung: Rung::SecureBoot, notes });
    }
    let rung = if missing.is_empty() { Rung::SecureBoot } else { Rung::RootHash };
    Ok(Verdict { rung, notes: [missing, foreign, notes].concat() })
}

fn findings(facts: &Facts, trust: &Trust) -> Findings {
    let mut findings = Findings::default();
    findings.missing.extend(lockdown(facts).err());
    match secure_boot(facts) {
        // Nobody heeds the keys then.
        Err(reason) => findings.missing.push(reason),
        Ok(()) => findings.keys(facts, trust),
    }
    findings
}

fn secure_boot(facts: &Facts) -> Result<(), String> {
    match facts.secure_boot.as_deref() {
        Err(error) => Err(format!("no variable SecureBoot: {error}")),
        Ok([attributes, _, _, _, 1]) if attributes & NON_VOLATILE == 0 => Ok(()),
        Ok([_, _, _, _, 0]) => Err("Secure Boot is off".to_owned()),
        Ok(bytes) => Err(format!("SecureBoot is `{}`, not the firmware's 1", hex::encode(bytes))),
    }
}

/// The mode in brackets is the active one.
fn lockdown(facts: &Facts) -> Result<(), String> {
    let text = facts.lockdown.as_ref().map_err(|error| format!("lockdown cannot be read: {error}"))?;
    let active = ["[integrity]", "[confidentiality]"];
    match text.split_whitespace().any(|word| active.contains(&word)) {
        true => Ok(()),
        false => Err(format!("lockdown is `{}`, not integrity", text.trim())),
    }
}

impl Findings {
    /// Whose signatures firmware and kernel take.
    fn keys(&mut self, facts: &Facts, trust: &Trust) {
        self.platform(facts, trust);
        match facts.require_signatures.as_deref().map(str::trim) {
            Ok("Y" | "1") => {}
            Ok(value) => self.missing.push(format!("dm-verity's require_signatures is `{value}`, not Y")),
            Err(error) => self.missing.push(format!("dm-verity's require_signatures cannot be read: {error}")),
        }
        self.foreign.extend(facts.mok_list.iter().map(|place| format!("machine owner keys at {place}")));
        let db = facts.db.as_deref().map_err(Clone::clone);
        let value = db.and_then(|bytes| bytes.get(ATTRIBUTES..).ok_or_else(|| "cut off".to_owned()));
        match value.and_then(|value| signature_list::parse(value).map_err(|error| error.to_string())) {
            Ok(lists) => self.db(&lists, &trust.certificates),
            Err(error) => self.foreign.push(format!("db cannot be read: {error}")),
        }
    }

    fn db(&mut self, lists: &SignatureLists, listed: &[Certificate]) {
        let is_listed = |found: &&String| listed.iter().any(|certificate| certificate.sha256 == **found);
        let foreign = lists.certificates.iter().filter(|found| !is_listed(found));
        self.foreign.extend(foreign.map(|sha256| format!("db holds the certificate {sha256}, which is not listed")));
        let others = lists.others.iter();
        self.foreign.extend(others.map(|guid| format!("db holds entries of type {guid}, which cannot be judged")));
        self.notes.extend(lists.digests.iter().map(|name| format!("db lets programs start by {name} alone")));
    }

    /// Each key takes one of the certificates that are listed, so that none can stand behind another's key id.
    fn platform(&mut self, facts: &Facts, trust: &Trust) {
        let keys = match &facts.platform {
            Ok(keys) => keys,
            Err(error) => return self.missing.push(format!("keyring .platform cannot be read: {error}")),
        };
        match trust.certificates.first() {
            None => self.missing.push("the manifest lists no certificate".to_owned()),
            Some(ours) if !holds_ours(keys, trust) => {
                self.missing.push(format!("keyring .platform lacks `{}` {}", ours.subject, ours.key_id));
            }
            Some(_) => {}
        }
        let mut listed: Vec<&str> = trust.certificates.iter().map(|certificate| certificate.key_id.as_str()).collect();
        for key in keys {
            match listed.iter().position(|id| *id == key_id(key)) {
                Some(index) => drop(listed.swap_remove(index)),
                None => self.foreign.push(format!("keyring .platform holds `{key}`, which is not listed")),
            }
        }
    }
}

/// Whether the certificate is there that signed this image.
fn holds_ours(keys: &[String], trust: &Trust) -> bool {
    trust.certificates.first().is_some_and(|ours| keys.iter().any(|key| key_id(key) == ours.key_id))
}

/// The end of a key's description; the subject before it may hold anything.
fn key_id(description: &str) -> &str {
    description.rsplit(": ").next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
