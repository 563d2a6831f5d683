//! Numbers for people.

use std::fmt::Write;

use crate::surface::{Number, Surface, What, changes};
use crate::text::shown;

/// Numbers whose every part stands below the table: each is a thing by itself.
const LISTED: [What; 6] =
    [What::Executables, What::Setuid, What::Capabilities, What::Interpreters, What::Listeners, What::Processes];

/// The numbers as a table; beside the previous ones where there are any, and then what changed of what makes them up.
pub fn text(surface: &Surface, previous: Option<&Surface>) -> String {
    let mut text = format!("{} {}", shown(&surface.image), shown(&surface.image_version));
    if let Some(previous) = previous {
        let _ = write!(text, ", before: {} {}", shown(&previous.image), shown(&previous.image_version));
    }
    text.push_str("\n\n");
    for what in What::ALL {
        let before = previous.map(|previous| previous.get(what));
        if surface.get(what).is_some() || before.flatten().is_some() {
            row(&mut text, what, surface.get(what), before);
        }
    }
    match previous {
        None => surface.numbers.iter().filter(|(what, _)| LISTED.contains(what)).for_each(|(what, number)| {
            list(&mut text, *what, number);
        }),
        Some(previous) => differences(&mut text, previous, surface),
    }
    text
}

fn row(text: &mut String, what: What, now: Option<u64>, before: Option<Option<u64>>) {
    let said = |number: Option<u64>| number.map_or("–".to_owned(), |number| number.to_string());
    let _ = write!(text, "{:<14} {:>12}", what.key(), said(now));
    if let Some(before) = before {
        let _ = write!(text, " {:>12}", said(before));
        if let (Some(now), Some(before)) = (now, before)
            && now != before
        {
            let _ = write!(text, " {:>+12}", i128::from(now) - i128::from(before));
        }
    }
    text.push('\n');
}

fn list(text: &mut String, what: What, number: &Number) {
    if number.of.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{} ({})", what.key(), what.parts());
    for (name, amount) in &number.of {
        let _ = writeln!(text, "  {amount:>12}  {}", shown(name));
    }
}

fn differences(text: &mut String, previous: &Surface, surface: &Surface) {
    for change in changes(previous, surface).iter().filter(|change| !change.of.is_empty()) {
        let _ = writeln!(text, "\n{} ({})", change.what.key(), change.what.parts());
        for (name, before, after) in &change.of {
            let by = i128::from(*after) - i128::from(*before);
            let _ = writeln!(text, "  {} {before} → {after} ({by:+})", shown(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::sample;

    #[test]
    fn one_image_has_its_numbers_and_what_can_be_named() {
        let text = text(&sample::surface(), None);
        assert!(text.starts_with("sample 1.2.3\n\nroot_bytes              109\n"), "{text}");
        assert!(text.contains("\nexecutables (bytes of each file)\n           990  /usr/bin/large\n"), "{text}");
        // What is none has no list, and what was not counted no row.
        assert!(!text.contains("setuid (") && !text.contains("listeners"), "{text}");
    }

    #[test]
    fn beside_the_previous_one_differences_are_shown() {
        let (before, mut after) = (sample::surface(), sample::surface());
        after.image_version = "1.3.0".into();
        let files = after.numbers.get_mut(&What::Files).unwrap();
        (files.is, files.of) = (2, [("large".to_owned(), 1), ("a\u{1b}b".to_owned(), 1)].into());
        after.numbers.insert(What::Listeners, Number { is: 1, of: [("kubelet".to_owned(), 1)].into() });
        let text = text(&after, Some(&before));
        let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        for row in [
            &["sample", "1.3.0,", "before:", "sample", "1.2.3"][..],
            &["root_bytes", "109", "109"],
            &["files", "2", "3", "-1"],
            &["listeners", "1", "–"],
            &["\"a\\u{1b}b\"", "0", "→", "1", "(+1)"],
            &["small", "2", "→", "0", "(-2)"],
        ] {
            assert!(words.iter().any(|words| words == row), "{row:?} is not in: {text}");
        }
    }
}
