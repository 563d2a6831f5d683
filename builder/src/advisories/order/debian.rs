//! Debian's versions (policy §5.6.12): `[epoch:]upstream[-revision]`.
//!
//! The crate `debversion` compares digits that one side lacks by their number: for it `1.` is older than `1.0`, and
//! `1.0~rc` than `1.0~rc0`. The policy and dpkg take them for equal; an advisory's edge may lie there.

use std::cmp::Ordering;

/// A version.
#[derive(Debug, Clone)]
pub struct Version {
    epoch: u32,
    upstream: String,
    revision: String,
}

impl Version {
    /// Reads a version; `None` for what dpkg refuses. An upstream version that begins with a letter is taken, as dpkg
    /// takes it from what is installed.
    pub fn parse(text: &str) -> Option<Version> {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch.parse().ok()?, rest),
            Some(_) => return None,
            None => (0, text),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        let good = |text: &str, marks: &[u8]| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
        };
        (good(upstream, b".+-~:") && good(revision, b".+~")).then(|| Version {
            epoch,
            upstream: upstream.to_owned(),
            revision: revision.to_owned(),
        })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare(&self.upstream, &other.upstream))
            .then_with(|| compare(&self.revision, &other.revision))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

/// Runs of what is no digit and runs of digits in turns.
fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        let (words, numbers) = (split(&mut a, false), split(&mut a, true));
        let (other_words, other_numbers) = (split(&mut b, false), split(&mut b, true));
        let order = compare_words(words, other_words).then_with(|| compare_numbers(numbers, other_numbers));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Takes the run of digits, or of what is none, from the beginning.
fn split<'a>(text: &mut &'a [u8], digits: bool) -> &'a [u8] {
    let end = text.iter().position(|byte| byte.is_ascii_digit() != digits).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    run
}

/// `~` before the end, the end before letters, letters before everything else.
fn compare_words(a: &[u8], b: &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    let ends = a.len().max(b.len());
    (0..ends).map(|at| weight(a.get(at)).cmp(&weight(b.get(at)))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// By value, however long; none is 0.
fn compare_numbers(a: &[u8], b: &[u8]) -> Ordering {
    let zeros = |digits: &[u8]| digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
    let (a, b) = (&a[zeros(a)..], &b[zeros(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(a: &str, b: &str) -> Ordering {
        Version::parse(a).unwrap().cmp(&Version::parse(b).unwrap())
    }

    /// Each is older than the next: examples of the policy, of dpkg's own tests and of real packages.
    #[test]
    fn versions_ascend_as_dpkg_says() {
        let ascending = [
            "0~~",
            "0~~a",
            "0~",
            "0",
            "0a",
            "0+",
            "1.0~rc1-1",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1+deb13u1",
            "1.0-1.1",
            "1.0-2~bpo12+1",
            "1.0-2",
            "1.0a-1",
            "1.0+dfsg-1",
            "1.0.1-1",
            "1.2-3",
            "1.2-3-1",
            "1.9-1",
            "1.10-1",
            "6.12.9-1",
            "6.12.48-1",
            "6.12.48-2",
            "99999999999999999999999-1",
            "1:0.1-1",
            "1:0.1-2",
            "2:0",
        ];
        for pair in ascending.windows(2) {
            let [a, b] = pair else { unreachable!() };
            assert_eq!(order(a, b), Ordering::Less, "{a} < {b}");
            assert_eq!(order(b, a), Ordering::Greater, "{b} > {a}");
        }
    }

    #[test]
    fn what_dpkg_takes_for_equal_is_equal() {
        for (a, b) in [
            ("1.0", "0:1.0"),
            ("1.0", "1.0-0"),
            ("1.", "1.0"),
            ("1.0~rc", "1.0~rc0"),
            ("1.01", "1.1"),
            ("00:1", "1"),
            ("0", "00"),
        ] {
            assert_eq!(order(a, b), Ordering::Equal, "{a} = {b}");
        }
    }

    #[test]
    fn what_dpkg_refuses_is_none() {
        for text in
            ["", ":", "1:", "a:1", "-1:1", "1.0-", "-1", "1_0", "1.0 1", "1.0-1_2", "5000000000:1", "1.0\n", "é"]
        {
            assert!(Version::parse(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        /// The crate that the archive's index is read with, another's work, but for digits that are missing.
        #[test]
        fn the_crate_agrees(a in "([0-2]:)?[0-9][0-9a-z]?[.+~a-z][0-9]{1,2}(-[0-9][+~.][0-9])?",
                            b in "([0-2]:)?[0-9][0-9a-z]?[.+~a-z][0-9]{1,2}(-[0-9][+~.][0-9])?") {
            let (theirs, others): (debversion::Version, debversion::Version) = (a.parse().unwrap(), b.parse().unwrap());
            prop_assert_eq!(order(&a, &b), theirs.cmp(&others), "{} and {}", a, b);
        }

        #[test]
        fn the_order_is_one(a in "[0-9a~.+-]{1,6}", b in "[0-9a~.+-]{1,6}", c in "[0-9a~.+-]{1,6}") {
            if let (Some(a), Some(b), Some(c)) = (Version::parse(&a), Version::parse(&b), Version::parse(&c)) {
                prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
                prop_assert!(a > b || b > c || a <= c);
            }
        }

        #[test]
        fn any_text_is_a_version_or_none(text: String) {
            let _ = Version::parse(&text);
        }
    }
}
