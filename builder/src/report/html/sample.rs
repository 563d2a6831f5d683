//! What stands beside the inventory of an image that does not exist, for the tests of pages.

use std::path::PathBuf;

use orlop_config::definition::Gates;
use orlop_config::manifest::{BootManifest, Certificate, Refusal, SecureBoot, Trust, Verity};
use serde_json::json;

use crate::advisories::Database;
use crate::image::inspect::{Inspection, PartitionRow};
use crate::image::signers::{CertificateRow, ReleaseKeyRow, Signer, Signers};
use crate::inventory::sample::inventory;
use crate::scan::{self, By, Identity, Package, Unjudged};
use crate::tree::ComponentRecord;

/// Partitions, boot manifest and signatures of the sample image, all of them good.
pub fn inspection() -> Inspection {
    let image = inventory().image;
    let signed = || Signer::Is("Team db".into());
    let key = "MCowBQYDK2VwAyEA".to_owned();
    let component = |name: &str, version: &str| {
        let record = ComponentRecord {
            kind: None,
            name: name.into(),
            version: version.into(),
            origin: String::new(),
            sha256: String::new(),
        };
        (name.to_owned(), record)
    };
    Inspection {
        damage: None,
        unreadable: Vec::new(),
        partitions: vec![PartitionRow {
            number: 1,
            name: "esp".into(),
            kind: "esp".into(),
            guid: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".into(),
            offset: 1 << 20,
            bytes: 256 << 20,
        }],
        uki: vec![(".linux".into(), 9_900_000)],
        boot_manifest: BootManifest {
            version: 1,
            image: image.name,
            image_version: image.version,
            architecture: image.architecture,
            class: image.class,
            command_line: image.command_line,
            verity: Verity {
                root_hash: image.root_hash,
                salt: "00".repeat(32),
                uuid: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".into(),
                algorithm: "sha256".into(),
                data_block_size: 4096,
                hash_block_size: 4096,
                data_blocks: 11_597,
                hash_start_block: 1,
            },
            refusal: Refusal::Reboot,
            trust: Trust {
                secure_boot: SecureBoot::WhenPresent,
                certificates: vec![Certificate {
                    sha256: "ef".repeat(32),
                    key_id: "ef".repeat(20),
                    subject: "Team db".into(),
                }],
            },
            development: false,
        },
        signers: Signers {
            certificate: Some(CertificateRow {
                subject: "Team db".into(),
                sha256: "ef".repeat(32),
                valid_from: "2020-01-01T00:00:00Z".into(),
                valid_to: "2049-12-31T23:59:59Z".into(),
                development: false,
            }),
            uki: signed(),
            root_hash: signed(),
            policy: signed(),
            boot_manifest: Signer::Is(key.clone()),
            release_keys: vec![ReleaseKeyRow { key, development: false }],
        },
        signature: None,
        release_manifest: None,
        components: [component("containerd", "v2.3.7"), component("runc", "v1.5.2")].into(),
        files: Vec::new(),
    }
}

/// Two findings, one of them high, in a package and a file of these names; the gates fail on both.
pub fn scanned(name: &str, path: &str) -> scan::Report {
    let folder = tempfile::tempdir().unwrap();
    let document = |id: &str, severity: &str, url: &str| {
        json!({"id": id, "published": "2026-08-21T00:00:00Z", "summary": "a <b>summary</b>",
            "references": [{"type": "WEB", "url": url}], "database_specific": {"severity": severity},
            "affected": [{"package": {"ecosystem": "Go", "name": name},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]}]})
    };
    for (id, severity, url) in
        [("T-1", "HIGH", "https://example.org/T-1?a&b"), ("T-2", "CRITICAL", "javascript:alert(1)")]
    {
        std::fs::write(folder.path().join(format!("{id}.json")), document(id, severity, url).to_string()).unwrap();
    }
    let database = Database::load(&[PathBuf::from(folder.path())]).unwrap();
    let package = Package {
        identity: Identity { ecosystem: "Go".into(), name: name.into(), version: Some("v1.0.0".into()) },
        otherwise: None,
        by: By { component: "runc".into(), version: "v1.5.2".into() },
        path: path.into(),
        functions: None,
    };
    let reason = "nothing in it says what it is made of".to_owned();
    let mut report = scan::scan(
        &scan::Inventory {
            image: "sample".into(),
            version: "1.2.3".into(),
            packages: vec![package],
            unjudged: vec![Unjudged { what: path.into(), component: "runc".into(), reason }],
            ..scan::Inventory::default()
        },
        &database,
    )
    .unwrap();
    scan::gate(&mut report, &Gates::default());
    report
}
