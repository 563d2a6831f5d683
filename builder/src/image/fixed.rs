//! What the root says of the flaws that Debian mended in its kernel by patches of its own.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, ensure};
use flate2::read::MultiGzDecoder;
use orlop_config::definition::{Definition, Source};

use super::root::json_line;
use crate::sources::{Produced, changelog};
use crate::tree::{Fixed, read_produced};

/// No changelog is longer; the kernel's has 4 MB.
const MOST: u64 = 64 << 20;

/// The document, out of the changelog of the kernel's package; `None` where the kernel is no Debian package, or one
/// without a changelog: then nothing is known to be mended.
pub fn document(definition: &Definition, produced: &BTreeMap<String, Produced>) -> anyhow::Result<Option<Vec<u8>>> {
    let name = &definition.kernel.component;
    let is_deb = definition.components.get(name).is_some_and(|of| matches!(of.source, Source::Deb(_)));
    let Some(kernel) = produced.get(name).filter(|_| is_deb) else { return Ok(None) };
    let Some((path, file)) = kernel.files.iter().find(|(path, _)| changelog::is_changelog(path)) else {
        return Ok(None);
    };
    let mut text = Vec::new();
    let packed = read_produced(file)?;
    let of = || format!("component `{name}`: {path}");
    MultiGzDecoder::new(&packed[..]).take(MOST + 1).read_to_end(&mut text).with_context(of)?;
    ensure!(text.len() as u64 <= MOST, "{}: more than {MOST} bytes; no changelog is that long", of());
    let fixed = changelog::fixed(&String::from_utf8_lossy(&text));
    json_line(&Fixed::of(name, fixed)).map(Some)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::sources::{ProducedFile, ProducedKind, Project, hash};

    const PATH: &str = "usr/share/doc/linux-image-6.12.117+deb13-cloud-amd64/changelog.gz";

    /// A kernel's package whose changelog, packed, has these bytes.
    fn kernel(folder: &Path, packed: &[u8]) -> BTreeMap<String, Produced> {
        let path = folder.join("changelog.gz");
        std::fs::write(&path, packed).unwrap();
        let kind = ProducedKind::File { size: packed.len() as u64, sha256: hash(packed), executable: false };
        let files = BTreeMap::from([(PATH.to_owned(), ProducedFile { path, kind })]);
        BTreeMap::from([("kernel".to_owned(), Produced { files, ..Produced::default() })])
    }

    #[test]
    fn a_debian_kernels_changelog_is_in_the_root_by_what_it_fixed() {
        let project = Project::load(Path::new("orlop:standalone")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(include_bytes!("../sources/deb/testdata/changelog")).unwrap();
        let packed = packed.finish().unwrap();
        let of = |produced: &BTreeMap<String, Produced>| document(project.definition(), produced);
        let json = of(&kernel(folder.path(), &packed)).unwrap().unwrap();
        assert_eq!(Fixed::parse(&json).unwrap().by_flaw()["kernel"]["CVE-2026-43494"], "6.12.90-2");
        // A package without one says nothing; one that is damaged is an error, and not "nothing was fixed".
        let without = BTreeMap::from([("kernel".to_owned(), Produced::default())]);
        assert_eq!(of(&without).unwrap(), None);
        let error = format!("{:#}", of(&kernel(folder.path(), &packed[..packed.len() / 2])).unwrap_err());
        assert!(error.contains(&format!("component `kernel`: {PATH}")), "{error}");
    }
}
