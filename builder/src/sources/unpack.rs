//! Unpacking: `ar`, `tar` in its compressions, and `zip`, into a folder of the cache. Names are checked here, so
//! that no archive writes outside that folder; owners and times of an archive are not taken over.

use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use super::error::{At, Error};

/// How the parts of an archive that matter here are compressed, by the file's first bytes.
pub fn decompress<'a, R: Read + Seek + 'a>(mut from: R, what: &str) -> Result<Box<dyn Read + 'a>, Error> {
    let start = from.stream_position().at(what)?;
    let mut magic = [0; 6];
    let mut have = 0;
    while have < magic.len() {
        match from.read(&mut magic[have..]).at(what)? {
            0 => break,
            n => have += n,
        }
    }
    from.seek(SeekFrom::Start(start)).at(what)?;
    let from = BufReader::with_capacity(1 << 16, from);
    Ok(match &magic[..have] {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(from)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(lzma_rust2::XzReader::new(from, true)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(from);
            Box::new(decoder.map_err(|error| Error::format(what, error))?)
        }
        _ => Box::new(from),
    })
}

/// A member of an `ar` archive, as a reader over the archive (`deb(5)`: `debian-binary`, `control.tar`, `data.tar`).
pub fn ar_member<R: Read + Seek>(mut from: R, prefix: &str, what: &str) -> Result<Section<R>, Error> {
    let end = from.seek(SeekFrom::End(0)).at(what)?;
    from.seek(SeekFrom::Start(0)).at(what)?;
    let mut magic = [0; 8];
    from.read_exact(&mut magic).at(what)?;
    if &magic != b"!<arch>\n" {
        return Err(Error::format(what, "not an ar archive (offset 0)"));
    }
    let mut at = 8;
    while at + 60 <= end {
        from.seek(SeekFrom::Start(at)).at(what)?;
        let mut header = [0; 60];
        from.read_exact(&mut header).at(what)?;
        let bad = || Error::format(what, format!("no ar member at offset {at}"));
        let name = std::str::from_utf8(&header[..16]).map_err(|_| bad())?.trim_end();
        let size = std::str::from_utf8(&header[48..58]).map_err(|_| bad())?.trim_end();
        let size: u64 = size.parse().map_err(|_| bad())?;
        if &header[58..] != b"`\n" || size > end - at - 60 {
            return Err(bad());
        }
        if name.starts_with(prefix) {
            return Ok(Section { from, start: at + 60, size, position: 0 });
        }
        at += 60 + size + size % 2;
    }
    Err(Error::format(what, format!("holds no member `{prefix}…`")))
}

/// A part of a file.
#[derive(Debug)]
pub struct Section<R> {
    from: R,
    start: u64,
    size: u64,
    position: u64,
}

impl<R: Read + Seek> Read for Section<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.size - self.position).unwrap_or(usize::MAX).min(buffer.len());
        self.from.seek(SeekFrom::Start(self.start + self.position))?;
        let n = self.from.read(&mut buffer[..left])?;
        self.position += n as u64;
        Ok(n)
    }
}

impl<R: Read + Seek> Seek for Section<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = to.filter(|to| *to <= self.size).ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// Unpacks the files of a Debian package.
pub fn deb(package: &Path, to: &Path) -> Result<(), Error> {
    let what = package.display().to_string();
    let member = ar_member(File::open(package).at(&what)?, "data.tar", &what)?;
    tar(decompress(member, &what)?, to, 0, &what)
}

/// Unpacks a tar archive, leaving out the first `strip` parts of every name.
pub fn tar(from: impl Read, to: &Path, strip: usize, what: &str) -> Result<(), Error> {
    let mut archive = tar::Archive::new(from);
    for entry in archive.entries().at(what)? {
        let mut entry = entry.at(what)?;
        let name = entry.path().at(what)?.into_owned();
        let Some(path) = inside(to, &name, strip).ok_or_else(|| escapes(what, &name))? else { continue };
        let kind = entry.header().entry_type();
        refuse_links(to, if kind.is_symlink() { path.parent().unwrap_or(to) } else { &path }, what)?;
        if kind.is_dir() {
            fs::create_dir_all(&path).at(path.display())?;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).at(parent.display())?;
        }
        if kind.is_symlink() {
            let target = entry.link_name().at(what)?.unwrap_or_default().into_owned();
            let _ = fs::remove_file(&path);
            symlink(&target, &path).at(path.display())?;
        } else if kind.is_hard_link() {
            let target = entry.link_name().at(what)?.unwrap_or_default().into_owned();
            let target = inside(to, &target, strip).flatten().ok_or_else(|| escapes(what, &target))?;
            refuse_links(to, &target, what)?;
            fs::copy(&target, &path).at(path.display())?;
        } else if kind.is_file() {
            let executable = entry.header().mode().at(what)? & 0o111 != 0;
            write(&mut entry, &path, executable)?;
        }
    }
    Ok(())
}

/// Unpacks a zip archive, without the folder `prefix` that its names start with.
pub fn zip(archive: &Path, prefix: &str, to: &Path, executable: impl Fn(&str) -> bool) -> Result<(), Error> {
    let what = archive.display().to_string();
    let bad = |error: zip::result::ZipError| Error::format(&what, error);
    let mut zip = zip::ZipArchive::new(BufReader::new(File::open(archive).at(&what)?)).map_err(bad)?;
    for i in 0..zip.len() {
        let mut file = zip.by_index(i).map_err(bad)?;
        let name = file.name().map_err(bad)?.into_owned();
        let Some(rest) = name.strip_prefix(prefix) else { continue };
        if file.is_dir() {
            continue;
        }
        let Some(path) = inside(to, Path::new(rest), 0).ok_or_else(|| escapes(&what, Path::new(rest)))? else {
            continue;
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).at(parent.display())?;
        }
        let executable = executable(rest);
        write(&mut file, &path, executable)?;
    }
    Ok(())
}

fn write(from: &mut impl Read, path: &Path, executable: bool) -> Result<(), Error> {
    let mut file = File::create(path).at(path.display())?;
    std::io::copy(from, &mut file).at(path.display())?;
    let mode = if executable { 0o755 } else { 0o644 };
    file.set_permissions(fs::Permissions::from_mode(mode)).at(path.display())
}

/// Where a name of an archive lies under `to`: `None` when it escapes, `Some(None)` when nothing of it is left.
fn inside(to: &Path, name: &Path, strip: usize) -> Option<Option<PathBuf>> {
    let mut parts = Vec::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => parts.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    let rest = parts.get(strip..).unwrap_or_default();
    Some((!rest.is_empty()).then(|| to.join(rest.iter().collect::<PathBuf>())))
}

fn escapes(what: &str, name: &Path) -> Error {
    Error::format(what, format!("the name `{}` leads out of the archive", name.display()))
}

/// A link that an earlier entry made must not lead a later one's content elsewhere.
fn refuse_links(root: &Path, path: &Path, what: &str) -> Result<(), Error> {
    let mut at = root.to_path_buf();
    for part in path.strip_prefix(root).unwrap_or(path).components() {
        at.push(part);
        if at.is_symlink() {
            return Err(Error::format(what, format!("writes through the symbolic link {}", at.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
