//! The few facts about ELF files that the tree's rules ask for: is it one, and does it want a dynamic loader.

const MAGIC: &[u8; 4] = b"\x7fELF";
const INTERP: u32 = 3;
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
    let table = u64_at(head, 32)?;
    let size = usize::from(u16_at(head, 54)?);
    let count = usize::from(u16_at(head, 56)?);
    for index in 0..count {
        let at = usize::try_from(table).ok()?.checked_add(index.checked_mul(size)?)?;
        let Some(header) = head.get(at..).and_then(|rest| rest.get(..PROGRAM_HEADER)) else {
            return Some("? (program headers far from the beginning)".to_owned());
        };
        if u32_at(header, 0) == Some(INTERP) {
            return Some(name(head, header).unwrap_or_else(|| "?".to_owned()));
        }
    }
    None
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
            let _ = interpreter(&[MAGIC.as_slice(), &[2, 1], &tail].concat());
            let _ = interpreter(&own()[..cut]);
        }
    }
}
