//! The few facts about ELF files that the tree's rules ask for: is it one, and does it want a dynamic loader.

const MAGIC: &[u8; 4] = b"\x7fELF";
const DYNAMIC: u32 = 2;
const INTERP: u32 = 3;
/// Tags of the dynamic section's entries: its end, and a library that is needed.
const END: u64 = 0;
const NEEDED: u64 = 1;
/// Bytes of a 64-bit program header.
const PROGRAM_HEADER: usize = 56;

/// Whether a file that begins like this is an ELF file.
pub fn is_elf(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// The dynamic loader that a program asks for; `None` for a static one, and for what is no program.
///
/// `head` is the file's beginning. A program whose loader's name lies beyond it still counts as dynamic: `?`.
pub fn interpreter(head: &[u8]) -> Option<String> {
    if !is_elf(head) {
        return None;
    }
    if head.get(4..6) != Some(&[2, 1]) {
        // No node of ours runs 32-bit or big-endian programs: whatever this is, it is not one of the static ones.
        return Some("? (not a 64-bit little-endian ELF file)".to_owned());
    }
    match program_header(head, INTERP) {
        Header::Found(header) => Some(name(head, header).unwrap_or_else(|| "?".to_owned())),
        Header::Absent => None,
        Header::OutOfSight => Some("? (program headers far from the beginning)".to_owned()),
    }
}

/// Where in the file the dynamic section lies, and its bytes. Programs that place themselves have one too: whether a file
/// needs libraries is for [`needs_libraries`] to say.
pub fn dynamic_section(head: &[u8]) -> Option<(u64, u64)> {
    match program_header(head, DYNAMIC) {
        Header::Found(header) if is_elf(head) => Some((u64_at(header, 8)?, u64_at(header, 32)?)),
        _ => None,
    }
}

/// Whether a dynamic section names shared libraries. One that does not end is one that does.
pub fn needs_libraries(section: &[u8]) -> bool {
    for entry in section.chunks(16) {
        match u64_at(entry, 0) {
            Some(END) => return false,
            Some(NEEDED) | None => return true,
            Some(_) => {}
        }
    }
    true
}

/// What a table of program headers has of one type.
enum Header<'a> {
    Found(&'a [u8]),
    Absent,
    /// The table is not in the bytes that are known.
    OutOfSight,
}

fn program_header(head: &[u8], kind: u32) -> Header<'_> {
    let (Some(table), Some(size), Some(count)) = (u64_at(head, 32), u16_at(head, 54), u16_at(head, 56)) else {
        return Header::Absent;
    };
    for index in 0..u64::from(count) {
        let at = table.saturating_add(index * u64::from(size));
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let Some(header) = head.get(at..).and_then(|rest| rest.get(..PROGRAM_HEADER)) else {
            return Header::OutOfSight;
        };
        if u32_at(header, 0) == Some(kind) {
            return Header::Found(header);
        }
    }
    Header::Absent
}

fn name(head: &[u8], header: &[u8]) -> Option<String> {
    let offset = usize::try_from(u64_at(header, 8)?).ok()?;
    let length = usize::try_from(u64_at(header, 32)?).ok()?;
    let bytes = head.get(offset..)?.get(..length)?;
    let bytes = bytes.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Bytes of a 64-bit section header.
const SECTION_HEADER: usize = 64;
/// Where the file's header has the table of sections, the number of its entries, and the entry with their names.
const SECTIONS: usize = 40;
const SECTION_COUNT: usize = 60;
const SECTION_NAMES: usize = 62;
/// The type of a section whose meaning is its reader's.
const PROGRAM_BITS: u32 = 1;

/// The program with one section more, which is not loaded when it runs; what is loaded stays as it is. The error says what about
/// the file is not as linkers make it.
pub fn add_section(bytes: &[u8], name: &str, content: &[u8]) -> Result<Vec<u8>, &'static str> {
    if !is_elf(bytes) || bytes.get(4..6) != Some(&[2, 1]) {
        return Err("not a 64-bit little-endian ELF file");
    }
    let table = u64_at(bytes, SECTIONS).and_then(|at| usize::try_from(at).ok()).ok_or("its header is cut")?;
    let count = usize::from(u16_at(bytes, SECTION_COUNT).ok_or("its header is cut")?);
    let names = usize::from(u16_at(bytes, SECTION_NAMES).ok_or("its header is cut")?);
    let end = table.checked_add(count * SECTION_HEADER).ok_or("its table of sections lies outside of it")?;
    let mut headers = bytes.get(table..end).ok_or("its table of sections lies outside of it")?.to_vec();
    let names_header = names * SECTION_HEADER;
    let place = |field: usize| headers.get(names_header + field..).and_then(|rest| u64_at(rest, 0));
    let (at, size) = place(24).zip(place(32)).ok_or("it has no names of sections")?;
    let (at, size) = (usize::try_from(at).unwrap_or(usize::MAX), usize::try_from(size).unwrap_or(usize::MAX));
    let old_names =
        bytes.get(at..).and_then(|rest| rest.get(..size)).ok_or("its names of sections lie outside of it")?;
    // A table that stands last makes room for the new one.
    let mut out = if end == bytes.len() { bytes[..table].to_vec() } else { bytes.to_vec() };
    let content_at = out.len() as u64;
    out.extend_from_slice(content);
    let names_at = out.len() as u64;
    out.extend_from_slice(old_names);
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    let mut put = |at: usize, value: u64| headers[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put(names_header + 24, names_at);
    put(names_header + 32, size as u64 + name.len() as u64 + 1);
    let mut header = [0; SECTION_HEADER];
    header[..4].copy_from_slice(&u32::try_from(size).map_err(|_| "its names of sections are too long")?.to_le_bytes());
    header[4..8].copy_from_slice(&PROGRAM_BITS.to_le_bytes());
    header[24..32].copy_from_slice(&content_at.to_le_bytes());
    header[32..40].copy_from_slice(&(content.len() as u64).to_le_bytes());
    header[48] = 1;
    out.resize(out.len().next_multiple_of(8), 0);
    let table = out.len() as u64;
    out.extend_from_slice(&headers);
    out.extend_from_slice(&header);
    let count = u16::try_from(count + 1).map_err(|_| "it has too many sections")?;
    out[SECTIONS..SECTIONS + 8].copy_from_slice(&table.to_le_bytes());
    out[SECTION_COUNT..SECTION_COUNT + 2].copy_from_slice(&count.to_le_bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// This very test is a dynamic program, on the machines that we build on.
    fn own() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_dynamic_program_names_its_loader() {
        let own = own();
        let loader = interpreter(&own[..4096.min(own.len())]).unwrap();
        assert!(loader.contains("ld-"), "{loader}");
    }

    #[test]
    fn a_dynamic_program_names_its_libraries() {
        let own = own();
        let (at, length) = dynamic_section(&own[..4096]).unwrap();
        let section = &own[at as usize..][..length as usize];
        assert!(needs_libraries(section));
        let without: Vec<u8> = section.chunks(16).filter(|entry| entry[0] != NEEDED as u8).flatten().copied().collect();
        assert!(!needs_libraries(&without));
        assert!(needs_libraries(&without[..16]), "a section that is cut short");
        assert_eq!(dynamic_section(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn what_is_no_program_has_no_loader() {
        assert_eq!(interpreter(b"#!/bin/sh\n"), None);
        assert_eq!(interpreter(b""), None);
    }

    #[test]
    fn without_that_header_a_program_is_static() {
        let mut own = own();
        own.truncate(4096);
        let at = u64_at(&own, 32).unwrap() as usize;
        for header in own[at..].chunks_exact_mut(PROGRAM_HEADER).take(20) {
            if header[0] == INTERP as u8 {
                header[0] = 0;
            }
        }
        assert_eq!(interpreter(&own), None);
    }

    #[test]
    fn a_section_more_changes_nothing_that_is_loaded() {
        use object::{Object, ObjectSection};
        let own = own();
        let made = add_section(&own, ".extra", b"content").unwrap();
        let [before, after] = [&own, &made].map(|bytes| {
            let elf = object::read::elf::ElfFile64::<object::LittleEndian>::parse(&**bytes).unwrap();
            let all = elf.sections().map(|one| (one.name().unwrap().to_owned(), one.data().unwrap().to_vec()));
            all.filter(|(name, _)| name != ".shstrtab").collect::<Vec<_>>()
        });
        assert_eq!(after[..before.len()], before);
        assert_eq!(after[before.len()..], [(".extra".to_owned(), b"content".to_vec())]);
        // Another, and the program still runs.
        let made = add_section(&made, ".more", &[7; 5000]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &path).unwrap();
        std::fs::write(&path, &made).unwrap();
        let listed = std::process::Command::new(&path).args(["--list", "a_section_more"]).output().unwrap();
        assert!(String::from_utf8_lossy(&listed.stdout).contains("a_section_more"), "{listed:?}");
    }

    proptest! {
        #[test]
        fn no_header_makes_a_section_panic(changes in prop::collection::vec((0_usize..64, any::<u8>()), 0..6)) {
            let mut made = vec![0; 512];
            made[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
            made[SECTIONS] = 128;
            made[SECTION_COUNT] = 3;
            for (at, byte) in changes {
                made[at] = byte;
            }
            let _ = add_section(&made, ".extra", b"content");
        }

        #[test]
        fn any_bytes_have_an_answer(tail: Vec<u8>, cut in 0_usize..4096) {
            let made = [MAGIC.as_slice(), &[2, 1], &tail].concat();
            let _ = add_section(&made, ".extra", b"content");
            let _ = (interpreter(&made), dynamic_section(&made), needs_libraries(&tail));
            let own = &own()[..cut];
            let _ = (interpreter(own), dynamic_section(own));
        }
    }
}
