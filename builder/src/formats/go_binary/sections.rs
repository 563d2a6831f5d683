//! Where in a file the bytes lie that are read here.

use object::elf::{PF_W, PT_LOAD};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{LittleEndian, Object, ObjectSection};

use super::error::Problem;
use crate::formats::elf;

/// In a program that places itself, the table may lie among what is relocated once.
const FUNCTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];
const BUILD_INFO: &str = ".go.buildinfo";
const BUILD_ID: &str = ".note.go.buildid";

/// A part of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    /// Where it begins in the file.
    pub offset: u64,
    pub bytes: &'a [u8],
}

/// An ELF file whose headers were read.
pub(super) struct Sections<'a> {
    elf: ElfFile64<'a, LittleEndian>,
    bytes: &'a [u8],
}

impl<'a> Sections<'a> {
    pub fn of(bytes: &'a [u8]) -> Result<Sections<'a>, Problem> {
        if !elf::is_elf(bytes) || bytes.get(4..6) != Some(&[2, 1]) {
            let head = hex::encode(bytes.get(..6).unwrap_or(bytes));
            return Err(Problem::Elf(format!("it begins with 0x{head}")));
        }
        let elf = ElfFile64::parse(bytes).map_err(|error| Problem::Elf(error.to_string()))?;
        Ok(Sections { elf, bytes })
    }

    pub fn is_go(&self) -> bool {
        FUNCTIONS.iter().chain([&BUILD_INFO, &BUILD_ID]).any(|name| self.elf.section_by_name(name).is_some())
            || self.build_info().is_some_and(|part| part.find_aligned(super::build_info::MAGIC).is_some())
    }

    /// The section with the build information; in a file without section headers, the segment that a program may write to,
    /// at whose beginning the linker puts it.
    pub fn build_info(&self) -> Option<Part<'a>> {
        self.section(BUILD_INFO).or_else(|| {
            let endian = LittleEndian;
            let segments = self.elf.elf_program_headers();
            let data = segments
                .iter()
                .find(|segment| segment.p_type(endian) == PT_LOAD && segment.p_flags(endian).0 & PF_W.0 != 0)?;
            Some(Part { offset: data.p_offset(endian), bytes: data.data(endian, self.bytes).ok()? })
        })
    }

    pub fn functions(&self) -> Option<Part<'a>> {
        FUNCTIONS.iter().find_map(|name| self.section(name))
    }

    fn section(&self, name: &str) -> Option<Part<'a>> {
        let section = self.elf.section_by_name(name)?;
        // A section whose bytes lie outside the file is as good as none.
        Some(Part { offset: section.file_range()?.0, bytes: section.data().ok()? })
    }
}

impl<'a> Part<'a> {
    /// What follows from `at`.
    pub fn from(self, at: usize) -> Option<Part<'a>> {
        Some(Part { offset: self.offset + at as u64, bytes: self.bytes.get(at..)? })
    }

    /// The first place divisible by 16 at which these bytes stand.
    pub fn find_aligned(self, wanted: &[u8]) -> Option<usize> {
        (0..self.bytes.len()).step_by(16).find(|at| self.bytes[*at..].starts_with(wanted))
    }

    pub fn u32_at(self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }

    pub fn u64_at(self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }
}
