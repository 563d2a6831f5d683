//! The template file.

use serde::{Deserialize, Serialize};

/// The first line, without its line break.
pub const MAGIC_LINE: &str = "orlop-state-template-v1";
/// Bytes of a block.
pub const BLOCK: u64 = 4096;
/// The JSON line has at most this many bytes.
const MAX_JSON: usize = 64 << 10;
/// No template is bigger than this when it is written out.
const MAX_SIZE: u64 = 1 << 40;

/// Bytes that are not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Extent {
    /// Where they begin in the partition.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

impl From<(u64, u64)> for Extent {
    fn from((offset, length): (u64, u64)) -> Self {
        Extent { offset, length }
    }
}

impl From<Extent> for (u64, u64) {
    fn from(extent: Extent) -> Self {
        (extent.offset, extent.length)
    }
}

/// The template's second line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Bytes of the filesystem.
    pub size: u64,
    /// Bytes of a block: 4096.
    pub block: u64,
    /// What is not zero: in order, apart, in whole blocks.
    pub extents: Vec<Extent>,
}

/// A template that was read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template<'a> {
    /// Where its bytes go.
    pub layout: Layout,
    bytes: &'a [u8],
}

/// Why a template is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The first line is another.
    #[error("the state template does not begin with `{MAGIC_LINE}`")]
    Magic,
    /// The second line is too long or does not end.
    #[error("the state template's second line does not end within {MAX_JSON} bytes")]
    Line,
    /// The second line is not the JSON that it should be.
    #[error("the state template's second line: {0}")]
    Json(String),
    /// Sizes that make no sense.
    #[error(
        "state template of {size} bytes in blocks of {block}; want whole blocks of {BLOCK}, at most {MAX_SIZE} bytes"
    )]
    Size {
        /// Bytes.
        size: u64,
        /// Bytes of a block.
        block: u64,
    },
    /// An extent that is empty, not in whole blocks, out of order or outside.
    #[error(
        "extent {index} of the state template ({offset}, {length}) is empty, not in whole blocks, out of order or outside"
    )]
    Extent {
        /// From 0.
        index: usize,
        /// Where it begins.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// The first block has no superblock that can be given an identity.
    #[error("the state template's first block holds no ext4 superblock with checksums and a checksum seed")]
    Superblock,
    /// More or fewer bytes than the extents say.
    #[error("the state template has {found} bytes of extents, its second line says {want}")]
    Length {
        /// Bytes in the file.
        found: u64,
        /// Bytes by the extents.
        want: u64,
    },
}

impl<'a> Template<'a> {
    /// Reads a whole template file.
    pub fn parse(file: &'a [u8]) -> Result<Self, TemplateError> {
        let rest = file.strip_prefix(MAGIC_LINE.as_bytes()).and_then(|rest| rest.strip_prefix(b"\n"));
        let rest = rest.ok_or(TemplateError::Magic)?;
        let end = rest.iter().take(MAX_JSON).position(|byte| *byte == b'\n').ok_or(TemplateError::Line)?;
        let layout: Layout =
            serde_json::from_slice(&rest[..end]).map_err(|error| TemplateError::Json(error.to_string()))?;
        let bytes = &rest[end + 1..];
        let (found, want) = (bytes.len() as u64, layout.extent_bytes()?);
        if found != want {
            return Err(TemplateError::Length { found, want });
        }
        let template = Template { layout, bytes };
        let superblock = template.first_block().and_then(super::superblock::usable);
        superblock.map(|()| template).ok_or(TemplateError::Superblock)
    }

    /// The extents with their bytes.
    pub fn extents(&self) -> impl Iterator<Item = (u64, &'a [u8])> + '_ {
        let mut rest = self.bytes;
        self.layout.extents.iter().map(move |extent| {
            // Checked: the lengths add up to the bytes there are.
            let (bytes, after) = rest.split_at(extent.length as usize);
            rest = after;
            (extent.offset, bytes)
        })
    }

    /// The block that holds the primary superblock.
    pub fn first_block(&self) -> Option<&'a [u8]> {
        let (offset, bytes) = self.extents().next()?;
        (offset == 0).then(|| &bytes[..BLOCK as usize])
    }

    /// The bytes from `offset` up to `offset + length` of the partition, zeros included.
    pub fn range(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        for (at, bytes) in self.extents() {
            let start = at.max(offset);
            let end = (at + bytes.len() as u64).min(offset + length as u64);
            if start < end {
                let part = &bytes[(start - at) as usize..(end - at) as usize];
                out[(start - offset) as usize..][..part.len()].copy_from_slice(part);
            }
        }
        out
    }
}

impl Layout {
    /// Bytes of all extents, if they are in order, apart, in whole blocks and inside.
    pub fn extent_bytes(&self) -> Result<u64, TemplateError> {
        let Layout { size, block, .. } = *self;
        if block != BLOCK || size == 0 || !size.is_multiple_of(BLOCK) || size > MAX_SIZE {
            return Err(TemplateError::Size { size, block });
        }
        let mut free = 0;
        let mut total = 0;
        for (index, &Extent { offset, length }) in self.extents.iter().enumerate() {
            let whole = offset.is_multiple_of(BLOCK) && length.is_multiple_of(BLOCK) && length > 0;
            match offset.checked_add(length) {
                Some(end) if whole && offset >= free && end <= size => free = end,
                _ => return Err(TemplateError::Extent { index, offset, length }),
            }
            total += length;
        }
        Ok(total)
    }
}

/// The two lines before the extents' bytes.
pub fn encode_header(layout: &Layout) -> Result<Vec<u8>, TemplateError> {
    layout.extent_bytes()?;
    let json = serde_json::to_string(layout).map_err(|error| TemplateError::Json(error.to_string()))?;
    if json.len() >= MAX_JSON {
        return Err(TemplateError::Line);
    }
    Ok(format!("{MAGIC_LINE}\n{json}\n").into_bytes())
}
