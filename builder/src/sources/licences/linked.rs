//! Libraries that are linked in: of C out of their source archives, and what toolchains bring along.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use orlop_config::definition::Source;

use super::super::error::{At, Error};
use super::super::{unpack, zig};
use super::{Collecting, Owner, Texts, files};

/// The lockfile's names of the C compiler and of libraries.
const ZIG: &str = "toolchain.zig";
const LIBRARY: &str = "library.";
/// Where the C compiler's wheel has the licence of the libc that it links in.
const MUSL: &str = "ziglang/lib/libc/musl/COPYRIGHT";

impl Collecting<'_> {
    pub(super) fn linked(&mut self) -> Result<(), Error> {
        let definition = self.definition;
        for (component, one) in &definition.components {
            match &one.source {
                Source::Go(go) => {
                    let Some(cgo) = &go.cgo else { continue };
                    for library in &cgo.libraries {
                        self.library(component, library)?;
                    }
                    self.musl(component)?;
                }
                Source::Workspace(_) => {
                    self.musl(component)?;
                    // Its release is the toolchain's, and its texts are not in what rustup installs for every machine.
                    self.add((Owner::Library, "rust", ""), component, || Ok(Texts::new()))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn library(&mut self, component: &str, library: &str) -> Result<(), Error> {
        let name = format!("{LIBRARY}{library}");
        let (bench, lockfile) = (self.bench, self.lockfile);
        let input = bench.input(lockfile, &name)?;
        self.add((Owner::Library, library, &input.version), component, || {
            of_archive(&bench.archive_blob(lockfile, &name)?)
        })
    }

    /// Rust's own copy of it has no text beside it; the C compiler's has, where the image has anything of C.
    fn musl(&mut self, component: &str) -> Result<(), Error> {
        let (bench, lockfile) = (self.bench, self.lockfile);
        self.add((Owner::Library, "musl", ""), component, || match lockfile.inputs.get(ZIG) {
            Some(input) => of_wheel(&bench.blob(ZIG, input, |bench| zig::fetch(bench, input))?, MUSL),
            None => Ok(Texts::new()),
        })
    }
}

/// The texts in the one folder of a source archive.
fn of_archive(archive: &Path) -> Result<Texts, Error> {
    let what = archive.display().to_string();
    let mut texts = Texts::new();
    let mut tar = tar::Archive::new(unpack::decompress(File::open(archive).at(&what)?, &what)?);
    for entry in tar.entries().at(&what)? {
        let entry = entry.at(&what)?;
        let path = entry.path().at(&what)?.to_string_lossy().into_owned();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let [_, name] = parts[..] else { continue };
        if entry.header().entry_type().is_file() && files::is_text(name) {
            let name = name.to_owned();
            texts.insert(name, read(entry, &what)?);
        }
    }
    Ok(texts)
}

/// One text of a wheel. A compiler of another version may have it elsewhere: then there is none.
fn of_wheel(wheel: &Path, member: &str) -> Result<Texts, Error> {
    let what = wheel.display().to_string();
    let bad = |error: zip::result::ZipError| Error::format(&what, error);
    let mut zip = zip::ZipArchive::new(BufReader::new(File::open(wheel).at(&what)?)).map_err(bad)?;
    let Some(index) = zip.index_for_name(member) else { return Ok(Texts::new()) };
    let file = zip.by_index(index).map_err(bad)?;
    Ok([(member.rsplit('/').next().unwrap_or(member).to_owned(), read(file, &what)?)].into())
}

/// A text out of an archive: whole, or an error.
pub(super) fn read(from: impl Read, what: &str) -> Result<String, Error> {
    let mut bytes = Vec::new();
    from.take(files::MOST + 1).read_to_end(&mut bytes).at(what)?;
    if bytes.len() as u64 > files::MOST {
        let reason = format!("a licence text in it has more bytes than any has ({})", files::MOST);
        return Err(Error::format(what, reason));
    }
    Ok(files::text(&bytes))
}
