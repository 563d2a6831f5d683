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

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(tail: Vec<u8>, cut in 0_usize..4096) {
            let made = [MAGIC.as_slice(), &[2, 1], &tail].concat();
            let _ = (interpreter(&made), dynamic_section(&made), needs_libraries(&tail));
            let own = &own()[..cut];
            let _ = (interpreter(own), dynamic_section(own));
        }
    }
}
