//! `orlop man`: the manual pages, out of the command line itself.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use serde::Serialize;

use super::{Cli, Context, write_whole};

/// Write the manual pages: orlop.1, and one for each command.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop man ~/.local/share/man/man1")]
pub struct ManArgs {
    /// The folder to write to; made where it does not exist. Pages that are there are replaced.
    folder: PathBuf,
}

#[derive(Serialize)]
struct Answer {
    pages: Vec<PathBuf>,
}

/// Runs the verb.
pub fn run(args: &ManArgs, context: &Context) -> anyhow::Result<()> {
    let pages = pages().context("rendering the manual pages")?;
    fs::create_dir_all(&args.folder).with_context(|| format!("{}: cannot be made", args.folder.display()))?;
    let mut written = Vec::new();
    for (name, page) in &pages {
        let path = args.folder.join(name);
        write_whole(&path, page)?;
        written.push(path);
    }
    let text: String = written.iter().map(|path| format!("{}\n", path.display())).collect();
    context.result(&Answer { pages: written }, &text)
}

/// File name → page.
fn pages() -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = BTreeMap::new();
    add(&command, &mut pages)?;
    Ok(pages)
}

/// Adds a command's page, and those of its own commands.
fn add(command: &Command, pages: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        add(verb, pages)?;
    }
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    pages.insert(man.get_filename(), page);
    Ok(())
}
