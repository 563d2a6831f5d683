//! An LZ4 block (LZ4's `doc/lz4_Block_format.md`).

/// No match is shorter.
const LEAST_MATCH: usize = 4;
/// A length of a token that goes on in the bytes behind it.
const GOES_ON: usize = 15;

/// The first `length` bytes of what a block holds; `None` for one that is damaged or holds less.
pub fn decode(block: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut rest = block;
    let mut out = Vec::new();
    while out.len() < length {
        let token = usize::from(take(&mut rest, 1)?[0]);
        let literals = long(token >> 4, &mut rest)?;
        out.extend_from_slice(take(&mut rest, literals)?);
        // The last sequence of a block ends here.
        if out.len() >= length {
            break;
        }
        let distance = usize::from(u16::from_le_bytes(*take(&mut rest, 2)?.first_chunk()?));
        let matched = long(token & 15, &mut rest)?.checked_add(LEAST_MATCH)?.min(length - out.len());
        let from = out.len().checked_sub(distance).filter(|_| distance > 0)?;
        // It may reach into what it makes itself.
        for at in from..from + matched {
            out.push(out[at]);
        }
    }
    out.truncate(length);
    Some(out)
}

fn long(short: usize, rest: &mut &[u8]) -> Option<usize> {
    let mut length = short;
    if short == GOES_ON {
        loop {
            let more = usize::from(take(rest, 1)?[0]);
            length = length.checked_add(more)?;
            if more != 255 {
                break;
            }
        }
    }
    Some(length)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Ten literals, a match of 21 bytes ten bytes back, five literals.
    const BLOCK: &[u8] = b"\xafa rose is \x0a\x00\x02\x50 rose";

    #[test]
    fn literals_and_matches_that_overlap() {
        let text = "a rose is a rose is a rose is a rose";
        assert_eq!(decode(BLOCK, text.len()).as_deref().map(String::from_utf8_lossy), Some(text.into()));
        assert_eq!(decode(b"\x1fa\x01\x00\xff\x00\x50aaaaa", 280), Some(vec![b'a'; 280]));
        assert_eq!(decode(b"\x50hello", 5).as_deref(), Some(&b"hello"[..]));
        assert_eq!(decode(b"\x50hello", 3).as_deref(), Some(&b"hel"[..]));
    }

    #[test]
    fn what_is_damaged_is_nothing() {
        assert_eq!(decode(b"\x50hello", 6), None, "it ends too soon");
        assert_eq!(decode(b"\x1fa\x02\x00\x00", 9), None, "a match before the beginning");
        assert_eq!(decode(b"\x1fa\x00\x00\x00", 9), None, "a match of itself");
        assert_eq!(decode(b"\xf0\xff\xff", 9), None, "a length that does not end");
    }

    proptest! {
        #[test]
        fn any_bytes_give_as_much_as_was_asked_for_or_nothing(block: Vec<u8>, length in 0_usize..4096) {
            if let Some(out) = decode(&block, length) {
                prop_assert_eq!(out.len(), length);
            }
        }
    }
}
