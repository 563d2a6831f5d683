//! The summary: what the image is, how large it is, and what is to be thought of it.

use orlop_config::manifest::SecureBoot;

use super::markup::Html;
use super::table::{folded, row, table, terms};
use super::words::{seconds, size};
use super::{Report, Verification};
use crate::inventory::{Inventory, Place};
use crate::report::boot::Boot;
use crate::report::chain::links;
use crate::report::time::rfc3339;
use crate::scan;
use crate::text::count;

/// What is to be thought of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judgement {
    Good,
    Bad,
    Open,
}

impl Judgement {
    /// The style's class, and the word for who cannot see colours.
    fn word(self) -> &'static str {
        match self {
            Judgement::Good => "good",
            Judgement::Bad => "bad",
            Judgement::Open => "open",
        }
    }
}

type Verdict = (Judgement, String);

/// Writes the section.
pub fn write(html: &mut Html, report: &Report<'_>) {
    html.element("ul", &[("class", "verdicts")], |html| {
        for (judgement, text) in verdicts(report) {
            html.element("li", &[("class", judgement.word())], |html| {
                html.leaf("strong", &[], judgement.word());
                html.text(" ");
                html.text(&text);
            });
        }
    });
    facts(html, report);
    partitions(html, report);
    if let Some(verification) = report.verification {
        passed(html, verification);
    }
    unknown(html, report.inventory);
}

fn verdicts(report: &Report<'_>) -> Vec<Verdict> {
    let mut verdicts = vec![signatures(report)];
    if report.inspection.boot_manifest.development {
        verdicts.push((Judgement::Bad, "Signed with development keys: for tests only.".into()));
    }
    if report.inspection.boot_manifest.trust.secure_boot == SecureBoot::WhenPresent {
        let text = "It boots without Secure Boot too; the boot report says how far the chain reached.";
        verdicts.push((Judgement::Open, text.into()));
    }
    if let Some(damage) = &report.inspection.damage {
        verdicts.push((Judgement::Bad, damage.clone()));
    }
    verdicts.push(findings(report.scan));
    verdicts.extend(report.boot.map(booted));
    verdicts
}

fn signatures(report: &Report<'_>) -> Verdict {
    if let Some(verification) = report.verification {
        return match &verification.refused {
            None => (
                Judgement::Good,
                format!("Verified by the keys that were named: {} checks.", verification.passed.len()),
            ),
            Some(refusal) => {
                (Judgement::Bad, format!("Refused at the stage {}: {}", refusal.stage.name(), refusal.reason))
            }
        };
    }
    let broken: Vec<&str> =
        links(report.inspection).iter().filter(|link| !link.holds()).map(|link| link.part).collect();
    match broken.is_empty() {
        true => {
            let text =
                "Every signature holds by certificate and keys that the image names; whose they are was not checked.";
            (Judgement::Open, text.into())
        }
        false => (Judgement::Bad, format!("No signature holds for: {}.", broken.join(", "))),
    }
}

fn findings(scan: Option<&scan::Report>) -> Verdict {
    let Some(scan) = scan else {
        return (Judgement::Open, "Not looked through for known flaws: no database was named.".into());
    };
    let found = count(scan.findings.len(), "finding", "findings");
    let unjudged = match scan.unjudged.len() {
        0 => String::new(),
        more => format!(", {more} that cannot be judged"),
    };
    match scan.failures.len() {
        0 => (Judgement::Good, format!("The gates pass: {found}{unjudged}.")),
        fail => (Judgement::Bad, format!("The gates fail on {fail}: {found}{unjudged}.")),
    }
}

fn booted(boot: &Boot) -> Verdict {
    let healthy = boot.reached.iter().find(|moment| moment.name == "kubelet healthy");
    match (&boot.trouble, healthy) {
        (None, Some(healthy)) => {
            (Judgement::Good, format!("It boots: kubelet is healthy after {}.", seconds(healthy.ms)))
        }
        (None, None) => (Judgement::Open, "It was booted, and kubelet was not healthy when that ended.".into()),
        (Some(trouble), _) => (Judgement::Bad, format!("Its boot had trouble: {trouble}")),
    }
}

fn facts(html: &mut Html, report: &Report<'_>) {
    let Report { inventory, inspection, .. } = report;
    let image = &inventory.image;
    let bytes = |place| inventory.files.iter().filter(|file| file.place == place).map(|file| file.size).sum::<u64>();
    let verity = &inspection.boot_manifest.verity;
    let files = inventory.files.iter().filter(|file| file.place == Place::Root).count();
    let root = format!("{} in {}", size(bytes(Place::Root)), count(files, "file", "files"));
    let rows = [
        ("Name", image.name.clone()),
        ("Version", image.version.clone()),
        ("Architecture", image.architecture.clone()),
        ("Class", image.class.clone()),
        ("Kernel", image.kernel.clone()),
        ("Time of all files", rfc3339(image.epoch)),
        ("Root, before compression", root),
        ("Root image", size(verity.data_blocks.saturating_mul(verity.data_block_size.into()))),
        ("UKI", size(bytes(Place::Esp))),
        ("Components", inventory.components.len().to_string()),
        ("Modules and crates", inventory.parts.len().to_string()),
        ("Root hash", image.root_hash.clone()),
        ("SHA-256 of the UKI", image.uki_sha256.clone()),
        ("Command line", image.command_line.clone()),
    ];
    terms(html, &rows.each_ref().map(|(term, value)| (*term, value.as_str())));
}

fn partitions(html: &mut Html, report: &Report<'_>) {
    table(html, "Partitions of the disk", &["Name", "Type", "Size", "GUID"], |html| {
        for partition in &report.inspection.partitions {
            row(html, &[&partition.name, &partition.kind, &size(partition.bytes), &partition.guid]);
        }
    });
}

fn passed(html: &mut Html, verification: &Verification) {
    folded(html, &format!("{} that passed", count(verification.passed.len(), "check", "checks")), |html| {
        table(html, "Checks that passed", &["Link", "Stage", "What holds"], |html| {
            for passed in &verification.passed {
                row(html, &[passed.link, passed.stage, &passed.what]);
            }
        });
    });
}

/// Silence is never "nothing".
fn unknown(html: &mut Html, inventory: &Inventory) {
    if inventory.gaps.is_empty() {
        return;
    }
    table(html, "What is not known", &["File", "What, and why"], |html| {
        for gap in &inventory.gaps {
            row(html, &[&gap.file, &gap.what]);
        }
    });
}
