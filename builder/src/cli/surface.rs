//! `orlop surface`: what an image exposes, in numbers.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use orlop_config::definition::Budgets;
use serde::Serialize;

use super::{Context, naming};
use crate::report::surface;
use crate::sources::{Project, Report as _};
use crate::surface::{NumberChange, Surface, What, changes, check_budgets, read_boot, unchecked_budgets};

/// Count what an image exposes: files, executables, setuid bits, interpreters, kernel modules, lines of PID 1, bytes.
///
/// The numbers are read from the image; they are those of NAME.surface.json, which the build wrote beside it. With --definition
/// the budgets are checked, as the build does; that of a number that only a boot can tell needs --boot.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  orlop surface out/standalone/standalone.raw --previous old/standalone.surface.json --boot boot.json"
)]
pub struct SurfaceArgs {
    /// The disk image, or a NAME.surface.json.
    image: PathBuf,
    /// The previous image, or its NAME.surface.json: its numbers stand beside, and what changed is listed.
    #[arg(long, value_name = "IMAGE")]
    previous: Option<PathBuf>,
    /// What a boot of it showed, as the boot test writes it: what listens on the host, and which programs run there.
    #[arg(long, value_name = "FILE")]
    boot: Option<PathBuf>,
    /// The image definition, whose budgets must hold.
    #[arg(long, value_name = "FILE")]
    definition: Option<PathBuf>,
}

/// The verb's JSON document.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    surface: &'a Surface,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<&'a Surface>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<NumberChange>>,
}

/// Runs the verb.
pub fn run(args: &SurfaceArgs, context: &Context) -> anyhow::Result<()> {
    let project = args.definition.as_deref().map(Project::load).transpose()?;
    let boot = args.boot.as_deref().map(|file| Ok::<_, anyhow::Error>((file, read_boot(file)?))).transpose()?;
    let mut surface = read(&args.image)?;
    if let Some((file, shown)) = boot {
        shown.add_to(&mut surface).with_context(|| file.display().to_string())?;
    }
    let previous = args.previous.as_deref().map(read).transpose()?;
    if let Some(project) = &project {
        let budgets = &project.definition().budgets;
        note_what_is_not_checked(&surface, budgets, context);
        check_budgets(&surface, previous.as_ref(), budgets).map_err(anyhow::Error::msg)?;
    }
    let changes = previous.as_ref().map(|previous| changes(previous, &surface));
    let document = Document { surface: &surface, previous: previous.as_ref(), changes };
    context.result(&document, &surface::text(&surface, previous.as_ref()))
}

fn read(path: &Path) -> anyhow::Result<Surface> {
    surface::read(path).map_err(|error| naming(path, &error))
}

/// Budgets that pass because nobody counted are named.
fn note_what_is_not_checked(surface: &Surface, budgets: &Budgets, context: &Context) {
    for what in unchecked_budgets(surface, budgets) {
        let why = match what {
            What::InitLines => "the image does not say how long the source of its PID 1 is",
            _ => "name what a boot showed with --boot",
        };
        context.progress.note(&format!("budgets.{}: not checked; {why}", what.key()));
    }
}
