//! Two builds, compared from the outside in, so that the first difference is named by what it is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use orlop::formats::{cpio, erofs, pe};
use orlop::image::open::{Cursor, Image};
use orlop_chain::device::ReadAt;
use orlop_chain::gpt::types;
use serde_json::Value;

use crate::support::names;

/// The first difference of two output folders, and of what the two caches made on the way; nothing when all is equal.
pub fn difference(folders: [&Path; 2], caches: [&Path; 2]) -> Option<String> {
    let listings = folders.map(made);
    if listings[0] != listings[1] {
        return Some(format!("the files made: {:?} and {:?}", listings[0], listings[1]));
    }
    let differs = |name: &&String| !same(&folders[0].join(name), &folders[1].join(name));
    let files: Vec<&String> = listings[0].iter().filter(differs).collect();
    if files.is_empty() {
        return None;
    }
    let why = results(caches)
        .or_else(|| images(folders))
        .or_else(|| documents(folders))
        .unwrap_or_else(|| "in bytes that have no name".into());
    Some(format!("{why} (files that differ: {files:?})"))
}

/// What a build made, without its stamp: that names paths and the program itself.
fn made(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| !name.ends_with(".build.json")).collect()
}

fn same(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| File::open(path).unwrap());
    let bytes = one.size().unwrap();
    bytes == other.size().unwrap() && regions_differ(&one, &other, bytes).is_none()
}

/// The first byte that differs.
fn regions_differ(one: &impl ReadAt, other: &impl ReadAt, bytes: u64) -> Option<u64> {
    const STEP: u64 = 1 << 20;
    (0..bytes.div_ceil(STEP)).map(|step| step * STEP).find_map(|at| {
        let count = STEP.min(bytes - at) as usize;
        let [a, b] = [one.bytes_at(at, count).unwrap(), other.bytes_at(at, count).unwrap()];
        let first = a.iter().zip(&b).position(|(a, b)| a != b)?;
        Some(at + first as u64)
    })
}

/// The first file that a step of both builds made differently.
fn results(caches: [&Path; 2]) -> Option<String> {
    let results = caches.map(|cache| cache.join("results"));
    names(&results[0]).iter().find_map(|key| {
        let lists = results.each_ref().map(|folder| fs::read(folder.join(key).join("files.json")).ok());
        let [one, other] = lists.map(|list| {
            list.map_or_else(BTreeMap::new, |text| serde_json::from_slice::<BTreeMap<String, Value>>(&text).unwrap())
        });
        let name = one.iter().find(|(name, file)| other.get(*name).is_some_and(|other| other != *file))?.0;
        Some(format!("step {key}: file {name}: {} and {}", one[name], other[name]))
    })
}

fn documents(folders: [&Path; 2]) -> Option<String> {
    let documents = made(folders[0]).into_iter().filter(|name| name.ends_with(".json"));
    documents.into_iter().find_map(|name| {
        let [one, other] = folders.map(|folder| {
            serde_json::from_slice::<BTreeMap<String, Value>>(&fs::read(folder.join(&name)).unwrap()).unwrap()
        });
        let field = one.iter().find(|(field, value)| other.get(*field) != Some(value))?.0;
        Some(format!("{name}: field {field}: {} and {:?}", one[field], other.get(field)))
    })
}

fn images(folders: [&Path; 2]) -> Option<String> {
    let name = made(folders[0]).into_iter().find(|name| name.ends_with(".raw"))?;
    let [one, other] = folders.map(|folder| Image::open(&folder.join(&name)).unwrap());
    root(&one, &other).or_else(|| uki(&one, &other)).or_else(|| partitions(&one, &other))
}

fn root(one: &Image, other: &Image) -> Option<String> {
    let [one, other] = [one, other].map(|image| {
        let entry = image.table.gpt.of_type(types::ROOT_X86_64).next().unwrap();
        erofs::list(&mut Cursor::new(image.region(entry))).unwrap()
    });
    let pair = one.iter().zip(&other).find(|(one, other)| one != other);
    pair.map(|(one, other)| format!("the root: {one:?} and {other:?}"))
}

fn uki(one: &Image, other: &Image) -> Option<String> {
    let [one, other] = [one, other].map(|image| image.uki().unwrap());
    let members = [&one, &other].map(|uki| cpio::read(&uki.initramfs).unwrap());
    if let Some((member, _)) = members[0].iter().zip(&members[1]).find(|(one, other)| one != other) {
        return Some(format!("the initramfs: member {}", member.path));
    }
    let images = [&one, &other].map(|uki| pe::Image::parse(&uki.bytes).unwrap());
    let differs = |name: &str| images[0].section(name) != images[1].section(name);
    let section = images[0].sections.iter().map(|section| &section.name).find(|name| differs(name));
    section.map(|name| format!("the UKI: section {name}"))
}

fn partitions(one: &Image, other: &Image) -> Option<String> {
    let pairs = one.table.gpt.entries.iter().zip(&other.table.gpt.entries);
    pairs.into_iter().find_map(|(a, b)| {
        if a != b {
            return Some(format!("the partition table: {a:?} and {b:?}"));
        }
        let at = regions_differ(&one.region(a), &other.region(b), a.sectors() * 512)?;
        Some(format!("partition {}: byte {at}", a.name))
    })
}
