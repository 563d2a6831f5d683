//! Files of the cache, held to what was written down of them when they were made: a damaged one ends as an error,
//! not in an image.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::sources::{ProducedFile, ProducedKind};

/// A file of the cache as a stream. Its end is an error where the bytes were others than those that were put there.
pub struct Checked {
    file: File,
    path: PathBuf,
    want: (u64, String),
    hash: Sha256,
    count: u64,
}

impl Checked {
    /// Opens the file at `path`, which has `size` bytes with this SHA-256.
    pub fn open(path: &Path, size: u64, sha256: &str) -> io::Result<Checked> {
        let file = File::open(path).map_err(|error| damaged(path, &error.to_string()))?;
        Ok(Checked { file, path: path.into(), want: (size, sha256.into()), hash: Sha256::new(), count: 0 })
    }

    fn check(&self) -> io::Result<()> {
        let (size, sha256) = &self.want;
        if self.count != *size {
            return Err(damaged(&self.path, &format!("{} bytes or more, not {size}", self.count)));
        }
        let found = hex::encode(self.hash.clone().finalize());
        if found == *sha256 { Ok(()) } else { Err(damaged(&self.path, &format!("SHA-256 {found}, not {sha256}"))) }
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.count += count as u64;
        // More than the header of an archive has announced must not be handed on.
        if self.count > self.want.0 || (count == 0 && !buffer.is_empty()) {
            self.check()?;
        }
        Ok(count)
    }
}

/// All of a file that a source yields.
pub fn read(file: &ProducedFile) -> io::Result<Vec<u8>> {
    let ProducedKind::File { size, sha256, .. } = &file.kind else {
        return Err(io::Error::other(format!("{}: a link where a file is needed", file.path.display())));
    };
    let mut bytes = Vec::with_capacity(usize::try_from(*size).unwrap_or(0));
    Checked::open(&file.path, *size, sha256)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What to say of a file that is not as it was made: whose result it belongs to can be made again.
fn damaged(path: &Path, what: &str) -> io::Error {
    let of_a_result = |folder: &&Path| folder.parent().and_then(Path::file_name).is_some_and(|name| name == "results");
    let folder = path.ancestors().find(of_a_result).or(path.parent()).unwrap_or(path);
    let (path, folder) = (path.display(), folder.display());
    io::Error::other(format!(
        "{path}: not as the cache made it ({what}); delete {folder}, and the next build makes it again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_as_it_was_made_names_the_folder_to_delete() {
        let desk = tempfile::tempdir().unwrap();
        let folder = desk.path().join("results/go-1/files");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("kubelet");
        std::fs::write(&path, "good").unwrap();
        let sha256 = hex::encode(Sha256::digest("good"));
        let kind = ProducedKind::File { size: 4, sha256, executable: true };
        let file = ProducedFile { path: path.clone(), kind };
        assert_eq!(read(&file).unwrap(), b"good");
        for bytes in ["goat", "goo", "goods", ""] {
            std::fs::write(&path, bytes).unwrap();
            let error = read(&file).unwrap_err().to_string();
            let next = format!("delete {}, and", desk.path().join("results/go-1").display());
            assert!(error.contains(&path.display().to_string()) && error.contains(&next), "{bytes}: {error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("No such file"));
    }
}
