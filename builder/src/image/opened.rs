//! An image that is open, with what all who read it begin with: its UKI, its boot manifest, its root. Nothing is verified.

use std::fs::File;
use std::path::Path;

use orlop_chain::device::{ReadAt, Region};
use orlop_chain::gpt::types;
use orlop_chain::{Refusal, RootHash, Stage, manifest};
use orlop_config::manifest::BootManifest;
use orlop_config::node::COMPONENTS;

use super::open::{Cursor, Image, Uki};
use crate::formats::erofs;
use crate::tree::Components;

/// An image that is open.
#[derive(Debug)]
pub struct Opened {
    /// The disk.
    pub image: Image,
    /// The UKI on its ESP.
    pub uki: Uki,
    /// The boot manifest in the UKI's initramfs.
    pub boot: BootManifest,
    /// The root hash that it names.
    pub root_hash: RootHash,
}

impl Opened {
    /// Opens a disk image.
    pub fn open(path: &Path) -> anyhow::Result<Opened> {
        let image = Image::open(path)?;
        let uki = image.uki()?;
        let boot = manifest::parse_boot(&uki.boot_manifest()?).map_err(|error| Refusal::new(Stage::Manifest, error))?;
        let root_hash: RootHash = boot.verity.root_hash.parse()?;
        Ok(Opened { image, uki, boot, root_hash })
    }

    /// The root that the boot manifest names, as a stream.
    pub fn root(&self) -> Result<Cursor<Region<&File>>, Refusal> {
        root(&self.image, &self.root_hash)
    }
}

/// What the root says of its components.
pub fn components(root: &mut Cursor<impl ReadAt>) -> Result<Components, Refusal> {
    let document = erofs::read(root, COMPONENTS).map_err(|error| Refusal::new(Stage::Root, error))?;
    serde_json::from_slice(&document).map_err(|error| Refusal::new(Stage::Root, format!("{COMPONENTS}: {error}")))
}

/// The root that has this hash.
pub(super) fn root<'a>(image: &'a Image, root_hash: &RootHash) -> Result<Cursor<Region<&'a File>>, Refusal> {
    let guid = root_hash.root_guid();
    let entry = image.table.gpt.of_type(types::ROOT_X86_64).find(|entry| entry.guid == guid);
    let entry = entry.ok_or_else(|| Refusal::new(Stage::Disk, format!("no root partition with UUID {guid}")))?;
    Ok(Cursor::new(image.region(entry)))
}
