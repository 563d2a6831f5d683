//! The chain of trust as an image holds it: its links, who vouches for each, and who checks that. A pure function of an
//! inspection; what each signature is worth, docs/security.md says.
//!
//! A signature that holds here is one by a certificate or key that *the image* names. Whether that is yours, `orlop verify`
//! says, and the firmware.

use orlop_config::manifest::SecureBoot;

use crate::image::inspect::Inspection;
use crate::image::open::UKI_PATH;
use crate::image::signers::Signer;

/// A link of the chain; each is checked by one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The part.
    pub part: &'static str,
    /// What the part is in this image.
    pub what: String,
    /// Who vouches for it.
    pub vouched: Vouched,
    /// Who checks that, and by what.
    pub checked: &'static str,
}

/// Who vouches for a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// The machine's owner: here the chain begins.
    Owner(String),
    /// A signature that holds.
    Signed {
        /// Who made it.
        by: String,
        /// What kind of signature it is.
        kind: &'static str,
    },
    /// A signature is missing, or does not hold: why.
    Nobody(String),
    /// What vouches for another part covers this one.
    Covered(&'static str),
}

impl Link {
    /// Whether somebody vouches for it.
    pub fn holds(&self) -> bool {
        !matches!(self.vouched, Vouched::Nobody(_))
    }
}

/// The chain, from the firmware to what runs.
pub fn links(inspection: &Inspection) -> Vec<Link> {
    let Inspection { boot_manifest: boot, signers, components, .. } = inspection;
    let hash = &boot.verity.root_hash;
    let version = |name: &str| components.get(name).map(|component| format!("{name} {}", component.version));
    let programs: Vec<String> = ["containerd", "kubelet", "runc"].into_iter().filter_map(version).collect();
    let certificates: Vec<&str> = boot.trust.certificates.iter().map(|certificate| &*certificate.subject).collect();
    let signed = |signer: &Signer, kind| match signer {
        Signer::Is(name) => Vouched::Signed { by: name.clone(), kind },
        Signer::Nobody(why) => Vouched::Nobody(why.clone()),
    };
    vec![
        Link {
            part: "firmware",
            what: match boot.trust.secure_boot {
                SecureBoot::WhenPresent => "Secure Boot where the machine has it; without, the chain begins at the UKI",
                SecureBoot::Required => "Secure Boot is required: without it the boot is refused",
            }
            .into(),
            vouched: Vouched::Owner(format!("db with {}", certificates.join(", "))),
            checked: "who owns the machine enrols the keys",
        },
        Link {
            part: "UKI",
            what: format!("{UKI_PATH} on the EFI system partition"),
            vouched: signed(&signers.uki, "Authenticode"),
            checked: "the firmware, by its db",
        },
        Link {
            part: "kernel, command line, initramfs",
            what: format!(
                "sections of the UKI; {} words of command line",
                boot.command_line.split_whitespace().count()
            ),
            vouched: Vouched::Covered("the UKI's signature"),
            checked: "the firmware; init compares the command line word by word",
        },
        Link {
            part: "boot manifest",
            what: format!("{} {}, class {}; names the root hash", boot.image, boot.image_version, boot.class),
            vouched: signed(&signers.boot_manifest, "ed25519, release key"),
            checked: "orlop-init, by the release key in the initramfs",
        },
        Link {
            part: "root hash",
            what: hash.clone(),
            vouched: signed(&signers.root_hash, "PKCS#7"),
            checked: "the kernel's dm-verity, by the platform's keys",
        },
        Link {
            part: "root",
            what: format!(
                "EROFS, read-only, {} blocks of {} bytes",
                boot.verity.data_blocks, boot.verity.data_block_size
            ),
            vouched: Vouched::Covered("the root hash, block by block"),
            checked: "dm-verity at each read; a wrong block is a panic",
        },
        Link {
            part: "IPE policy",
            what: "kernel modules and firmware come from this root only".into(),
            vouched: signed(&signers.policy, "PKCS#7"),
            checked: "the kernel's IPE, by the platform's keys",
        },
        Link {
            part: "programs",
            what: programs.join(", "),
            vouched: Vouched::Covered("the root"),
            checked: "dm-verity as they are read; orlop-init starts them",
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::sample::inspection;

    #[test]
    fn each_link_has_somebody_who_vouches_for_it() {
        let links = links(&inspection());
        let by: Vec<&str> = links
            .iter()
            .map(|link| match &link.vouched {
                Vouched::Owner(who) | Vouched::Nobody(who) => who.as_str(),
                Vouched::Signed { by, .. } => by.as_str(),
                Vouched::Covered(what) => what,
            })
            .collect();
        let expected = [
            "db with Team db",
            "Team db",
            "the UKI's signature",
            "MCowBQYDK2VwAyEA",
            "Team db",
            "the root hash, block by block",
            "Team db",
            "the root",
        ];
        assert_eq!(by, expected);
        assert!(links.iter().all(Link::holds));
        assert_eq!(links[7].what, "containerd v2.3.7, runc v1.5.2");
    }

    #[test]
    fn a_missing_signature_is_no_name() {
        let mut inspection = inspection();
        inspection.signers.root_hash = Signer::Nobody("not signed".into());
        let broken: Vec<Link> = links(&inspection).into_iter().filter(|link| !link.holds()).collect();
        assert_eq!(broken.len(), 1);
        assert_eq!((broken[0].part, &broken[0].vouched), ("root hash", &Vouched::Nobody("not signed".into())));
    }
}
