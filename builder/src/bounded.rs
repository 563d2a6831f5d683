//! Files that may be longer than they ought to be, or have no end: whoever names one does not fill the reader's memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, ensure};

/// All bytes of a file, which has `most` bytes at most; of a longer one only as many are read as show that. Errors name the file.
pub fn read_at_most(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("{}: cannot be opened", path.display()))?;
    let mut bytes = Vec::new();
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.with_context(|| format!("{}: cannot be read", path.display()))?;
    let fits = bytes.len() as u64 <= most;
    ensure!(fits, "{}: more than {most} bytes, which no such document has; name another file", path.display());
    Ok(bytes)
}

/// The same for who names the file himself, with the system's own kinds of errors.
pub fn read_whole(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let message = format!("more than {most} bytes, which no such file has");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("three");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(read_at_most(&path, 3).unwrap(), b"abc");
        let refused = |path: &Path| format!("{:#}", read_at_most(path, 2).unwrap_err());
        assert!(refused(&path).contains("three: more than 2 bytes"), "{}", refused(&path));
        assert!(refused(Path::new("/dev/zero")).contains("/dev/zero: more than 2 bytes"));
        assert!(refused(folder.path()).contains(": cannot be read: "), "{}", refused(folder.path()));
        assert!(refused(&folder.path().join("none")).contains("none: cannot be opened: No such file"));

        assert_eq!(read_whole(&path, 3).unwrap(), b"abc");
        let kind = |path: &Path| read_whole(path, 2).unwrap_err().kind();
        assert_eq!(kind(&path), io::ErrorKind::FileTooLarge);
        assert_eq!(kind(Path::new("/dev/zero")), io::ErrorKind::FileTooLarge);
        assert_eq!(kind(&folder.path().join("none")), io::ErrorKind::NotFound);
    }
}
