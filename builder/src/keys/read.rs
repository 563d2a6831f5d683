//! Reading what lies in a key file, and who else may.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::file::KeyFileError;

/// A key file is a few hundred bytes, two kilobytes with RSA; more is something else.
const MOST_BYTES: u64 = 16 * 1024;

/// The text of a file that holds a secret.
pub(super) fn secret(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let unreadable = |reason| KeyFileError::Unreadable { path: path.into(), reason };
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(KeyFileError::Folder { path: path.into() });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Readable { path: path.into(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    (&mut file).take(MOST_BYTES).read_to_string(&mut text).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => {
            KeyFileError::WrongKind { path: path.into(), want: "key", reason: "not text".into() }
        }
        _ => unreadable(error),
    })?;
    Ok(text)
}

/// The bytes of a file that everybody may read.
pub(super) fn public(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let unreadable = |reason| KeyFileError::Unreadable { path: path.into(), reason };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(4 * MOST_BYTES).read_to_end(&mut bytes)).map_err(unreadable)?;
    Ok(bytes)
}
