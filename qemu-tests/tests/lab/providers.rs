//! Machines that are told who they are by strings of their SMBIOS, by a volume, by a file on their own ESP. All others of the
//! lab are told by `fw_cfg`; the clouds' metadata are in `clouds.rs`.

use std::ffi::OsStr;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orlop_machine::image::Image;
use orlop_machine::{Bus, Disk, Format, overlay, program, within};

use crate::joining::joined;
use crate::segment::{self, Node};

/// Characters of one string: a document is several of them.
const STRING: usize = 1000;

#[test]
fn a_machine_is_told_by_strings_of_its_smbios() -> Result<()> {
    let (mut node, document) = untold("told-by-smbios")?;
    let text = STANDARD.encode(document);
    let strings =
        text.as_bytes().chunks(STRING).map(|piece| format!("orlop.config={}", String::from_utf8_lossy(piece)));
    node.machine.smbios = strings.collect();
    ensure!(node.machine.smbios.len() > 1, "the document is one string: {text}");
    joins(&node, "smbios")
}

#[test]
fn a_machine_is_told_by_a_volume_of_vfat() -> Result<()> {
    let (mut node, document) = untold("told-by-nocloud")?;
    let folder = tempfile::tempdir()?;
    let (file, volume) = (folder.path().join("user-data"), folder.path().join("cidata.img"));
    std::fs::write(&file, document)?;
    // As large as a floppy disk.
    mtools("mformat", &["-C", "-f", "1440", "-v", "cidata", "-i"], &[volume.as_os_str(), "::".as_ref()])?;
    mtools("mcopy", &["-i"], &[volume.as_os_str(), file.as_os_str(), "::/user-data".as_ref()])?;
    node.machine.disks.push(Disk::image(&volume));
    joins(&node, "nocloud")
}

/// As hypervisors and management controllers attach it: by a CD-ROM.
#[test]
fn a_machine_is_told_by_a_volume_of_iso_9660() -> Result<()> {
    let (mut node, document) = untold("told-by-cdrom")?;
    let folder = tempfile::tempdir()?;
    let (file, volume) = (folder.path().join("user-data"), folder.path().join("cidata.iso"));
    std::fs::write(&file, document)?;
    let words = ["-quiet", "-volid", "cidata", "-joliet", "-rational-rock", "-output"].map(OsStr::new);
    program::run(("xorrisofs", "xorriso"), &[&words[..], &[volume.as_os_str(), file.as_os_str()]].concat())?;
    node.machine.disks.push(Disk::image(&volume).bus(Bus::Cdrom));
    joins(&node, "nocloud")
}

#[test]
fn a_machine_is_told_by_a_file_on_its_esp() -> Result<()> {
    let (mut node, document) = untold("told-by-esp")?;
    let folder = tempfile::tempdir()?;
    let (file, image) = (folder.path().join("config.toml"), folder.path().join("image.raw"));
    std::fs::write(&file, document)?;
    overlay::flatten(&segment::image()?, &image)?;
    // mtools' way to say where in a file a volume begins.
    let volume = format!("{}@@{}", image.display(), Image::open(&image)?.partition("esp")?.offset);
    mtools("mmd", &["-i", &volume, "::/EFI/orlop"], &[])?;
    mtools("mcopy", &["-i", &volume], &[file.as_os_str(), "::/EFI/orlop/config.toml".as_ref()])?;
    let disk = folder.path().join("disk.qcow2");
    overlay::create(&image, &disk, Some(4 << 30))?;
    node.machine.disks = vec![Disk::kept(disk, Format::Qcow2)];
    joins(&node, "esp")
}

/// A machine that finds no node config in `fw_cfg`, and the one that it is to find elsewhere.
fn untold(name: &str) -> Result<(Node, String)> {
    let segment = segment::segment()?;
    let mut node = segment.machine(name)?;
    node.machine.fw_cfg.clear();
    Ok((node, segment.node_config(name)?.text()))
}

fn mtools(name: &'static str, words: &[&str], files: &[&OsStr]) -> Result<()> {
    let words: Vec<&OsStr> = words.iter().map(OsStr::new).chain(files.iter().copied()).collect();
    Ok(program::run((name, "mtools"), &words)?)
}

/// Joins, says who told it, and leaves.
fn joins(node: &Node, provider: &str) -> Result<()> {
    let running = node.start()?;
    joined(&running, &node.name)?;
    let kubectl = &node.segment.kubectl;
    let (log, says) = (
        format!("/api/v1/nodes/{}/proxy/logs/net.log", node.name),
        format!("net: {provider}: gives the node config, "),
    );
    // kubelet shows its logs once its certificate is there.
    kubectl.until(&format!("`{says}` in the node's log"), within(180), |kubectl| {
        Ok(kubectl.run(&["get", "--raw", &log])?.contains(&says).then_some(()))
    })?;
    running.power_off(within(180))?;
    kubectl.run(&["delete", "node", &node.name])?;
    Ok(())
}
