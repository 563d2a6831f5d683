//! The UKI: systemd's stub with kernel, command line, initramfs and release information as sections
//! (UAPI.5; section rules in `formats::pe`).

use anyhow::Context;
use orlop_config::definition::Definition;
use orlop_config::render;

use crate::formats::pe;
use crate::sources::{Produced, ProducedKind};
use crate::tree;

/// Where systemd-boot's package has the stub.
const STUB: &str = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";

/// Makes the UKI.
pub fn make(definition: &Definition, kernel: &Produced, stub: &Produced, initramfs: &[u8]) -> anyhow::Result<Vec<u8>> {
    let linux = kernel_image(kernel)?;
    let stub = stub.files.get(STUB).with_context(|| format!("component `{}` has no {STUB}", definition.stub))?;
    let stub = tree::read_produced(stub)?;
    let uname = pe::kernel_release(&linux).context("the kernel image has no version text")?;
    let sections = [
        pe::NewSection::data(".osrel", render::os_release(definition).into_bytes()),
        pe::NewSection::data(".cmdline", render::command_line(definition).into_bytes()),
        pe::NewSection::data(".uname", uname.into_bytes()),
        pe::NewSection::data(".initrd", initramfs.to_vec()),
        pe::NewSection::kernel(linux)?,
    ];
    pe::add_sections(&stub, &sections).context("the UKI")
}

/// The one `boot/vmlinuz-*` of the kernel component.
fn kernel_image(kernel: &Produced) -> anyhow::Result<Vec<u8>> {
    let mut images = kernel
        .files
        .iter()
        .filter(|(path, file)| path.starts_with("boot/vmlinuz-") && matches!(file.kind, ProducedKind::File { .. }));
    let (_, file) = images.next().context("the kernel component has no boot/vmlinuz-*")?;
    Ok(tree::read_produced(file)?)
}
