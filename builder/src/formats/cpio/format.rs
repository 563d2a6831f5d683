//! The header: a magic number and 13 fields of 8 hexadecimal digits.

/// First bytes of every header.
pub(super) const MAGIC: &[u8; 6] = b"070701";
/// Bytes of a header.
pub(super) const HEADER: usize = 110;
/// Name of the last member.
pub(super) const TRAILER: &str = "TRAILER!!!";
/// A path with its NUL has at most this many bytes (`PATH_MAX`; the kernel stops at longer ones).
pub(super) const MAX_NAME: usize = 4096;

/// Type bits of a mode.
pub(super) const TYPE: u32 = 0o170_000;
pub(super) const FOLDER: u32 = 0o040_000;
pub(super) const FILE: u32 = 0o100_000;
pub(super) const LINK: u32 = 0o120_000;
pub(super) const CHAR_DEVICE: u32 = 0o020_000;

/// The header's fields, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Header {
    pub inode: u32,
    pub mode: u32,
    pub links: u32,
    pub mtime: u32,
    pub size: u32,
    pub device: (u32, u32),
    pub name_size: u32,
}

impl Header {
    pub fn encode(&self) -> String {
        let Header { inode, mode, links, mtime, size, device: (major, minor), name_size } = *self;
        let fields = [inode, mode, 0, 0, links, mtime, size, 0, 0, major, minor, name_size, 0];
        fields.iter().fold("070701".to_owned(), |text, field| format!("{text}{field:08X}"))
    }

    /// `None` for something else than a header. Owner and device of the file itself are not looked at.
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        let fields = bytes.get(..HEADER)?.strip_prefix(MAGIC)?;
        let field = |index: usize| {
            let text = std::str::from_utf8(&fields[index * 8..index * 8 + 8]).ok()?;
            text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
            u32::from_str_radix(text, 16).ok()
        };
        Some(Header {
            inode: field(0)?,
            mode: field(1)?,
            links: field(4)?,
            mtime: field(5)?,
            size: field(6)?,
            device: (field(9)?, field(10)?),
            name_size: field(11)?,
        })
    }
}
