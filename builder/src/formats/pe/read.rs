//! Reading headers and sections.

use super::format::*;

/// An image whose headers were checked; all its sections lie within its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image<'a> {
    bytes: &'a [u8],
    /// Where the optional header begins.
    pub(super) optional: usize,
    /// Where the section table begins.
    pub(super) table: usize,
    /// Alignment of sections in memory.
    pub(super) section_alignment: u32,
    /// Alignment of sections in the file.
    pub(super) file_alignment: u32,
    /// The sections, in the table's order.
    pub sections: Vec<Section>,
}

/// An entry of the section table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Name, without its padding.
    pub name: String,
    /// Bytes in memory.
    pub virtual_size: u32,
    /// Where in memory.
    pub virtual_address: u32,
    /// Bytes in the file.
    pub raw_size: u32,
    /// Where in the file.
    pub raw_offset: u32,
    /// Flags.
    pub characteristics: u32,
}

/// Why bytes are no image, or no section can be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeError {
    /// Not an image that we know.
    #[error("not a PE32+ image: {what} (offset {offset:#x})")]
    Format {
        /// What is wrong.
        what: &'static str,
        /// Where.
        offset: usize,
    },
    /// A section that lies outside of the file.
    #[error(
        "PE image: section `{name}` ({raw_size} bytes from {raw_offset:#x}) lies outside of the file; was it cut short?"
    )]
    Outside {
        /// Its name.
        name: String,
        /// Where it begins.
        raw_offset: u32,
        /// How many bytes.
        raw_size: u32,
    },
    /// The stub must be as it comes.
    #[error("the UKI's stub: {0}")]
    Stub(&'static str),
    /// The header has no room.
    #[error("the UKI's stub has no room in its header for section `{0}`")]
    NoRoom(String),
    /// A name that the table cannot hold, or that is there already.
    #[error("section name `{0}`: want 1 to 8 ASCII characters that the stub does not have yet")]
    Name(String),
    /// A section that is there already and too small.
    #[error("section `{name}` of the stub has room for {room} bytes, {need} are needed")]
    TooSmall {
        /// Its name.
        name: &'static str,
        /// Bytes that it has.
        room: usize,
        /// Bytes that are needed.
        need: usize,
    },
    /// More than 32 bits can say.
    #[error("the UKI would have more than 4 GiB")]
    TooBig,
}

impl<'a> Image<'a> {
    /// Checks the headers of an image.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PeError> {
        let wrong = |what, offset| PeError::Format { what, offset };
        if bytes.first_chunk() != Some(b"MZ") {
            return Err(wrong("no MZ", 0));
        }
        let signature = u32_at(bytes, PE_OFFSET).ok_or(wrong("no PE offset", PE_OFFSET))? as usize;
        if bytes.get(signature..).and_then(|rest| rest.first_chunk()) != Some(SIGNATURE) {
            return Err(wrong("no PE signature", signature));
        }
        let coff = signature + SIGNATURE.len();
        let optional = coff + COFF;
        let short = || wrong("headers are cut", coff);
        let optional_size = usize::from(u16_at(bytes, coff + COFF_OPTIONAL_SIZE).ok_or_else(short)?);
        if u16_at(bytes, optional) != Some(PE32_PLUS) || optional_size < DIRECTORIES + 4 {
            return Err(wrong("no PE32+ optional header", optional));
        }
        let table = optional + optional_size;
        let count = usize::from(u16_at(bytes, coff + COFF_SECTIONS).ok_or_else(short)?);
        let table_end = table + count * SECTION;
        let headers = u32_at(bytes, optional + SIZE_OF_HEADERS).ok_or_else(short)? as usize;
        if count > MAX_SECTIONS || table_end > headers || headers > bytes.len() {
            return Err(wrong("section table does not fit the headers", table));
        }
        let alignment = |at| u32_at(bytes, optional + at).filter(|value| value.is_power_of_two() && *value <= 1 << 20);
        let section_alignment = alignment(SECTION_ALIGNMENT).ok_or(wrong("section alignment", optional))?;
        let file_alignment = alignment(FILE_ALIGNMENT).ok_or(wrong("file alignment", optional))?;
        let entries = bytes[table..table_end].chunks_exact(SECTION);
        let sections = entries.map(|entry| Section::parse(entry, bytes.len())).collect::<Result<_, _>>()?;
        Ok(Image { bytes, optional, table, section_alignment, file_alignment, sections })
    }

    /// The content of the first section with that name: what is in the file, without the padding to its alignment.
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        let section = self.sections.iter().find(|section| section.name == name)?;
        let bytes = &self.bytes[section.raw_range()];
        Some(&bytes[..bytes.len().min(section.virtual_size as usize)])
    }

    /// Bytes that the whole image has in memory.
    pub fn size_of_image(&self) -> u32 {
        self.optional_u32(SIZE_OF_IMAGE)
    }

    /// Whether the image says that it needs no memory to be both writable and executable.
    pub fn nx_compatible(&self) -> bool {
        u16_at(self.bytes, self.optional + DLL_CHARACTERISTICS).is_some_and(|flags| flags & NX_COMPAT != 0)
    }

    /// Whether firmware starts this.
    pub fn is_efi_application(&self) -> bool {
        u16_at(self.bytes, self.optional + SUBSYSTEM) == Some(EFI_APPLICATION)
    }

    /// Where the certificate table's directory entry stands, if there is one, and the table: file offset and size.
    pub(super) fn certificates(&self) -> Option<(usize, u32, u32)> {
        let at = self.optional + CERTIFICATES;
        let has = self.optional_u32(DIRECTORIES) > 4 && at + 8 <= self.table;
        has.then(|| (at, self.optional_u32(CERTIFICATES), self.optional_u32(CERTIFICATES + 4)))
    }

    pub(super) fn optional_u32(&self, at: usize) -> u32 {
        // Within the headers, which lie within the bytes.
        u32_at(self.bytes, self.optional + at).unwrap_or(0)
    }
}

impl Section {
    fn parse(entry: &[u8], length: usize) -> Result<Self, PeError> {
        let field = |at| u32_at(entry, at).unwrap_or(0);
        let name = entry[..8].split(|byte| *byte == 0).next().unwrap_or_default();
        let section = Section {
            name: String::from_utf8_lossy(name).into_owned(),
            virtual_size: field(8),
            virtual_address: field(12),
            raw_size: field(16),
            raw_offset: field(20),
            characteristics: field(36),
        };
        let end = u64::from(section.raw_offset) + u64::from(section.raw_size);
        if section.raw_size > 0 && end > length as u64 {
            let Section { name, raw_offset, raw_size, .. } = section;
            return Err(PeError::Outside { name, raw_offset, raw_size });
        }
        Ok(section)
    }

    pub(super) fn raw_range(&self) -> std::ops::Range<usize> {
        if self.raw_size == 0 {
            return 0..0;
        }
        let start = self.raw_offset as usize;
        start..start + self.raw_size as usize
    }
}
