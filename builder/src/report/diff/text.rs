//! A difference for people.

use std::fmt::Write;

use super::{Change, Difference, FileChange};
use crate::surface::NumberChange;
use crate::text::printable;

/// The difference as lines: `+` came, `-` went, `~` is another.
pub fn text(difference: &Difference) -> String {
    let Difference { before, after, image, components, inputs, parts, files, command_line, sysctls, surface } =
        difference;
    let [was, is] = [before, after].map(|image| format!("{} {}", printable(&image.name), printable(&image.version)));
    let mut text = format!("{was} → {is}\n");
    if difference.is_empty() {
        text.push_str("nothing differs\n");
        return text;
    }
    let _ = writeln!(
        text,
        "{} → {} files, {} → {} bytes ({:+})",
        before.files,
        after.files,
        before.bytes,
        after.bytes,
        i128::from(after.bytes) - i128::from(before.bytes)
    );
    let lists = [
        ("image", image),
        ("components", components),
        ("build inputs", inputs),
        ("modules and crates", parts),
        ("command line", command_line),
        ("sysctls", sysctls),
    ];
    for (title, changes) in lists.into_iter().filter(|(_, changes)| !changes.is_empty()) {
        let _ = writeln!(text, "\n{title}");
        // A word of the command line has no value but that it is there.
        changes.iter().for_each(|change| line(&mut text, change, title != "command line"));
    }
    if surface.iter().any(|change| change.before != change.after) {
        text.push_str("\nsurface\n");
        surface.iter().for_each(|change| number(&mut text, change));
    }
    if !files.is_empty() {
        text.push_str("\nfiles\n");
        files.iter().for_each(|change| file(&mut text, change));
    }
    text
}

fn line(text: &mut String, change: &Change, with_value: bool) {
    let Change { what, before, after } = change;
    let what = printable(what);
    let value = |value: &str| if with_value { format!(" {}", printable(value)) } else { String::new() };
    let _ = match (before, after) {
        (Some(before), Some(after)) => writeln!(text, "  ~ {what}{} →{}", value(before), value(after)),
        (None, Some(after)) => writeln!(text, "  + {what}{}", value(after)),
        (Some(before), None) => writeln!(text, "  - {what}{}", value(before)),
        (None, None) => Ok(()),
    };
}

/// A number whose parts alone differ is not shown: what they are stands elsewhere.
fn number(text: &mut String, change: &NumberChange) {
    let what = change.what.key();
    let _ = match (change.before, change.after) {
        (Some(before), Some(after)) if before == after => Ok(()),
        (Some(before), Some(after)) => {
            let by = i128::from(after) - i128::from(before);
            writeln!(text, "  ~ {what} {before} → {after} ({by:+})")
        }
        (None, Some(after)) => writeln!(text, "  + {what} {after}"),
        (Some(before), None) => writeln!(text, "  - {what} {before}"),
        (None, None) => Ok(()),
    };
}

fn file(text: &mut String, change: &FileChange) {
    let FileChange { file, before, after } = change;
    let file = printable(file);
    let _ = match (before, after) {
        (Some(before), Some(after)) => {
            let by = i128::from(after.size) - i128::from(before.size);
            writeln!(text, "  ~ {file} {} → {} bytes ({by:+})", before.size, after.size)
        }
        (None, Some(after)) => writeln!(text, "  + {file} {} bytes, of {}", after.size, printable(&after.component)),
        (Some(before), None) => writeln!(text, "  - {file} {} bytes, of {}", before.size, printable(&before.component)),
        (None, None) => Ok(()),
    };
}
