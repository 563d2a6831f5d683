//! The root: components and rendered files → tree → EROFS → verity tree.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use orlop_chain::RootHash;
use orlop_config::definition::{Definition, Erofs};
use orlop_config::node::{
    COMPONENTS, FIXED, IPE_POLICY, NODE_SETTINGS, PRELOAD, ROOT_MODULES, STATE_TEMPLATE, STATIC_PODS, preload_file,
};
use orlop_config::render;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::inputs::Inputs;
use super::{credentials, fixed, preload, records};
use crate::formats::verity;
use crate::sources::{Bench, Key, Produced, ProducedKind, Tool, Tools, hash_file};
use crate::tree::{self, Components, Content, ModuleWaves, Node, Tree};

/// Folders that are mount points or filled at boot.
const EMPTY_FOLDERS: &[&str] =
    &["/dev", "/etc/cni/net.d", "/opt/cni/bin", "/proc", "/root", "/run", "/sys", "/tmp", "/var"];
/// Files that init renders at each boot, as links to where it renders them.
const RENDERED_AT_BOOT: &[&str] = &["hostname", "hosts", "machine-id", "resolv.conf"];
/// What others look for where it is not, as links. A cluster's DaemonSets (kube-proxy, CNIs, storage drivers) mount the
/// host's `/lib/modules` whether or not they load any, and containerd cannot make a folder in this root: without it they
/// never start. The kernel starts `/sbin/poweroff` and `/sbin/reboot` (`kernel/reboot.c`) when Hyper-V or Xen ask for it.
const LINKS: &[(&str, &str)] = &[("/lib", "usr/lib"), ("/sbin", "usr/sbin")];
/// Counted up when the way an image is made of a tree changes.
const RECIPE: u32 = 3;

/// The root as a tree, before it is an image.
pub struct PlannedRoot {
    /// The tree.
    pub tree: Tree,
    /// Its kernel modules, and the initramfs's.
    pub modules: ModuleWaves,
    /// What it says of its components.
    pub components: Components,
}

/// A root image and its verity tree, in the cache.
#[derive(Debug, Clone)]
pub struct RootImage {
    /// The EROFS image, padded to 4096 bytes.
    pub image: PathBuf,
    /// Superblock and tree, as the verity partition begins.
    pub verity: PathBuf,
    /// What is known of both.
    pub facts: RootFacts,
}

/// What is known of a root image.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootFacts {
    /// SHA-256 of the root image.
    pub root_sha256: String,
    /// Bytes of the root image.
    pub root_bytes: u64,
    /// SHA-256 of superblock and tree.
    pub verity_sha256: String,
    /// Bytes of superblock and tree.
    pub verity_bytes: u64,
    /// What the boot manifest says of them.
    pub verity: orlop_config::manifest::Verity,
}

impl RootFacts {
    /// The root hash.
    pub fn root_hash(&self) -> anyhow::Result<RootHash> {
        Ok(self.verity.root_hash.parse()?)
    }
}

/// Makes the tree: what components install, kernel modules, rendered configuration, the signed IPE policy, preload archives.
pub fn plan(
    inputs: &Inputs,
    produced: &BTreeMap<String, Produced>,
    template: &super::state::Template,
    policy: Vec<u8>,
) -> anyhow::Result<PlannedRoot> {
    let definition = inputs.project.definition();
    let epoch = inputs.epoch()?;
    let mut root = Tree::default();
    // First: a component that installs below one of them is told so by its name.
    for (path, target) in LINKS {
        root.insert(path, tree::IMAGE, Node::Link { target: (*target).to_owned() })?;
    }
    tree::collect(&mut root, definition, produced)?;
    let modules = insert_modules(&mut root, definition, produced)?;
    insert_rendered(&mut root, inputs)?;
    root.insert_rendered(IPE_POLICY, policy)?;
    root.insert(STATE_TEMPLATE, tree::IMAGE, Node::File { mode: 0o644, content: template.content.clone() })?;
    let mut made_of = BTreeMap::new();
    for (reference, image) in &definition.preload {
        let content = preload::content(definition, (reference, image), produced, epoch)?;
        let path = format!("{PRELOAD}/{}", preload_file(reference));
        root.insert(&path, tree::IMAGE, Node::File { mode: 0o644, content })?;
        made_of.insert(path, image.component.clone());
    }
    credentials::insert(&mut root, definition)?;
    if let Some(document) = fixed::document(definition, produced)? {
        root.insert_rendered(FIXED, document)?;
    }
    for folder in EMPTY_FOLDERS {
        root.insert(folder, tree::IMAGE, Node::Folder { mode: 0o755 })?;
    }
    let components = tree::components(&root, records::records(inputs, produced)?, &made_of);
    root.insert_rendered(COMPONENTS, json_line(&components)?)?;
    let findings = tree::audit(&root, definition)?;
    if !findings.is_empty() {
        let list: Vec<_> = findings.iter().map(|finding| format!("\n  {finding}")).collect();
        bail!("the root holds what it must not:{}", list.concat());
    }
    Ok(PlannedRoot { tree: root, modules, components })
}

fn insert_modules(
    root: &mut Tree,
    definition: &Definition,
    produced: &BTreeMap<String, Produced>,
) -> anyhow::Result<ModuleWaves> {
    let name = &definition.kernel.component;
    let kernel = produced.get(name).with_context(|| format!("kernel.component: no component `{name}`"))?;
    let modules = tree::waves(&definition.kernel.modules, kernel)?;
    let lists = [&modules.root.first, &modules.root.later, &modules.root.by_alias];
    for module in lists.into_iter().flatten() {
        let file = &kernel.files[&modules.files[&module.name]];
        let ProducedKind::File { size, sha256, .. } = &file.kind else {
            bail!("kernel module `{}`: {} is a link where a file is needed", module.name, file.path.display());
        };
        let content = Content::Cached { path: file.path.clone(), size: *size, sha256: sha256.clone() };
        root.insert(&module.path, name, Node::File { mode: 0o644, content })?;
    }
    root.insert_rendered(ROOT_MODULES, json_line(&modules.root)?)?;
    Ok(modules)
}

fn insert_rendered(root: &mut Tree, inputs: &Inputs) -> anyhow::Result<()> {
    let definition = inputs.project.definition();
    for (path, text) in texts(definition) {
        root.insert_rendered(path, text)?;
    }
    for folder in render::TMPFS_FOLDERS.iter().filter(|_| definition.node_config.is_some()) {
        root.insert(folder, tree::IMAGE, Node::Folder { mode: 0o755 })?;
    }
    root.insert_rendered(NODE_SETTINGS, json_line(&render::node_settings(definition))?)?;
    for (pod, manifest) in &inputs.static_pods {
        root.insert_rendered(&format!("{}/{pod}.yaml", STATIC_PODS), manifest.clone())?;
    }
    for name in RENDERED_AT_BOOT {
        root.insert(&format!("/etc/{name}"), tree::IMAGE, Node::Link { target: format!("../run/etc/{name}") })?;
    }
    Ok(())
}

/// Path → text. A cluster brings its own network, and its node gets kubelet's configuration at boot.
fn texts(definition: &Definition) -> Vec<(&'static str, String)> {
    let mut texts = vec![
        ("/etc/group", render::group()),
        ("/etc/os-release", render::os_release(definition)),
        ("/etc/passwd", render::passwd()),
        (render::CONTAINERD_CONFIG, render::containerd()),
    ];
    if definition.node_config.is_none() {
        texts.extend([(render::KUBELET_CONFIG, render::kubelet()), (render::CNI_CONFIG, render::cni())]);
    }
    texts
}

/// A document as one line of JSON.
pub fn json_line(document: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Makes the image of a tree and the verity tree over it, or finds them in the cache.
pub fn write(root: &Tree, erofs: &Erofs, epoch: u64, bench: &Bench<'_>, tools: &Tools) -> anyhow::Result<RootImage> {
    let digest = tree::digest(root, epoch);
    let settings = format!("{} {}", erofs.compression, erofs.cluster_kib);
    let key = Key::new("root", RECIPE, &[&digest, &settings, &tools.erofs.key]);
    let folder = bench.cache.result(&key, |folder| {
        let maker = Maker { root, erofs, epoch, digest: &digest, mkfs: &tools.erofs, jobs: bench.jobs, folder };
        maker.make().map_err(|error| crate::sources::Error::Unresolved(format!("{error:#}")))
    })?;
    let path = folder.join("facts.json");
    let again = || format!("{}: delete {}, and the next build makes it again", path.display(), folder.display());
    let facts = serde_json::from_slice(&fs::read(&path).with_context(again)?).with_context(again)?;
    Ok(RootImage { image: folder.join("root.erofs"), verity: folder.join("root.verity"), facts })
}

/// What `orlop inspect` and `orlop verify` read out of an image lies there as it is: pattern → clusters of 0 blocks.
fn compression_hints() -> String {
    let plain = |path: &str| format!("0 ^/?{}$\n", path.trim_start_matches('/'));
    [COMPONENTS, IPE_POLICY].map(plain).concat()
}

/// What an image is made of, and where.
struct Maker<'a> {
    root: &'a Tree,
    erofs: &'a Erofs,
    epoch: u64,
    digest: &'a str,
    mkfs: &'a Tool,
    /// How many threads may work; what they make does not depend on it.
    jobs: usize,
    folder: &'a Path,
}

impl Maker<'_> {
    fn make(&self) -> anyhow::Result<()> {
        let (image, archive) = (self.folder.join("root.erofs"), self.folder.join("root.tar"));
        let tar = File::create(&archive).with_context(no_room(&archive))?;
        tree::write_tar(self.root, self.epoch, std::io::BufWriter::new(tar)).with_context(no_room(&archive))?;
        self.run_mkfs(&archive, &image)?;
        fs::remove_file(&archive).with_context(no_room(&archive))?;
        let file = File::options().write(true).open(&image).with_context(no_room(&image))?;
        let bytes = file.metadata()?.len().next_multiple_of(orlop_chain::verity::BLOCK as u64);
        file.set_len(bytes).with_context(no_room(&image))?;
        let facts = self.make_verity(&image)?;
        let path = self.folder.join("facts.json");
        fs::write(&path, serde_json::to_vec(&facts)?).with_context(no_room(&path))
    }

    fn run_mkfs(&self, archive: &Path, image: &Path) -> anyhow::Result<()> {
        let hints = image.with_extension("hints");
        fs::write(&hints, compression_hints()).with_context(no_room(&hints))?;
        let mut command = self.mkfs.command("mkfs.erofs");
        command
            .arg("--quiet")
            .arg("--tar=f")
            .arg(format!("--workers={}", self.jobs))
            .arg(format!("-z{}", self.erofs.compression))
            .arg(format!("-C{}", u64::from(self.erofs.cluster_kib) * 1024))
            .arg(format!("--compress-hints={}", hints.display()))
            .arg(format!("-T{}", self.epoch))
            .arg(format!("-U{}", derived_uuid("orlop-erofs-uuid-v1", self.digest)))
            .arg(image)
            .arg(archive);
        let output = command.output().context("mkfs.erofs cannot be started")?;
        fs::remove_file(&hints).with_context(no_room(&hints))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let tail: Vec<_> = text.lines().rev().take(8).collect();
            let tail = tail.into_iter().rev().collect::<Vec<_>>().join("; ");
            return Err(anyhow::anyhow!("mkfs.erofs: {}: {tail}", output.status)).with_context(no_room(image));
        }
        Ok(())
    }

    /// The verity tree, with salt and UUID derived from the image, so that the same root has the same hash.
    fn make_verity(&self, image: &Path) -> anyhow::Result<RootFacts> {
        let root_sha256 = hash_file(image)?;
        let salt = Sha256::new().chain_update(b"orlop-verity-salt-v1\0").chain_update(&root_sha256).finalize();
        let uuid = derived_uuid("orlop-verity-uuid-v1", &root_sha256);
        let data = File::open(image)?;
        let output = self.folder.join("root.verity");
        let tree = File::create(&output).with_context(no_room(&output))?;
        let verity = verity::build_with_threads(&data, &tree, (&salt.into(), &uuid), self.jobs);
        Ok(RootFacts {
            root_sha256,
            root_bytes: data.metadata()?.len(),
            verity: verity.with_context(no_room(&output))?,
            verity_sha256: hash_file(&output)?,
            verity_bytes: tree.metadata()?.len(),
        })
    }
}

/// What to say when a file of the cache cannot be made.
fn no_room(path: &Path) -> impl Fn() -> String {
    let path = path.display().to_string();
    move || {
        format!("{path}: cannot be made; if there is no room, make some, or name a folder elsewhere with ORLOP_CACHE")
    }
}

fn derived_uuid(domain: &str, of: &str) -> String {
    let digest = Sha256::new().chain_update(domain).chain_update(b"\0").chain_update(of).finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(half).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Project;

    #[test]
    fn a_clusters_image_has_no_configuration_of_a_node_without_one() {
        for (name, count) in [("orlop:standalone", 2), ("orlop:cluster", 0)] {
            let project = Project::load(Path::new(name)).expect("shipped");
            let texts = texts(project.definition());
            let alone = [render::KUBELET_CONFIG, render::CNI_CONFIG];
            assert_eq!(texts.iter().filter(|(path, _)| alone.contains(path)).count(), count, "{name}");
            assert!(texts.iter().any(|(path, _)| *path == render::CONTAINERD_CONFIG), "{name}");
        }
    }
}
