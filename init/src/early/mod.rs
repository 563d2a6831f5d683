//! In the initramfs: from the kernel's start to the verified root. Each step is verified by the one
//! before it; what cannot be verified ends the boot, by name.

mod cmdline;
mod disks;
mod firmware;
mod switch;
mod verity;
mod vulnerabilities;

pub use disks::partition_name;

use crate::handover::{self, Handover};
use crate::modules::uevent::Uevents;
use crate::modules::{Loader, read_lists};
use crate::report::{Refusal, Report, Stop, now_ms, or_refuse, refuse};
use nix::mount::{MsFlags, mount};
use orlop_chain::At;
use orlop_chain::key::PublicKey;
use orlop_chain::trust::{self, Rung};
use orlop_chain::{Stage, key, manifest};
use orlop_config::manifest::{BootManifest, Refusal as Policy};
use std::path::Path;

/// Where systemd's stub puts what it adds to the initramfs: files beside the UKI, which nobody signed.
const EXTRA: &str = "/.extra";
/// The one thing in it that is of the UKI itself: its `.osrel` section.
const EXTRA_OWN: &str = "os-release";
const MANIFEST: &str = "/orlop/boot.json";
const KEY: &str = "/orlop/release.pub";
const MODULES: &str = "/orlop/modules.json";

/// Boots as far as the verified root's own init; never returns.
pub fn run() -> ! {
    // Until the filesystems are mounted there is only the initramfs' own /dev/console.
    let mut early = Early { report: Report::open(), ..Early::default() };
    let refusal = match early.boot() {
        Ok(never) => match never {},
        Err(refusal) => refusal,
    };
    refuse(&mut early.report, &refusal, early.stop.unwrap_or(Stop::Reboot))
}

/// What the boot knows so far.
#[derive(Debug, Default)]
struct Early {
    report: Report,
    phases: Vec<(String, u64)>,
    notes: Vec<(String, String)>,
    /// What the manifest says that a refusal does; only after its signature was verified.
    stop: Option<Stop>,
}

/// The manifest with the exact bytes that its signature covers, and the keys that may have made it.
struct Trust {
    bytes: Vec<u8>,
    manifest: BootManifest,
    keys: Vec<PublicKey>,
}

impl Early {
    fn boot(&mut self) -> Result<std::convert::Infallible, Refusal> {
        mount_kernel()?;
        self.report = Report::open();
        self.phase("initramfs");
        refuse_extra(Path::new(EXTRA)).map_err(|reason| Refusal::new(Stage::Extra.name(), reason))?;
        let trust = read_trust()?;
        let appended = self.check_command_line(&trust.manifest)?;
        self.phase("manifest");
        let uevents = or_refuse(Uevents::open(), "modules", "device events")?;
        let lists = read_lists(MODULES).map_err(|error| Refusal::new("modules", error))?;
        let mut loader = Loader::new(&lists);
        let failed = |error| Refusal::new("modules", error);
        loader.ahead("efivarfs").map_err(failed)?;
        let mut firmware = firmware::read(appended.clone());
        self.phase("firmware");
        if trust::requires_signatures(&firmware.facts, &trust.manifest.trust) {
            loader.give("dm_verity", c"require_signatures=1");
        }
        loader.first().map_err(failed)?;
        firmware.facts.require_signatures = firmware::require_signatures();
        self.phase("modules");
        let verdict = trust::judge(&firmware.facts, &trust.manifest.trust)?;
        for note in verdict.notes {
            self.note("trust", note);
        }
        let root = disks::Search::new(&mut loader, &uevents, firmware.loader_partition).find(&trust.manifest)?;
        for note in &root.notes {
            self.note("disk", note.clone());
        }
        self.phase("disk");
        let signatures = verity::verify_signature(&root, &trust)?;
        self.stop = Some(stop_of(trust.manifest.refusal));
        let signed = (verdict.rung > Rung::RootHash).then_some(&signatures);
        let device = verity::open(&root, &trust.manifest.verity, signed)?;
        self.phase("verity");
        verity::mount_root(&device)?;
        self.phase("root");
        let manifest = trust.manifest;
        hand_over(&Handover {
            image: manifest.image,
            image_version: manifest.image_version,
            class: manifest.class,
            development: manifest.development,
            refusal: manifest.refusal,
            root_hash: manifest.verity.root_hash,
            rung: verdict.rung,
            disk: root.disk,
            appended,
            phases: std::mem::take(&mut self.phases),
            notes: std::mem::take(&mut self.notes),
        })?;
        switch::root()
    }

    /// Compares the command line, and reads back what the kernel may have taken of text behind its end.
    fn check_command_line(&mut self, manifest: &BootManifest) -> Result<Option<String>, Refusal> {
        let appended = cmdline::check(&manifest.command_line)?;
        if let Some(text) = &appended {
            self.note("cmdline", format!("appended={text}"));
        }
        let vulnerable = vulnerabilities::check(&manifest.command_line, appended.as_deref())?;
        if !vulnerable.is_empty() {
            self.note("cpu", format!("vulnerable: {}", vulnerable.join(", ")));
        }
        Ok(appended)
    }

    fn phase(&mut self, name: &str) {
        self.report.phase(name);
        self.phases.push((name.to_owned(), now_ms()));
    }

    fn note(&mut self, about: &str, text: String) {
        self.report.note(about, text.clone());
        self.notes.push((about.to_owned(), text));
    }
}

fn hand_over(handover: &Handover) -> Result<(), Refusal> {
    let bytes = or_refuse(serde_json::to_vec(handover), "root", handover::PATH)?;
    or_refuse(std::fs::write(handover::PATH, bytes), "root", handover::PATH)
}

/// What a refusal does, by the manifest or the handover.
pub fn stop_of(policy: Policy) -> Stop {
    match policy {
        Policy::Reboot => Stop::Reboot,
        Policy::Poweroff => Stop::PowerOff,
    }
}

/// The kernel's own filesystems, and the `/run` that the root inherits.
fn mount_kernel() -> Result<(), Refusal> {
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let devices = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let mounts = [
        ("proc", "/proc", quiet, ""),
        ("sysfs", "/sys", quiet, ""),
        ("devtmpfs", "/dev", devices, "mode=755"),
        ("tmpfs", "/run", quiet, "mode=755"),
    ];
    for (kind, target, flags, options) in mounts {
        let options = (!options.is_empty()).then_some(options);
        or_refuse(mount(Some(kind), target, Some(kind), flags, options), "initramfs", target)?;
    }
    or_refuse(std::fs::create_dir("/run/orlop"), "initramfs", "/run/orlop")
}

fn read_trust() -> Result<Trust, Refusal> {
    let bytes = or_refuse(std::fs::read(MANIFEST), "manifest", MANIFEST)?;
    let manifest = manifest::parse_boot(&bytes).at(Stage::Manifest)?;
    let pem = or_refuse(std::fs::read(KEY), "manifest", KEY)?;
    let keys = key::parse_trusted(&pem).at(Stage::Manifest)?;
    Ok(Trust { bytes, manifest, keys })
}

/// Credentials, extensions and add-ons that the boot loader picked up end up below `/.extra`: nothing signed them.
fn refuse_extra(folder: &Path) -> Result<(), String> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{}: {error}", folder.display())),
    };
    for entry in entries {
        let entry = entry.map_err(|error| format!("{}: {error}", folder.display()))?;
        let own = entry.file_name() == EXTRA_OWN && entry.file_type().is_ok_and(|kind| kind.is_file());
        if !own {
            let name = entry.file_name().display().to_string();
            return Err(format!(
                "{EXTRA}/{name} was added by the boot loader and is not signed; remove it from the ESP"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod extra_tests {
    use super::refuse_extra;

    #[test]
    fn only_the_ukis_own_os_release_may_lie_there() {
        let folder = std::env::temp_dir().join(format!("orlop-extra-{}", std::process::id()));
        assert_eq!(refuse_extra(&folder), Ok(()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("os-release"), "ID=orlop\n").unwrap();
        assert_eq!(refuse_extra(&folder), Ok(()));
        std::fs::write(folder.join("x.cred"), "secret").unwrap();
        assert!(refuse_extra(&folder).unwrap_err().contains("x.cred"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
