//! Reading an archive, as strictly as it is written.

use super::format::{CHAR_DEVICE, FILE, FOLDER, HEADER, Header, LINK, MAX_NAME, TRAILER, TYPE};

/// A member, borrowed from the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Path without a leading slash.
    pub path: &'a str,
    /// Type and permissions.
    pub mode: u32,
    /// Seconds since 1970.
    pub mtime: u32,
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Content of a file, target of a link.
    pub bytes: &'a [u8],
}

/// Why an archive cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cpio archive, offset {offset}: {what}")]
pub struct CpioError {
    /// Where.
    pub offset: usize,
    /// What stands there, or does not.
    pub what: &'static str,
}

impl Member<'_> {
    /// Whether this is a file.
    pub fn is_file(&self) -> bool {
        self.mode & TYPE == FILE
    }

    /// `folder`, `file`, `link`, `device` or `other`, for people.
    pub fn kind(&self) -> &'static str {
        match self.mode & TYPE {
            FOLDER => "folder",
            FILE => "file",
            LINK => "link",
            CHAR_DEVICE => "device",
            _ => "other",
        }
    }
}

/// All members of one uncompressed archive; after its trailer only NUL is accepted.
pub fn read(archive: &[u8]) -> Result<Vec<Member<'_>>, CpioError> {
    let mut members = Vec::new();
    let mut offset = 0;
    loop {
        let error = |what| CpioError { offset, what };
        let header = archive.get(offset..).and_then(Header::parse).ok_or(error("no newc header"))?;
        let name_at = offset + HEADER;
        let name_size = header.name_size as usize;
        let name = (1..=MAX_NAME).contains(&name_size).then(|| archive.get(name_at..name_at + name_size)).flatten();
        let name =
            name.and_then(|name| name.strip_suffix(b"\0")).ok_or(error("a name that is cut, empty or too long"))?;
        let path = std::str::from_utf8(name).map_err(|_| error("a name that is not UTF-8"))?;
        let bytes_at = (name_at + name_size).next_multiple_of(4);
        let end = bytes_at.checked_add(header.size as usize).ok_or(error("a size beyond the archive"))?;
        let bytes = archive.get(bytes_at..end).ok_or(error("content that is cut"))?;
        offset = end.next_multiple_of(4);
        if path == TRAILER {
            break;
        }
        members.push(Member { path, mode: header.mode, mtime: header.mtime, device: header.device, bytes });
    }
    match archive.get(offset..).unwrap_or_default().iter().position(|byte| *byte != 0) {
        Some(extra) => Err(CpioError { offset: offset + extra, what: "something after the trailer" }),
        None => Ok(members),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Kind, WriteError, write};
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<Entry> {
        let entry = |path: &str, kind| Entry { path: path.to_owned(), kind };
        vec![
            entry("dev", Kind::Folder { mode: 0o755 }),
            entry("dev/console", Kind::CharDevice { mode: 0o600, major: 5, minor: 1 }),
            entry("init", Kind::File { mode: 0o755, bytes: b"elf".to_vec() }),
            entry("link", Kind::Link { target: "init".to_owned() }),
        ]
    }

    #[test]
    fn round_trip() {
        let archive = write(&sample(), 1_700_000_000).unwrap();
        let members = read(&archive).unwrap();
        let kinds: Vec<_> = members.iter().map(|member| (member.path, member.kind())).collect();
        assert_eq!(kinds, [("dev", "folder"), ("dev/console", "device"), ("init", "file"), ("link", "link")]);
        assert_eq!((members[1].device, members[1].mode & 0o777), ((5, 1), 0o600));
        assert_eq!((members[2].bytes, members[2].mtime), (b"elf".as_slice(), 1_700_000_000));
        assert_eq!(members[3].bytes, b"init");
    }

    #[test]
    fn what_the_kernel_would_drop_is_an_error() {
        let file = |path: &str| Entry { path: path.to_owned(), kind: Kind::File { mode: 0o644, bytes: vec![] } };
        let path = |text: &str| WriteError::Path(text.to_owned());
        for bad in ["/init", "a//b", "../a", "", ".", "TRAILER!!!"] {
            assert_eq!(write(&[file(bad)], 0), Err(path(bad)));
        }
        assert_eq!(write(&[file("etc/x")], 0), Err(WriteError::NoFolder("etc/x".to_owned())));
        assert_eq!(write(&[file("x"), file("x")], 0), Err(WriteError::Twice("x".to_owned())));
        assert_eq!(write(&[], u64::MAX), Err(WriteError::Time(u64::MAX)));
    }

    #[test]
    fn every_cut_is_an_error() {
        let archive = write(&sample(), 1).unwrap();
        let end = archive.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for cut in 0..end {
            assert!(read(&archive[..cut]).is_err(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_archive_or_an_error(tail: Vec<u8>, at in 0_usize..700, byte: u8) {
            let _ = read(&tail);
            let mut archive = write(&sample(), 1).unwrap();
            let at = at % archive.len();
            archive[at] = byte;
            let _ = read(&archive);
        }
    }
}
