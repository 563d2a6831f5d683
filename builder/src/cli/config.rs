//! `orlop config`: what a machine is told at boot, checked and rendered before it is shipped.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use orlop_config::Mistake;
use orlop_config::definition::NodeConfigTable;
use orlop_config::firewall::Openings;
use orlop_config::node::{Allowance, NodeSettings};
use orlop_config::node_config::{LARGEST, NodeConfig, Problems};
use orlop_config::render::{self, Facts, Rendered};
use serde::Serialize;

use super::{Context, Usage, write_with_mode};
use crate::sources::{Project, Report as _};

/// Check what a machine will be told at boot, and show what its programs get from it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop config check node.toml --definition orlop:cluster")]
pub struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check a node config by the code that reads it at boot. Exit status 2 names file, line, column and key.
    #[command(after_help = "Example:\n  orlop config check node.toml --definition orlop:cluster")]
    Check(Document),
    /// Print what kubelet, containerd and the host get from a node config.
    #[command(after_help = "Example:\n  orlop config render node.toml --definition orlop:cluster --out rendered")]
    Render(RenderArgs),
}

#[derive(Debug, Args)]
struct Document {
    /// The node config.
    file: PathBuf,
    /// The definition of the image that will read it: its class, and what it allows. Without one, all is allowed.
    #[arg(long, value_name = "DEF")]
    definition: Option<PathBuf>,
    /// It is for a machine that joined before, and needs neither token nor client certificate.
    #[arg(long)]
    joined: bool,
}

#[derive(Debug, Args)]
struct RenderArgs {
    #[command(flatten)]
    document: Document,
    /// Write the files below this folder instead of printing them.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Show tokens, keys and passwords, which are masked otherwise. Static pods' manifests are shown as they are anyhow.
    #[arg(long)]
    show_secrets: bool,
}

/// Runs the verb.
pub fn run(args: &ConfigArgs, context: &Context) -> anyhow::Result<()> {
    match &args.verb {
        Verb::Check(document) => check(document, context),
        Verb::Render(args) => render(args, context),
    }
}

/// A node config that was checked, and against what.
#[derive(Serialize)]
struct Checked<'a> {
    file: &'a Path,
    definition: Option<&'a Path>,
    mistakes: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    line: usize,
    column: usize,
    key: Option<&'a str>,
    message: &'a str,
    next: Option<&'a str>,
}

impl<'a> From<&'a Mistake> for Place<'a> {
    fn from(Mistake { line, column, key, message, next, .. }: &'a Mistake) -> Self {
        Place { line: *line, column: *column, key: key.as_deref(), message, next: next.as_deref() }
    }
}

fn check(document: &Document, context: &Context) -> anyhow::Result<()> {
    let settings = settings(document)?;
    let parsed = parse(document, &settings)?;
    let mistakes = parsed.as_ref().err().map(|problems| problems.0.iter().map(Place::from).collect());
    let mistakes = mistakes.unwrap_or_default();
    let checked = Checked { file: &document.file, definition: document.definition.as_deref(), mistakes };
    match &parsed {
        Ok(config) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
            for ended in config.ended_certificates(now) {
                context.progress.note(&format!("{}: {ended}", document.file.display()));
            }
            let against = match &document.definition {
                Some(definition) => format!("{} takes it", definition.display()),
                None => "sound; name the image's definition to see whether that allows it".into(),
            };
            context.result(&checked, &format!("{}: {against}", document.file.display()))?;
        }
        // People read the error.
        Err(_) => context.result(&checked, "")?,
    }
    Ok(parsed.map(drop)?)
}

fn render(args: &RenderArgs, context: &Context) -> anyhow::Result<()> {
    let settings = settings(&args.document)?;
    let config = parse(&args.document, &settings)??;
    let config = if args.show_secrets { config } else { config.masked() };
    // What only the running machine knows. Its addresses stand in /etc/hosts where it has no default route.
    let facts = Facts { hostname: "orlop-00000000".into(), addresses: Vec::new() };
    let rendered = render::cluster(&settings, &config, &facts);
    if let Some(out) = &args.out {
        write(&rendered, out)?;
    }
    let firewall = firewall_rules(&settings, &config);
    let shown = text(&rendered, &firewall, args.out.as_deref());
    context.result(&Answer::new(&rendered, &firewall), &shown)
}

/// The rules of the host's firewall, each behind the name of its chain, as `nft` writes them.
fn firewall_rules(settings: &NodeSettings, config: &NodeConfig) -> Vec<String> {
    let openings = settings.node_config.as_ref().map(|policy| policy.firewall.clone()).unwrap_or_default();
    config.firewall(&openings).iter().map(|rule| format!("{}: {rule}", rule.chain.name())).collect()
}

/// What the image says of itself to the node; without a definition, an image that allows everything.
fn settings(document: &Document) -> anyhow::Result<NodeSettings> {
    let Some(path) = &document.definition else {
        let mut definition = Project::load(Path::new("orlop:node"))?.definition().clone();
        use Allowance::{ExtraCas, PlainHttpMirrors, RegistryMirrors, StaticPods};
        let allow = vec![StaticPods, ExtraCas, RegistryMirrors, PlainHttpMirrors];
        definition.node_config = Some(NodeConfigTable { providers: Vec::new(), allow, firewall: Openings::default() });
        let mut settings = render::node_settings(&definition);
        if let Some(policy) = &mut settings.node_config {
            policy.class.clear();
        }
        return Ok(settings);
    };
    let settings = render::node_settings(Project::load(path)?.definition());
    if settings.node_config.is_none() {
        let next = "add a table `[node_config]` to it, or name the definition of a cluster's image";
        return Err(Usage(format!("{}: its image takes no node config; {next}", path.display())).into());
    }
    Ok(settings)
}

/// The document, or what is wrong with it; the outer error is that there is none.
fn parse(document: &Document, settings: &NodeSettings) -> anyhow::Result<Result<NodeConfig, Problems>> {
    let name = document.file.display().to_string();
    let mut bytes = Vec::new();
    let read = File::open(&document.file).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Usage(format!("{name}: {error}; name a node config, as docs/node-config.md describes it")))?;
    let mut policy = settings.node_config.clone().unwrap_or_default();
    policy.has_certificate = document.joined;
    Ok(NodeConfig::parse(&bytes, &name, &policy))
}

/// The files, each below a folder as it lies below `/` on the node.
fn write(rendered: &Rendered, out: &Path) -> anyhow::Result<()> {
    for file in &rendered.files {
        let path = out.join(file.path.trim_start_matches('/'));
        let folder = path.parent().unwrap_or(out);
        fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        write_with_mode(&path, &file.bytes, file.mode)?;
    }
    Ok(())
}

/// What is rendered, as a document.
#[derive(Serialize)]
struct Answer<'a> {
    hostname: &'a str,
    files: Vec<TextFile<'a>>,
    kubelet: &'a [String],
    environment: &'a [(String, String)],
    sysctls: &'a [(String, String)],
    firewall: &'a [String],
}

#[derive(Serialize)]
struct TextFile<'a> {
    path: &'a str,
    mode: String,
    text: String,
}

impl<'a> Answer<'a> {
    fn new(rendered: &'a Rendered, firewall: &'a [String]) -> Self {
        let files = rendered.files.iter().map(|file| TextFile {
            path: &file.path,
            mode: format!("{:04o}", file.mode),
            text: String::from_utf8_lossy(&file.bytes).into_owned(),
        });
        let Rendered { hostname, kubelet, environment, sysctls, .. } = rendered;
        Answer { hostname, files: files.collect(), kubelet, environment, sysctls, firewall }
    }
}

fn text(rendered: &Rendered, firewall: &[String], out: Option<&Path>) -> String {
    let mut text = String::new();
    for file in &rendered.files {
        let content = String::from_utf8_lossy(&file.bytes);
        match out {
            Some(out) => text.push_str(&format!("{}\n", out.join(file.path.trim_start_matches('/')).display())),
            None => text.push_str(&format!("# {} {:04o}\n{}\n\n", file.path, file.mode, content.trim_end())),
        }
    }
    if out.is_some() {
        text.push('\n');
    }
    let pairs = |pairs: &[(String, String)]| pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    for (what, lines) in [
        ("kubelet", rendered.kubelet.iter().map(|argument| format!("{argument}\n")).collect::<String>()),
        ("environment of containerd and kubelet", pairs(&rendered.environment)),
        ("sysctls", pairs(&rendered.sysctls)),
        ("firewall", firewall.iter().map(|rule| format!("{rule}\n")).collect()),
    ] {
        text.push_str(&format!("# {what}\n{lines}\n"));
    }
    text
}
