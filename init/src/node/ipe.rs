//! The IPE policy: what the kernel reads as code (modules, firmware, another kernel, policies, certificates) must come
//! from a root whose hash is signed. The kernel checks the policy's own signature; where Secure Boot gave it no key to
//! do so with, there is no policy.

use super::Node;
use crate::report::{Event, Refusal, or_refuse};
use orlop_chain::Stage;
use orlop_chain::trust::Rung;
use orlop_config::node::{IPE_POLICY, IPE_POLICY_NAME};
use std::fs;
use std::io;
use std::path::Path;

const FOLDER: &str = "/sys/kernel/security/ipe";

/// Loads and activates the policy where it can be checked, and tells how far the chain reaches then.
pub fn start(node: &mut Node) -> Result<(), Refusal> {
    if node.handover.rung == Rung::RootHash {
        node.report.note("ipe", "no policy: its signature cannot be checked on this rung");
    } else {
        let policy = or_refuse(fs::read(IPE_POLICY), Stage::Ipe.name(), IPE_POLICY)?;
        enforce(Path::new(FOLDER), &policy)?;
        node.handover.rung = Rung::SecureBootIpe;
    }
    let rung = node.handover.rung.name();
    node.report.set("trust", rung.into());
    node.report.tell(&Event::Trust { rung });
    Ok(())
}

fn enforce(folder: &Path, policy: &[u8]) -> Result<(), Refusal> {
    let name = Stage::Ipe.name();
    let ours = folder.join("policies").join(IPE_POLICY_NAME);
    write(&folder.join("new_policy"), policy)?;
    write(&ours.join("active"), b"1")?;
    reads(&ours.join("active"), "1")?;
    reads(&folder.join("enforce"), "1")?;
    reads(&ours.join("name"), IPE_POLICY_NAME)?;
    // What is active is one policy; that it is ours and not another of its name says its text.
    let text = or_refuse(fs::read_to_string(ours.join("policy")), name, ours.join("policy").display())?;
    match carries(policy, &text) {
        true => Ok(()),
        false => Err(Refusal::new(name, format!("the active policy `{}` is not {IPE_POLICY}'s", text.trim()))),
    }
}

/// In one write, which the kernel takes for the whole.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let explained = |error: io::Error| match error.raw_os_error() {
        Some(nix::libc::ENOKEY | nix::libc::EKEYREJECTED) => {
            format!(
                "{error}: no key of the kernel's signed it; sign the policy with the key whose certificate is in db"
            )
        }
        Some(nix::libc::EBADMSG) => format!("{error}: no signed policy"),
        _ => error.to_string(),
    };
    or_refuse(fs::write(path, bytes).map_err(explained), Stage::Ipe.name(), path.display())
}

fn reads(path: &Path, want: &str) -> Result<(), Refusal> {
    let found = or_refuse(fs::read_to_string(path), Stage::Ipe.name(), path.display())?;
    match found.trim() == want {
        true => Ok(()),
        false => {
            let reason = format!("{} reads back `{}`, not {want}", path.display(), found.trim());
            Err(Refusal::new(Stage::Ipe.name(), reason))
        }
    }
}

/// Whether the signed message carries this text.
fn carries(policy: &[u8], text: &str) -> bool {
    !text.is_empty() && policy.windows(text.len()).any(|part| part == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "policy_name=orlop_node policy_version=1.0.0\nDEFAULT action=ALLOW\n";

    /// The kernel's files, as they are once a policy is loaded.
    fn kernel(enforce: &str, text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let ours = folder.path().join("policies").join(IPE_POLICY_NAME);
        fs::create_dir_all(&ours).expect("a folder");
        for (name, value) in [("active", "0"), ("name", "orlop_node"), ("policy", text)] {
            fs::write(ours.join(name), value).expect("written");
        }
        fs::write(folder.path().join("enforce"), enforce).expect("written");
        folder
    }

    #[test]
    fn an_active_policy_is_read_back() {
        let policy = [b"0\x82\x01PKCS#7 ", TEXT.as_bytes(), b" signature"].concat();
        let good = kernel("1", TEXT);
        assert_eq!(enforce(good.path(), &policy), Ok(()));
        assert_eq!(fs::read(good.path().join("new_policy")).ok().as_ref(), Some(&policy));
        assert_eq!(fs::read(good.path().join("policies/orlop_node/active")).ok().as_deref(), Some(&b"1"[..]));
        let refused = |folder: tempfile::TempDir, wanted: &str| {
            let refusal = enforce(folder.path(), &policy).expect_err(wanted);
            assert!(refusal.stage == "ipe" && refusal.reason.contains(wanted), "{refusal:?}");
        };
        refused(kernel("0", TEXT), "enforce reads back `0`, not 1");
        refused(kernel("1", "policy_name=orlop_node DEFAULT action=DENY"), "is not");
        refused(kernel("1", ""), "is not");
        refused(tempfile::tempdir().expect("a folder"), "policies/orlop_node/active");
    }
}
