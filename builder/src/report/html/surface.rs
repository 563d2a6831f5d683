//! What the image exposes, in numbers: beside those of the image before, where there is one.

use super::Report;
use super::markup::Html;
use super::table::{folded, row, table};
use crate::surface::{What, changes};

/// Numbers whose every part is a thing by itself, and worth a name.
const LISTED: [What; 5] = [What::Setuid, What::Capabilities, What::Interpreters, What::Listeners, What::Processes];

/// Writes the section.
pub fn write(html: &mut Html, report: &Report<'_>) {
    let Some(surface) = report.surface else { return };
    let said = |number: Option<u64>| number.map_or("–".to_owned(), |number| number.to_string());
    let mut columns = vec!["Number", "Is"];
    if report.surface_before.is_some() {
        columns.extend(["Was", "By"]);
    }
    table(html, "Numbers of the surface", &columns, |html| {
        for what in What::ALL {
            let (now, before) = (surface.get(what), report.surface_before.map(|before| before.get(what)));
            if now.is_none() && before.flatten().is_none() {
                continue;
            }
            let mut cells = vec![what.key().to_owned(), said(now)];
            if let Some(before) = before {
                cells.extend([said(before), by(before, now)]);
            }
            row(html, &cells.iter().map(String::as_str).collect::<Vec<_>>());
        }
    });
    for what in LISTED {
        let Some(number) = surface.numbers.get(&what).filter(|number| !number.of.is_empty()) else { continue };
        table(html, &format!("{} ({})", what.key(), what.parts()), &["What", "Is"], |html| {
            number.of.iter().for_each(|(part, is)| row(html, &[part, &is.to_string()]));
        });
    }
    if let Some(before) = report.surface_before {
        differences(html, &changes(before, surface));
    }
}

/// Which parts of a number are others.
fn differences(html: &mut Html, changes: &[crate::surface::NumberChange]) {
    for change in changes.iter().filter(|change| !change.of.is_empty()) {
        let title = format!("What changed of {} ({})", change.what.key(), change.what.parts());
        folded(html, &title, |html| {
            table(html, &title, &["What", "Is", "Was", "By"], |html| {
                for (part, was, is) in &change.of {
                    row(html, &[part, &is.to_string(), &was.to_string(), &by(Some(*was), Some(*is))]);
                }
            });
        });
    }
}

/// With its sign; nothing where nothing changed, or where nobody counted.
fn by(before: Option<u64>, now: Option<u64>) -> String {
    match (before, now) {
        (Some(before), Some(now)) if before != now => format!("{:+}", i128::from(now) - i128::from(before)),
        _ => String::new(),
    }
}
