//! `orlop init-project`: a repository of somebody's own, ready to build.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use orlop_config::definition::is_name;
use orlop_config::{lockfile, schema};
use serde::Serialize;

use super::{Context, Usage};
use crate::sources::{Project, shipped};

/// What is written, with `@NAME@` for the image's name and `@BASE@` for what it extends.
const TEMPLATES: [(&str, &str); 6] = [
    ("@NAME@.toml", include_str!("init_project/definition.toml")),
    ("Makefile", include_str!("init_project/Makefile")),
    ("README.md", include_str!("init_project/README.md")),
    (".gitignore", include_str!("init_project/gitignore")),
    (".github/workflows/image.yml", include_str!("init_project/github.yml")),
    (".gitlab-ci.yml", include_str!("init_project/gitlab.yml")),
];
/// As the definition's first line names it.
const SCHEMA: &str = "orlop-definition.schema.json";
/// What a folder may have that is to become a repository.
const REPOSITORY: &str = ".git";

/// Write a repository for an image of your own: a definition that extends a shipped one, a Makefile, and files for CI.
///
/// The lockfile is the shipped one's, so that the image can be built at once. All is written, or nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop init-project edge && make -C edge build")]
pub struct InitProjectArgs {
    /// The folder: empty, but for .git; made where it does not exist.
    folder: PathBuf,
    /// What the image is called; without it, as the folder is.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The shipped definition that it extends.
    #[arg(long, value_name = "DEFINITION", default_value = "orlop:node", value_parser = parse_base)]
    extends: String,
}

fn parse_base(text: &str) -> Result<String, String> {
    let known = shipped::definitions();
    if known.iter().any(|name| name == text) { Ok(text.into()) } else { Err(format!("there are {}", known.join(", "))) }
}

#[derive(Serialize)]
struct Answer<'a> {
    folder: &'a Path,
    name: &'a str,
    files: Vec<&'a String>,
}

/// Runs the verb.
pub fn run(args: &InitProjectArgs, context: &Context) -> anyhow::Result<()> {
    let name = name(args)?;
    let files = files(&name, &args.extends)?;
    write(&args.folder, &files)?;
    let folder = args.folder.display();
    let mut text: String = files.keys().map(|file| format!("{folder}/{file}\n")).collect();
    text.push_str(&format!(
        "`make -C {folder} build` builds the image, `make -C {folder} help` says what else there is\n"
    ));
    context.result(&Answer { folder: &args.folder, name: &name, files: files.keys().collect() }, &text)
}

/// The image's name, which becomes that of files.
fn name(args: &InitProjectArgs) -> Result<String, Usage> {
    let name = args.name.clone().unwrap_or_else(|| {
        let path = args.folder.canonicalize().unwrap_or_else(|_| args.folder.clone());
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    });
    if is_name(&name) {
        return Ok(name);
    }
    let rule = "lowercase letters, digits and `-`, no `-` at the beginning, at most 32 characters";
    Err(Usage(format!("`{name}` is not an image's name ({rule}); give one with --name")))
}

/// Path below the folder → content.
fn files(name: &str, base: &str) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let filled = |text: &str| text.replace("@NAME@", name).replace("@BASE@", base);
    let mut files: BTreeMap<String, Vec<u8>> =
        TEMPLATES.iter().map(|(path, text)| (filled(path), filled(text).into_bytes())).collect();
    let project = Project::of_text(Path::new(&filled("@NAME@.toml")), &filled(TEMPLATES[0].1))?;
    let mut locked = Project::load(Path::new(base))?.lockfile()?;
    locked.definition = name.into();
    locked.request = project.request();
    files.insert(format!("{name}.lock"), lockfile::render(&locked).into_bytes());
    let modules = format!("{}.go/", base.trim_start_matches("orlop:"));
    for (path, content) in shipped::files() {
        if let Some(rest) = path.strip_prefix(&modules) {
            files.insert(format!("{name}.go/{rest}"), content.clone());
        }
    }
    files.insert(SCHEMA.into(), format!("{:#}\n", schema::definition()).into_bytes());
    Ok(files)
}

/// Writes all files below a folder, or none of them: they are made in a folder beside it, or in it, and then renamed.
fn write(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    let exists = is_free(folder)?;
    let beside = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let near = if exists { folder } else { beside };
    let failed = || format!("{}: cannot be written", near.display());
    let mode = Permissions::from_mode(0o755);
    let work = tempfile::Builder::new().prefix(".orlop-").permissions(mode).tempdir_in(near).with_context(failed)?;
    for (name, content) in files {
        let path = work.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(work.path())).with_context(failed)?;
        fs::write(&path, content).with_context(failed)?;
    }
    if exists {
        move_up(work.path(), folder, files).with_context(failed)
    } else {
        fs::rename(work.path(), folder).with_context(failed)
    }
}

/// Whether there is such a folder; an error, if something is in it.
fn is_free(folder: &Path) -> anyhow::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let entries =
        entries.map_err(|error| Usage(format!("{}: {error}; name a new or empty folder", folder.display())))?;
    let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).filter(|name| name != REPOSITORY).collect();
    names.sort();
    match names.first() {
        None => Ok(true),
        Some(name) => {
            let (folder, name) = (folder.display(), name.display());
            Err(Usage(format!("{folder}: not empty, there is `{name}`; name a new or empty folder")).into())
        }
    }
}

/// Renames what was made into the folder that it is for; what was renamed already goes again if something cannot be.
fn move_up(work: &Path, folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let tops: BTreeSet<&str> = files.keys().map(|path| path.split('/').next().unwrap_or(path)).collect();
    let mut moved: Vec<&str> = Vec::new();
    for top in tops {
        if let Err(error) = fs::rename(work.join(top), folder.join(top)) {
            for top in moved {
                let _ = fs::rename(folder.join(top), work.join(top));
            }
            return Err(error);
        }
        moved.push(top);
    }
    Ok(())
}
