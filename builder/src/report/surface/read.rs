//! Reads the numbers out of an image, or out of the document that lay beside one.

use std::path::Path;

use anyhow::Context;
use orlop_chain::{Refusal, Stage};

use crate::bounded::read_at_most;
use crate::formats::erofs::{self, Kind};
use crate::image::opened::{Opened, components};
use crate::surface::{self, Facts, HEAD, RootFile, Surface};

/// The numbers of a disk image, counted; or, of a file that ends in `.json`, those that it says (`NAME.surface.json`), so that a
/// previous image need not be kept. Nothing is verified (`orlop verify` does that).
pub fn read(path: &Path) -> anyhow::Result<Surface> {
    if path.extension().is_some_and(|end| end == "json") {
        return document(path);
    }
    of(&Opened::open(path)?)
}

/// The numbers of a disk image that is open.
pub fn of(opened: &Opened) -> anyhow::Result<Surface> {
    let mut content = opened.root()?;
    let components = components(&mut content)?;
    let mut files = Vec::new();
    for entry in erofs::list(&mut content).map_err(|error| Refusal::new(Stage::Root, error))? {
        if entry.kind != Kind::File {
            continue;
        }
        let head = erofs::head(&mut content, &entry.path, HEAD);
        let head = head.map_err(|error| Refusal::new(Stage::Root, format!("{}: {error}", entry.path)))?;
        let erofs::FileEntry { path, mode, size, capabilities, .. } = entry;
        files.push(RootFile { path, mode, size, capabilities, head });
    }
    surface::count(&Facts { boot: &opened.boot, components: &components, files: &files, uki: &opened.uki.bytes })
}

fn document(path: &Path) -> anyhow::Result<Surface> {
    /// More than the longest document has.
    const MOST: u64 = 8 << 20;
    surface::parse(&read_at_most(path, MOST)?).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::{render, sample};

    #[test]
    fn a_document_stands_for_its_image() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.surface.json");
        std::fs::write(&path, render(&sample::surface())).unwrap();
        assert_eq!(read(&path).unwrap(), sample::surface());
        std::fs::write(&path, "{}").unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("sample.surface.json: not a document of surface numbers"), "{error}");
        let error = format!("{:#}", read(&folder.path().join("missing.json")).unwrap_err());
        assert!(error.contains("missing.json: cannot be opened: No such file"), "{error}");
    }
}
