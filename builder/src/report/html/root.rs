//! What the root holds, by size: a treemap of components and their files, and tables of the same.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Report;
use super::markup::Html;
use super::picture::{Frame, label, picture, rect};
use super::table::{folded, row, table};
use super::treemap::{Area, squarify};
use super::words::{share, short, size};
use crate::inventory::{File, Inventory, Kind, Place};
use crate::text::count;

const PICTURE: Area = Area { x: 0.0, y: 0.0, width: 1000.0, height: 560.0 };
/// So many files of a component have a box of their own; the others share one.
const DRAWN: usize = 40;
/// So many files stand in the table of the largest.
const LARGEST: usize = 50;
/// How many colours the style has.
const COLOURS: usize = 8;
/// What a character is wide, about.
const CHARACTER: f64 = 6.6;

/// A component's files in the root, the largest first.
struct Group<'a> {
    component: &'a str,
    version: &'a str,
    files: Vec<&'a File>,
    bytes: u64,
}

/// Writes the section.
pub fn write(html: &mut Html, report: &Report<'_>) {
    let groups = groups(report.inventory);
    let total: u64 = groups.iter().map(|group| group.bytes).sum();
    html.leaf("p", &[], "Sizes are those of the files, before the root's file system compresses them.");
    draw(html, &groups, total);
    table(html, "Components by their size in the root", &["Component", "Version", "Files", "Size", "Share"], |html| {
        for group in &groups {
            let files = group.files.len().to_string();
            row(html, &[group.component, group.version, &files, &size(group.bytes), &share(group.bytes, total)]);
        }
    });
    let mut files: Vec<&File> = groups.iter().flat_map(|group| group.files.iter().copied()).collect();
    files.sort_by_key(|file| Reverse(file.size));
    files.truncate(LARGEST);
    folded(html, &format!("The largest {}", count(files.len(), "file", "files")), |html| {
        table(html, "The largest files of the root", &["File", "Component", "Size"], |html| {
            for file in &files {
                row(html, &[&file.path, &file.component, &size(file.size)]);
            }
        });
    });
}

/// The largest first; of one size, by name. Links have no size to speak of.
fn groups(inventory: &Inventory) -> Vec<Group<'_>> {
    let mut by_component: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    let in_root = |file: &&File| file.place == Place::Root && !matches!(file.kind, Kind::Link(_));
    for file in inventory.files.iter().filter(in_root) {
        by_component.entry(&file.component).or_default().push(file);
    }
    let mut groups: Vec<Group<'_>> = by_component
        .into_iter()
        .map(|(component, mut files)| {
            files.sort_by_key(|file| Reverse(file.size));
            let version = inventory.components.get(component).map_or("", |found| found.version.as_str());
            Group { component, version, bytes: files.iter().map(|file| file.size).sum(), files }
        })
        .collect();
    groups.sort_by_key(|group| Reverse(group.bytes));
    groups
}

fn draw(html: &mut Html, groups: &[Group<'_>], total: u64) {
    let largest: Vec<String> = groups
        .iter()
        .take(3)
        .map(|group| format!("{} {}", short(group.component, 40), share(group.bytes, total)))
        .collect();
    let description = format!(
        "A treemap: {} of {} in all, as large as their files. The largest: {}.",
        count(groups.len(), "component", "components"),
        size(total),
        largest.join(", ")
    );
    let frame = Frame {
        id: "root-picture",
        title: "Sizes in the root",
        description: &description,
        size: (PICTURE.width, PICTURE.height),
    };
    let weights: Vec<u64> = groups.iter().map(|group| group.bytes).collect();
    picture(html, &frame, |svg| {
        for (number, (group, area)) in groups.iter().zip(squarify(&weights, PICTURE)).enumerate() {
            draw_group(svg, group, area, colour(number));
        }
    });
}

fn colour(number: usize) -> &'static str {
    const CLASSES: [&str; COLOURS] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];
    CLASSES.get(number % COLOURS).copied().unwrap_or("c0")
}

/// A component's name stands over its files where there is room for it.
fn draw_group(svg: &mut Html, group: &Group<'_>, area: Area, class: &'static str) {
    let named = area.width > 60.0 && area.height > 40.0;
    let title = format!("{} {}, {}", group.component, group.version, size(group.bytes));
    rect(svg, "group", area, |svg| svg.leaf("title", &[], &title));
    if named {
        let text = format!("{} {}", group.component, size(group.bytes));
        word(svg, "strong", area, 15.0, &text);
    }
    let inside = area.inset(1.5, if named { 18.0 } else { 0.0 });
    for (file, area) in boxes(group, inside) {
        rect(svg, class, area, |svg| svg.leaf("title", &[], &format!("{}, {}", file.name, size(file.bytes))));
        if area.height > 16.0 {
            let name = file.name.rsplit('/').next().unwrap_or(&file.name);
            word(svg, "small", area, 13.0, name);
        }
    }
}

/// As much of a text as its box has room for; nothing where that would be too little to be read.
fn word(svg: &mut Html, class: &str, area: Area, down: f64, text: &str) {
    let most = ((area.width - 8.0) / CHARACTER) as usize;
    if most >= 4 {
        label(svg, class, (area.x + 4.0, area.y + down), &short(text, most));
    }
}

/// What a box stands for.
struct Boxed {
    name: String,
    bytes: u64,
}

/// The boxes of a component's files: the largest have one each, and the others one together.
fn boxes(group: &Group<'_>, within: Area) -> Vec<(Boxed, Area)> {
    let (own, others) = group.files.split_at(group.files.len().min(DRAWN));
    let mut boxed: Vec<Boxed> = own.iter().map(|file| Boxed { name: file.path.clone(), bytes: file.size }).collect();
    if !others.is_empty() {
        let bytes = others.iter().map(|file| file.size).sum();
        boxed.push(Boxed { name: format!("{} smaller", count(others.len(), "file", "files")), bytes });
    }
    let weights: Vec<u64> = boxed.iter().map(|boxed| boxed.bytes).collect();
    let areas = squarify(&weights, within);
    boxed.into_iter().zip(areas).filter(|(_, area)| area.surface() > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::sample::inventory;

    #[test]
    fn groups_are_sorted_by_size_and_hold_every_file_but_links() {
        let inventory = inventory();
        let groups = groups(&inventory);
        let rows: Vec<_> = groups.iter().map(|group| (group.component, group.files.len(), group.bytes)).collect();
        let bytes = |path: &str| inventory.files.iter().find(|file| file.path.starts_with(path)).unwrap().size;
        let expected = [
            ("my_motd", 1, bytes("/etc/motd")),
            ("init", 1, bytes("/usr/libexec/orlop/init")),
            ("runc", 1, bytes("/usr/bin/runc")),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn of_many_files_the_small_ones_share_a_box() {
        let file = |number: u64| File { size: 100 + number, ..inventory().files[0].clone() };
        let files: Vec<File> = (0..100).rev().map(file).collect();
        let bytes = files.iter().map(|file| file.size).sum();
        let group = Group { component: "x", version: "1", files: files.iter().collect(), bytes };
        let boxes = boxes(&group, PICTURE);
        assert_eq!((boxes.len(), &*boxes[DRAWN].0.name), (DRAWN + 1, "60 files smaller"));
        assert_eq!(boxes.iter().map(|(boxed, _)| boxed.bytes).sum::<u64>(), bytes);
        let surface: f64 = boxes.iter().map(|(_, area)| area.surface()).sum();
        assert!((surface - PICTURE.surface()).abs() < 1e-6, "{surface}");
    }
}
