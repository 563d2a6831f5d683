//! The stages of the chain, and what a failed one is called.

use std::fmt;

/// A stage of the chain, in the order in which a boot passes them; the last seven are `orlop verify`'s own.
///
/// The names are an interface: consoles, tests and operators read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The kernel's command line equals the boot manifest's.
    Cmdline,
    /// Nothing unsigned was put beside the initramfs (`/.extra`).
    Extra,
    /// The initramfs has a boot manifest, a key and module lists that parse.
    Manifest,
    /// Kernel modules that the boot needs.
    Modules,
    /// The firmware's Secure Boot, its keys and the kernel's lockdown are what the manifest asks for.
    SecureBoot,
    /// Exactly one disk carries the root's partitions.
    Disk,
    /// Exactly one signature partition speaks of this root.
    SignaturePartition,
    /// The boot manifest's signature is by the release key.
    ManifestSignature,
    /// The verity superblock says what the manifest says.
    Superblock,
    /// The root hash's PKCS#7 signature is by a trusted certificate.
    RootSignature,
    /// The kernel's dm-verity device.
    Verity,
    /// The root filesystem.
    Root,
    /// The IPE policy is signed, active and enforcing.
    Ipe,
    /// The state partition.
    State,
    /// The partition table, both copies.
    Gpt,
    /// The UKI on the ESP carries this manifest.
    Uki,
    /// The UKI's Authenticode signature is by a trusted certificate.
    UkiSignature,
    /// The release manifest beside the image.
    ReleaseManifest,
    /// The release manifest's signature is by the release key.
    ReleaseSignature,
    /// Every block of the root agrees with the verity tree.
    Tree,
    /// The provenance beside the image is by the release key and about this image.
    Provenance,
}

impl Stage {
    /// Those that a boot may refuse at; the others are `orlop verify`'s.
    pub const OF_BOOT: [Stage; 15] = [
        Stage::Cmdline,
        Stage::Extra,
        Stage::Manifest,
        Stage::Modules,
        Stage::SecureBoot,
        Stage::Disk,
        Stage::SignaturePartition,
        Stage::ManifestSignature,
        Stage::Superblock,
        Stage::RootSignature,
        Stage::Verity,
        Stage::Root,
        Stage::Ipe,
        Stage::State,
        Stage::Gpt,
    ];

    /// The stage's name as the console shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Cmdline => "cmdline",
            Stage::Extra => "extra",
            Stage::Manifest => "manifest",
            Stage::Modules => "modules",
            Stage::SecureBoot => "secure-boot",
            Stage::Disk => "disk",
            Stage::SignaturePartition => "signature-partition",
            Stage::ManifestSignature => "manifest-signature",
            Stage::Superblock => "superblock",
            Stage::RootSignature => "root-signature",
            Stage::Verity => "verity",
            Stage::Root => "root",
            Stage::Ipe => "ipe",
            Stage::State => "state",
            Stage::Gpt => "gpt",
            Stage::Uki => "uki",
            Stage::UkiSignature => "uki-signature",
            Stage::ReleaseManifest => "release-manifest",
            Stage::ReleaseSignature => "release-signature",
            Stage::Tree => "tree",
            Stage::Provenance => "provenance",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A check that failed. What was not verified is not trusted, so there is nothing to continue with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stage={stage} reason={reason}")]
pub struct Refusal {
    /// Where in the chain.
    pub stage: Stage,
    /// What was found, in one line.
    pub reason: String,
}

impl Refusal {
    /// A refusal at `stage`; line breaks in the reason become spaces, so that the console has one line.
    pub fn new(stage: Stage, reason: impl fmt::Display) -> Self {
        let reason = reason.to_string().replace(['\n', '\r'], " ");
        Refusal { stage, reason }
    }
}

/// Gives an error its stage.
pub trait At<T> {
    /// The error becomes a refusal at `stage`.
    fn at(self, stage: Stage) -> Result<T, Refusal>;
}

impl<T, E: fmt::Display> At<T> for Result<T, E> {
    fn at(self, stage: Stage) -> Result<T, Refusal> {
        self.map_err(|error| Refusal::new(stage, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line() {
        let refused = Refusal::new(Stage::SignaturePartition, "two\nlines");
        assert_eq!(refused.to_string(), "stage=signature-partition reason=two lines");
    }

    /// Who sees a refusal on a console looks its name up there.
    #[test]
    fn each_refusal_of_a_boot_has_its_remedy_in_the_documents() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operate.md");
        let text = std::fs::read_to_string(path).unwrap();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        for stage in Stage::OF_BOOT {
            let name = format!("`{stage}`");
            let first = |row: &&&str| row.split('|').nth(1).is_some_and(|cell| cell.contains(&name));
            assert!(rows.iter().any(|row| first(&row)), "no row for {name} in docs/operate.md");
        }
    }

    #[test]
    fn any_error_gets_a_stage() {
        let result: Result<(), &str> = Err("gone");
        assert_eq!(result.at(Stage::Disk), Err(Refusal::new(Stage::Disk, "gone")));
    }
}
