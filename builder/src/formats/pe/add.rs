//! Adding sections to systemd's stub: the rules of `ukify`'s `pe_add_sections`.

use super::format::*;
use super::{Image, PeError};

/// The line that starts every SBAT text; it must be there once, and first.
const SBAT_HEAD: &str = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n";
/// What `ukify` adds to a UKI.
const SBAT_UKI: &str = "uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/\n";

/// A section to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSection {
    name: &'static str,
    bytes: Vec<u8>,
    virtual_size: u32,
    characteristics: u32,
    kernel: Option<KernelFacts>,
}

/// What a kernel's own PE says that the UKI must take over.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KernelFacts {
    nx_compatible: bool,
    sbat: String,
}

impl NewSection {
    /// A section of data.
    pub fn data(name: &'static str, bytes: Vec<u8>) -> Self {
        let virtual_size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        NewSection { name, bytes, virtual_size, characteristics: READABLE | INITIALIZED_DATA, kernel: None }
    }

    /// The kernel: `.linux`. In memory it has the size that its own header asks for, so that a stub may start it in place.
    pub fn kernel(bytes: Vec<u8>) -> Result<Self, PeError> {
        let image = Image::parse(&bytes)?;
        let length = u32::try_from(bytes.len()).map_err(|_| PeError::TooBig)?;
        let virtual_size = image.size_of_image().max(length);
        let kernel = Some(KernelFacts { nx_compatible: image.nx_compatible(), sbat: sbat_lines(&image) });
        Ok(NewSection { name: ".linux", virtual_size, characteristics: READABLE | CODE, kernel, bytes })
    }
}

/// The stub with the sections, in their order, and with the SBAT lines of stub, kernel and UKI in its own `.sbat`.
pub fn add_sections(stub: &[u8], sections: &[NewSection]) -> Result<Vec<u8>, PeError> {
    let image = Image::parse(stub)?;
    check_stub(&image, stub)?;
    let mut out = stub.to_vec();
    let mut added = Adder::new(&image)?;
    // Space before the first section's data is unused: the table may grow into it.
    let headers = image.optional_u32(SIZE_OF_HEADERS).next_multiple_of(image.file_alignment);
    put(&mut out, image.optional + SIZE_OF_HEADERS, &headers.to_le_bytes());
    for section in sections {
        added.add(&mut out, section)?;
    }
    let initialized = image.optional_u32(INITIALIZED_DATA_BYTES).wrapping_add(added.initialized);
    put(&mut out, image.optional + INITIALIZED_DATA_BYTES, &initialized.to_le_bytes());
    let size = added.next_address.checked_next_multiple_of(image.section_alignment).ok_or(PeError::TooBig)?;
    put(&mut out, image.optional + SIZE_OF_IMAGE, &size.to_le_bytes());
    put(&mut out, image.optional + CHECKSUM, &[0; 4]);
    put(&mut out, image.optional - COFF + COFF_SECTIONS, &added.count.to_le_bytes());
    if sections.iter().filter_map(|section| section.kernel.as_ref()).any(|kernel| !kernel.nx_compatible) {
        let at = image.optional + DLL_CHARACTERISTICS;
        let flags = u16_at(&out, at).unwrap_or(0) & !NX_COMPAT;
        put(&mut out, at, &flags.to_le_bytes());
    }
    merge_sbat(&mut out, &image, sections)?;
    Ok(out)
}

fn check_stub(image: &Image<'_>, stub: &[u8]) -> Result<(), PeError> {
    let certificates = image.certificates().ok_or(PeError::Stub("it has no place for a certificate table"))?;
    if certificates.1 != 0 || certificates.2 != 0 {
        return Err(PeError::Stub("it is signed; take the one from the package, linuxx64.efi.stub"));
    }
    if u32_at(stub, image.optional - COFF + COFF_SYMBOLS) != Some(0) {
        return Err(PeError::Stub("it has a symbol table, as stubs before systemd 253 have"));
    }
    if !image.is_efi_application() {
        return Err(PeError::Stub("it is no EFI application"));
    }
    let aligned = |value: u32| value.is_multiple_of(image.file_alignment);
    if !image.sections.iter().all(|section| aligned(section.raw_offset) && aligned(section.raw_size)) {
        return Err(PeError::Stub("its sections are not aligned in the file"));
    }
    Ok(())
}

/// Where the next section goes.
struct Adder<'a> {
    image: &'a Image<'a>,
    /// Places in the section table.
    room: usize,
    count: u16,
    /// End of the last section in memory.
    next_address: u32,
    initialized: u32,
    names: Vec<String>,
}

impl<'a> Adder<'a> {
    fn new(image: &'a Image<'a>) -> Result<Self, PeError> {
        let last = image.sections.last().ok_or(PeError::Stub("it has no sections"))?;
        let next_address = last.virtual_address.checked_add(last.virtual_size).ok_or(PeError::TooBig)?;
        let headers = image.optional_u32(SIZE_OF_HEADERS).next_multiple_of(image.file_alignment) as usize;
        // The first section's data must stay where it is.
        let first =
            image.sections.iter().filter(|section| section.raw_size > 0).map(|section| section.raw_offset).min();
        let room = headers.min(first.unwrap_or(0) as usize).saturating_sub(image.table) / SECTION;
        let names = image.sections.iter().map(|section| section.name.clone()).collect();
        Ok(Adder { image, room, count: image.sections.len() as u16, next_address, initialized: 0, names })
    }

    fn add(&mut self, out: &mut Vec<u8>, section: &NewSection) -> Result<(), PeError> {
        let named = !section.name.is_empty() && section.name.len() <= 8 && section.name.is_ascii();
        if !named || self.names.iter().any(|name| name == section.name) {
            return Err(PeError::Name(section.name.to_owned()));
        }
        let index = usize::from(self.count);
        if index >= self.room {
            return Err(PeError::NoRoom(section.name.to_owned()));
        }
        let to_u32 = |value: usize| u32::try_from(value).map_err(|_| PeError::TooBig);
        let alignment = self.image.file_alignment as usize;
        let raw_offset = out.len().next_multiple_of(alignment);
        let raw_size = section.bytes.len().next_multiple_of(alignment);
        let end = to_u32(raw_offset + raw_size)? as usize;
        let address =
            self.next_address.checked_next_multiple_of(self.image.section_alignment).ok_or(PeError::TooBig)?;
        self.next_address = address.checked_add(section.virtual_size).ok_or(PeError::TooBig)?;

        let entry = self.image.table + index * SECTION;
        out[entry..entry + SECTION].fill(0);
        put(out, entry, section.name.as_bytes());
        let fields = [section.virtual_size, address, to_u32(raw_size)?, to_u32(raw_offset)?];
        for (place, field) in fields.into_iter().enumerate() {
            put(out, entry + 8 + place * 4, &field.to_le_bytes());
        }
        put(out, entry + 36, &section.characteristics.to_le_bytes());
        out.resize(raw_offset, 0);
        out.extend_from_slice(&section.bytes);
        out.resize(end, 0);
        self.count += 1;
        self.initialized = self.initialized.wrapping_add(section.virtual_size);
        self.names.push(section.name.to_owned());
        Ok(())
    }
}

/// `.sbat` is in the stub already: its text grows in place, and must fit.
fn merge_sbat(out: &mut [u8], image: &Image<'_>, sections: &[NewSection]) -> Result<(), PeError> {
    let index = image.sections.iter().position(|section| section.name == ".sbat");
    let index = index.ok_or(PeError::Stub("it has no .sbat section, by which a broken UKI could be revoked"))?;
    let kernels = sections.iter().filter_map(|section| section.kernel.as_ref());
    let kernels: String = kernels.map(|kernel| kernel.sbat.as_str()).collect();
    let text = [SBAT_HEAD, &sbat_lines(image), &kernels, SBAT_UKI, "\0"].concat();
    let range = image.sections[index].raw_range();
    if text.len() > range.len() {
        return Err(PeError::TooSmall { name: ".sbat", room: range.len(), need: text.len() });
    }
    out[range.clone()].fill(0);
    put(out, range.start, text.as_bytes());
    put(out, image.table + index * SECTION + 8, &(text.len() as u32).to_le_bytes());
    Ok(())
}

/// The SBAT lines of an image, without the first.
fn sbat_lines(image: &Image<'_>) -> String {
    let text = image.section(".sbat").and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    let lines = text.trim_end_matches('\0').lines().skip(1).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}
