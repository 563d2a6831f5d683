//! What changed since the image before, list by list.

use super::Report;
use super::markup::Html;
use super::table::{folded, row, table};
use super::words::{growth, size};
use crate::report::diff::{Change, Difference, FileChange};
use crate::text::count;

/// Files that are shown at once; of more, the list is folded.
const SHOWN: usize = 20;

/// Writes the section.
pub fn write(html: &mut Html, report: &Report<'_>) {
    let Some(difference) = report.difference else { return };
    let Difference { before, after, .. } = difference;
    let text = format!(
        "Since {} {}: {} → {} files, {} → {} before compression ({}).",
        before.name,
        before.version,
        before.files,
        after.files,
        size(before.bytes),
        size(after.bytes),
        growth(before.bytes, after.bytes)
    );
    html.leaf("p", &[], &text);
    if difference.is_empty() {
        html.leaf("p", &[], "Nothing differs.");
        return;
    }
    let lists = [
        ("Image", &difference.image),
        ("Components", &difference.components),
        ("Build inputs", &difference.inputs),
        ("Modules and crates", &difference.parts),
        ("Sysctls", &difference.sysctls),
    ];
    for (title, changes) in lists {
        list(html, title, changes);
    }
    words(html, &difference.command_line);
    files(html, &difference.files);
}

fn list(html: &mut Html, title: &str, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let caption = format!("{title}: {}", count(changes.len(), "change", "changes"));
    table(html, &caption, &["What", "Change", "Before", "After"], |html| {
        for Change { what, before, after } in changes {
            let (before, after) = (before.as_deref(), after.as_deref());
            row(html, &[what, kind(before, after), before.unwrap_or("–"), after.unwrap_or("–")]);
        }
    });
}

/// A word of the command line has no value but that it is there.
fn words(html: &mut Html, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let caption = format!("Command line: {}", count(changes.len(), "word", "words"));
    table(html, &caption, &["Word", "Change"], |html| {
        for Change { what, before, after } in changes {
            row(html, &[what, kind(before.as_deref(), after.as_deref())]);
        }
    });
}

fn files(html: &mut Html, changes: &[FileChange]) {
    if changes.is_empty() {
        return;
    }
    let caption = format!("Files: {}", count(changes.len(), "change", "changes"));
    let rows = |html: &mut Html| {
        table(html, &caption, &["File", "Change", "Component", "Size", "By"], |html| {
            for FileChange { file, before, after } in changes {
                let [was, is] = [before, after].map(|state| state.as_ref().map_or(0, |state| state.size));
                let component = after.as_ref().or(before.as_ref()).map_or("", |state| &state.component);
                let kind = kind(before.as_ref(), after.as_ref());
                row(html, &[file, kind, component, &size(is), &growth(was, is)]);
            }
        });
    };
    if changes.len() > SHOWN { folded(html, &caption, rows) } else { rows(html) }
}

/// Came, went, or is another.
fn kind<T>(before: Option<T>, after: Option<T>) -> &'static str {
    match (before, after) {
        (None, _) => "new",
        (_, None) => "gone",
        (Some(_), Some(_)) => "changed",
    }
}
