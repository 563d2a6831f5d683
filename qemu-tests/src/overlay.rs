//! Overlays: what a machine writes goes into a file of its own, the image stays as it was built.

use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::program::{self, QEMU_IMG};
use crate::{Error, Result};

/// Makes a qcow2 file over the raw image `base`; `size` makes the disk bigger than the image.
pub fn create(base: &Path, overlay: &Path, size: Option<u64>) -> Result<()> {
    let base = base.canonicalize().map_err(Error::file("opening", base))?;
    check_size(&base, size)?;
    let mut arguments = vec!["create".into(), "-q".into(), "-f".into(), "qcow2".into(), "-F".into(), "raw".into()];
    arguments.extend(["-b".into(), base.into_os_string(), overlay.as_os_str().to_owned()]);
    arguments.extend(size.map(|size| size.to_string().into()));
    program::run(QEMU_IMG, &arguments)
}

/// Makes the raw image itself bigger, sparsely.
pub fn grow(image: &Path, size: u64) -> Result<()> {
    check_size(image, Some(size))?;
    let file = OpenOptions::new().write(true).open(image).map_err(Error::file("opening", image))?;
    file.set_len(size).map_err(Error::file("growing", image))
}

/// Copies a disk as its guest sees it into a raw file, leaving holes.
pub fn flatten(disk: &Path, raw: &Path) -> Result<()> {
    let words = ["convert", "-q", "-O", "raw"].map(std::ffi::OsStr::new);
    program::run(QEMU_IMG, &[&words[..], &[disk.as_os_str(), raw.as_os_str()]].concat())
}

fn check_size(image: &Path, size: Option<u64>) -> Result<()> {
    let has = File::open(image).and_then(|file| file.metadata()).map_err(Error::file("opening", image))?.len();
    match size {
        Some(size) if size < has => Err(Error::Machine(format!(
            "a disk of {size} bytes is smaller than the image {} of {has} bytes; give at least that",
            image.display()
        ))),
        Some(size) if size % 512 != 0 => {
            Err(Error::Machine(format!("a disk of {size} bytes is not a whole number of 512-byte sectors")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_smaller_than_its_image_is_refused() {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(8192).unwrap();
        let error = create(image.path(), Path::new("unused"), Some(4096)).unwrap_err().to_string();
        assert!(error.contains("4096") && error.contains("8192"), "{error}");
        assert!(grow(image.path(), 4096).is_err());
        grow(image.path(), 16384).unwrap();
        assert_eq!(image.as_file().metadata().unwrap().len(), 16384);
    }
}
