//! Preload archives: container images of one layer, made out of a component's files, or of a registry's image.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use orlop_config::definition::{Definition, PreloadImage, Source};

use crate::formats::oci;
use crate::sources::{OCI_ARCHIVE, Produced, ProducedKind};
use crate::tree::{self, Content};

/// The OCI archive of one image.
pub fn content(
    definition: &Definition,
    (reference, image): (&str, &PreloadImage),
    produced: &BTreeMap<String, Produced>,
    epoch: u64,
) -> anyhow::Result<Content> {
    let component = definition.components.get(&image.component);
    if !component.is_some_and(|component| matches!(component.source, Source::Oci(_))) {
        return archive(reference, image, produced, epoch).map(Content::Bytes);
    }
    let file = produced.get(&image.component).and_then(|component| component.files.get(OCI_ARCHIVE));
    match file.map(|file| (&file.path, &file.kind)) {
        Some((path, ProducedKind::File { size, sha256, .. })) => {
            Ok(Content::Cached { path: path.clone(), size: *size, sha256: sha256.clone() })
        }
        _ => bail!("preload.\"{reference}\": component `{}` yields no image", image.component),
    }
}

/// Makes the archive of a component's files.
fn archive(
    reference: &str,
    image: &PreloadImage,
    produced: &BTreeMap<String, Produced>,
    epoch: u64,
) -> anyhow::Result<Vec<u8>> {
    let component = produced
        .get(&image.component)
        .with_context(|| format!("preload.\"{reference}\": no component `{}`", image.component))?;
    let mut files = Vec::new();
    for (to, from) in &image.files {
        let file = component
            .files
            .get(from)
            .with_context(|| format!("preload.\"{reference}\": component `{}` yields no `{from}`", image.component))?;
        let executable = matches!(file.kind, ProducedKind::File { executable: true, .. });
        files.push(oci::LayerFile {
            path: to.clone(),
            mode: if executable { 0o755 } else { 0o644 },
            bytes: tree::read_produced(file)?,
        });
    }
    let image = oci::Image { reference, files: &files, entrypoint: &image.entrypoint, user: image.user(), epoch };
    oci::archive(&image).with_context(|| format!("preload.\"{reference}\""))
}
