//! Runs a row: alters, asks `orlop verify`, boots to the awaited line.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use orlop::image::verify::{Release, Trust, verify};
use orlop_chain::{Refusal, Stage};
use orlop_machine::feed::Mark;
use orlop_machine::{Error, Machine, within};

use crate::bench::{Booted, HEALTHY, boot};
use crate::forge;
use crate::probe::Probed;
use crate::row::{Ends, Offline, Row};
use crate::subject::Subject;

/// The row of this name.
pub fn row(rows: &[Row], id: &str) -> Result<()> {
    let row = rows.iter().find(|row| row.id == id).context("the row")?;
    let mut subject = Subject::new(row.image)?;
    (row.alter)(&mut subject)?;
    judged_offline(row, &subject)?;
    let machine = subject.machine(row.on);
    match row.ends {
        Ends::NotStarted => not_started(row, &machine),
        Ends::Refused(stage) => {
            let booted = boot(&machine)?;
            let reason = booted.refused(stage.name())?;
            ensure!(reason.contains(row.says), "the reason lacks `{}`: {reason}", row.says);
            stopped(row, &booted)
        }
        Ends::Panics => {
            let booted = boot(&machine)?;
            let console = booted.panicked()?;
            ensure!(!booted.said("orlop: refused"), "init noticed it, not the kernel");
            ensure!(!booted.said("orlop: phase=root"), "a root with a changed block was mounted");
            panicked(row, &console)?;
            stopped(row, &booted)
        }
        Ends::PanicsAfter(act) => {
            let node = match Probed::boot(machine) {
                Ok(node) => node,
                // The boot itself, or the pod's first look around, read the block already.
                Err(error) => match error.downcast::<Error>()? {
                    Error::Panic { log, .. } => return panicked(row, &lines(&log.path)?),
                    other => return Err(other.into()),
                },
            };
            act(&subject, &node)?;
            panicked(row, &node.0.panicked()?)
        }
        Ends::Boots => {
            let booted = boot(&machine)?;
            booted.wait_line(row.says, within(HEALTHY))?;
            booted.phase("state", HEALTHY)?;
            let appended = booted.said("appended=");
            ensure!(appended == row.says.contains("appended="), "appended to the command line: {appended}");
            Ok(())
        }
        Ends::Elsewhere(..) => Ok(()),
    }
}

fn lines(log: &Path) -> Result<Vec<String>> {
    Ok(String::from_utf8_lossy(&std::fs::read(log)?).lines().map(str::to_owned).collect())
}

/// A refusal waits for ten seconds, so that it can be read: most rows do not.
fn stopped(row: &Row, booted: &Booted) -> Result<()> {
    if row.stops.is_empty() { Ok(()) } else { booted.ends_with(row.stops) }
}

fn panicked(row: &Row, console: &[String]) -> Result<()> {
    let line = console.iter().find(|line| line.contains("is corrupted"));
    ensure!(line.is_some_and(|line| line.contains(row.says)), "want `{}`, the kernel says {line:?}", row.says);
    Ok(())
}

/// The verdict of `orlop verify` on the image alone: its release manifest would tell of every change to the UKI first.
fn judged_offline(row: &Row, subject: &Subject) -> Result<()> {
    let mut passed = Vec::new();
    let ours = |name| forge::keys().join(name);
    let beside = |end| subject.bench.image.with_extension(end);
    let trust = Trust::read(&[ours("release.pub"), beside("release.pub")], &[ours("db.crt"), beside("db.crt")])?;
    let verdict = verify(&subject.disk, &trust, &Release::ImageOnly, &mut passed);
    let refused = |error: &anyhow::Error| error.chain().find_map(|cause| cause.downcast_ref::<Refusal>()).cloned();
    match (row.offline, verdict) {
        (Offline::Unseen, Ok(_)) => Ok(()),
        (Offline::Unseen, Err(error)) => Err(error.context("orlop verify refuses what it should not see")),
        (Offline::Refused(stage), Ok(_)) => anyhow::bail!("orlop verify accepts it, want a refusal at stage {stage}"),
        (Offline::Refused(stage), Err(error)) => {
            let found: Option<Stage> = refused(&error).map(|refusal| refusal.stage);
            ensure!(found == Some(stage), "orlop verify: want stage {stage}, got {error:#}");
            Ok(())
        }
    }
}

/// Every disk is tried, none is started, and nothing of them runs.
fn not_started(row: &Row, machine: &Machine) -> Result<()> {
    let running = machine.start()?;
    running.wait_line("BdsDxe: No bootable option", within(HEALTHY * machine.disks.len() as u64))?;
    let console = running.feed().collect(Mark::default(), |happening| happening.console().map(str::to_owned));
    let refused = console.iter().filter(|line| line.contains("BdsDxe: failed to") && line.contains(row.says)).count();
    ensure!(refused == machine.disks.len(), "{refused} disks of {} refused by `{}`", machine.disks.len(), row.says);
    ensure!(!console.iter().any(|line| line.contains("EFI stub") || line.contains("orlop: ")), "a refused UKI ran");
    Ok(())
}
