//! Matching of a device's modalias against a module's patterns, as `fnmatch(3)` without flags does.

/// Whether `text` matches `pattern` (`*`, `?`, `[a-z]`, `[!a-z]`, `\` before a literal).
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last `*`: one pass, no recursion, whatever the pattern is.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, t));
            p += 1;
        } else if let Some(length) = one(&pattern[p..], text[t]) {
            p += length;
            t += 1;
        } else if let Some((after, from)) = star {
            p = after;
            t = from + 1;
            star = Some((after, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Length of the pattern's first element if it matches the byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'[' => class(pattern, byte),
        b'\\' if pattern.len() > 1 => (pattern[1] == byte).then_some(2),
        literal => (literal == byte).then_some(1),
    }
}

/// A bracket expression; one without an end is a literal bracket.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = 1 + usize::from(negated);
    let Some(end) = pattern.iter().skip(first + 1).position(|b| *b == b']').map(|at| at + first + 1) else {
        return (byte == b'[').then_some(1);
    };
    let mut at = first;
    let mut found = false;
    while at < end {
        if at + 2 < end && pattern[at + 1] == b'-' {
            found |= (pattern[at]..=pattern[at + 2]).contains(&byte);
            at += 3;
        } else {
            found |= pattern[at] == byte;
            at += 1;
        }
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn aliases_of_real_devices() {
        assert!(matches("virtio:d00000002v*", "virtio:d00000002v00001AF4"));
        assert!(!matches("virtio:d00000008v*", "virtio:d00000002v00001AF4"));
        assert!(matches("pci:v*d*sv*sd*bc01sc08i02*", "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02"));
        assert!(matches("scsi:t-0x00*", "scsi:t-0x00"));
        assert!(matches("acpi*:PNP0C0[CE]:*", "acpi:PNP0C0C:PNP0C0E:"));
        assert!(matches("dmi*:[!b]x", "dmi1:ax"));
        assert!(!matches("dmi*:[!b]x", "dmi1:bx"));
    }

    #[test]
    fn edges() {
        assert!(matches("", ""));
        assert!(!matches("", "a"));
        assert!(matches("**", ""));
        assert!(matches("[", "["));
        assert!(matches("[]a]x", "]x"));
        assert!(matches("\\*", "*"));
        assert!(!matches("\\*", "a"));
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in ".{0,30}", text in ".{0,30}") {
            let _ = matches(&pattern, &text);
        }

        #[test]
        fn a_text_with_stars_put_in_matches_itself(text in "[a-z0-9:]{0,20}", at in 0_usize..20) {
            let at = at.min(text.len());
            let (head, tail) = text.split_at(at);
            let starred = format!("{head}*{tail}");
            prop_assert!(matches(&starred, &text));
        }
    }
}
