//! Debian's changelogs (`deb-changelog(5)`), read for one thing: which flaws they name, and by which version each was fixed.
//!
//! An entry begins in the first column, `SOURCE (VERSION) SUITE; urgency=URGENCY`, and the newest stands first. Whoever
//! mends a flaw names it where he says how (developers' reference §5.8.5.2). A revert with a flaw's name mends it by being
//! one; what it reverts, by its title (`Revert "TITLE"`), mends nothing any more.

use std::collections::{BTreeMap, BTreeSet};

/// The packages' files that are changelogs of Debian's, by their folder and the end of their names. Of a native package
/// (the source of signed kernels is one) it has the name that is upstream's elsewhere, and is none of Debian's there: such
/// a text has no entry.
const FOLDER: &str = "usr/share/doc/";
const NAMES: [&str; 2] = ["changelog.Debian.gz", "changelog.gz"];
/// The source of signatures counts its own versions (`6.12.118+1`), and says in its newest entry what it signs.
const SIGNED: &str = "* Sign kernel from ";
/// What an item begins with.
const BULLETS: [&str; 3] = ["* ", "- ", "+ "];

/// Whether a file of a package is its changelog, by its path in the package.
pub fn is_changelog(path: &str) -> bool {
    let name = path.strip_prefix(FOLDER).and_then(|rest| rest.split_once('/')).map(|(_, name)| name);
    name.is_some_and(|name| NAMES.contains(&name))
}

/// Version → the flaws (`CVE-2026-43494`) that the changelog names under it. A flaw that several entries name stands under
/// the newest: only there was the last of it mended. One whose newest item a newer entry reverts is not fixed.
pub fn fixed(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut fixed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut seen, mut reverted) = (BTreeSet::new(), BTreeSet::new());
    for Entry { version, items } in entries(text) {
        // What an entry reverts, it may mend again itself: that counts for older entries alone.
        let mut here = BTreeSet::new();
        for item in items {
            let back = reverted.iter().any(|title: &String| item.starts_with(&**title));
            here.extend(reverts(&item).filter(|_| !back).map(str::to_owned));
            for flaw in flaws(&item) {
                if seen.insert(flaw.to_owned()) && !back {
                    fixed.entry(version.clone()).or_default().insert(flaw.to_owned());
                }
            }
        }
        reverted.append(&mut here);
    }
    fixed
}

/// An entry: what was done for a version.
struct Entry {
    version: String,
    /// Each on one line, without its bullet and the architectures that it is about (`[x86] `).
    items: Vec<String>,
}

/// The entries, the newest first. What stands above the first is no version's.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(version) = entry(line) {
            entries.push(Entry { version: version.to_owned(), items: Vec::new() });
            open = false;
            continue;
        }
        let Some(entry) = entries.last_mut() else { continue };
        let line = line.trim();
        if let Some(signed) = line.strip_prefix(SIGNED).and_then(|signed| signed.rsplit(' ').next()) {
            entry.version = signed.to_owned();
        }
        if let Some(item) = BULLETS.iter().find_map(|bullet| line.strip_prefix(*bullet)) {
            entry.items.push(without_architectures(item).to_owned());
            open = true;
        } else if line.is_empty() {
            open = false;
        } else if open && let Some(item) = entry.items.last_mut() {
            item.push(' ');
            item.push_str(line);
        } else {
            entry.items.push(line.to_owned());
            open = true;
        }
    }
    entries
}

fn without_architectures(item: &str) -> &str {
    let mut rest = item.trim_start();
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once("] ")) {
        rest = after.trim_start();
    }
    rest
}

/// The title of what an item reverts.
fn reverts(item: &str) -> Option<&str> {
    let (title, _) = item.strip_prefix("Revert \"")?.rsplit_once('"')?;
    Some(title).filter(|title| !title.trim().is_empty())
}

/// The version of the entry that begins in a line.
fn entry(line: &str) -> Option<&str> {
    let (source, rest) = line.split_once(" (")?;
    let (version, rest) = rest.split_once(')')?;
    let named = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    (named(source) && named(version) && rest.contains("; urgency=")).then_some(version)
}

fn flaws(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("CVE-").filter_map(move |(at, _)| flaw(&line[at..]))
}

/// The flaw that a text begins with: `CVE-`, a year, and four digits or more.
fn flaw(text: &str) -> Option<&str> {
    let (year, number) = text.strip_prefix("CVE-")?.split_once('-')?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let good = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()) && digits >= 4;
    good.then(|| &text[.."CVE-".len() + year.len() + "-".len() + digits])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of the changelog in Debian's `linux-image-6.12.117+deb13-cloud-amd64` 6.12.117-1 (GPL-2.0, as the kernel): entries,
    /// whole or shortened to the items that name flaws.
    const LINUX: &str = include_str!("testdata/changelog");

    fn rows(text: &str) -> Vec<String> {
        fixed(text)
            .into_iter()
            .map(|(version, flaws)| format!("{version}: {}", flaws.into_iter().collect::<Vec<_>>().join(" ")))
            .collect()
    }

    #[test]
    fn the_kernels_changelog_names_flaws_by_the_version_that_fixed_them() {
        assert_eq!(
            rows(LINUX),
            [
                "6.0.12-1: CVE-2022-3643 CVE-2022-42328 CVE-2022-42329",
                "6.0.2-1: CVE-2022-41674 CVE-2022-42719 CVE-2022-42720 CVE-2022-42721",
                "6.12.116-1: CVE-2026-100080 CVE-2026-100081 CVE-2026-100082",
                "6.12.117-1: CVE-2026-98466 CVE-2026-99286 CVE-2026-99287",
                "6.12.90-2: CVE-2026-43494",
            ]
        );
    }

    /// The source of signatures copies the changelog of what it signs, below a line of its own.
    #[test]
    fn the_newest_entrys_version_is_that_of_the_kernel_that_was_signed() {
        assert!(LINUX.starts_with("linux-signed-amd64 (6.12.117+1) "));
        let (_, own) = LINUX.split_once("* Sign kernel from linux 6.12.117-1").unwrap();
        let unsigned = format!("linux (6.12.117-1) trixie-security; urgency=high\n{own}");
        assert_eq!(rows(&unsigned), rows(LINUX));
    }

    #[test]
    fn a_flaw_that_is_named_twice_stands_under_the_newest_version() {
        let text = "x (2-1) a; urgency=low\n\n  * y (CVE-2026-0001)\n\nx (1-1) a; urgency=low\n\n  * z (CVE-2026-0001, CVE-2026-0002)\n";
        assert_eq!(rows(text), ["1-1: CVE-2026-0002", "2-1: CVE-2026-0001"]);
    }

    #[test]
    fn a_fix_that_a_newer_version_reverts_is_none() {
        let entry = |version: &str, items: &str| format!("x ({version}) a; urgency=low\n\n{items}\n -- y\n\n");
        let fix =
            entry("1-1", "  * net: y\n    - [x86] y: check the\n      length (CVE-2026-0001)\n  * z (CVE-2026-0002)");
        let revert = |items: &str| format!("{}{fix}", entry("2-1", items));
        assert_eq!(rows(&revert("  * [amd64,arm64] Revert \"y: check\n    the length\"")), ["1-1: CVE-2026-0002"]);
        // It is mended again where it was reverted, or later.
        let again = "  * Revert \"y: check the length\"\n  * y: check the length (CVE-2026-0001)";
        assert_eq!(rows(&revert(again)), ["1-1: CVE-2026-0002", "2-1: CVE-2026-0001"]);
        let later = entry("3-1", "  * y: check the length (CVE-2026-0001)");
        let reverted = revert("  * Revert \"y: check the length\"");
        assert_eq!(rows(&format!("{later}{reverted}")), ["1-1: CVE-2026-0002", "3-1: CVE-2026-0001"]);
        // A revert that is reverted undoes nothing.
        let undone = entry("3-1", "  * Revert \"Revert \"y: check the length\"\"");
        assert_eq!(rows(&format!("{undone}{reverted}")), ["1-1: CVE-2026-0001 CVE-2026-0002"]);
        for nothing in ["  * Revert \"\"", "  * Revert y: check the length", "  * Revert \"w\""] {
            assert_eq!(rows(&revert(nothing)), ["1-1: CVE-2026-0001 CVE-2026-0002"], "{nothing}");
        }
    }

    #[test]
    fn what_names_no_flaw_and_what_is_no_entry_says_nothing() {
        for text in [
            "",
            "  * CVE-2026-0001",
            "x 1-1 a; urgency=low\n * CVE-2026-0001",
            "x (1-1) and CVE-2026-0001",
            "x (1-1) a; urgency=low\n * CVE-2026-001 CVE-26-0001 CVE-2026 CVE-é-0001 CVE-",
        ] {
            assert!(fixed(text).is_empty(), "{text}");
        }
        assert_eq!(rows("x (1-1) a; urgency=low\n * CVE-2026-1234567é"), ["1-1: CVE-2026-1234567"]);
    }

    #[test]
    fn a_packages_changelog_is_known_by_its_place() {
        for (path, wanted) in [
            ("usr/share/doc/linux-image-6.12.118+deb13-cloud-amd64/changelog.Debian.gz", true),
            ("usr/share/doc/linux-image-6.12.118+deb13-cloud-amd64/changelog.gz", true),
            ("usr/share/doc/x/examples/changelog.gz", false),
            ("usr/share/doc/changelog.gz", false),
            ("usr/share/doc/x/changelog.Debian.amd64.gz", false),
        ] {
            assert_eq!(is_changelog(path), wanted, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(x \\(1\\) a; urgency=low\n|\\* Revert \"|\"|\\[x\\] |CVE-[0-9-]{0,12}|\n|é|.){0,40}") {
            fixed(&text);
        }
    }
}
