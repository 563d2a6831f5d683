//! Preload archives: container images of one layer, made out of a component's files.

use std::collections::BTreeMap;

use anyhow::Context;
use orlop_config::definition::PreloadImage;

use crate::formats::oci;
use crate::sources::{Produced, ProducedKind};
use crate::tree;

/// Makes the OCI archive of one image.
pub fn archive(
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
    let image = oci::Image { reference, files: &files, entrypoint: &image.entrypoint, user: &image.user, epoch };
    oci::archive(&image).with_context(|| format!("preload.\"{reference}\""))
}
