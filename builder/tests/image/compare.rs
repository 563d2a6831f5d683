//! Two builds, compared from the outside in, so that the first difference is named by what it is.

use std::collections::{BTreeMap, BTreeSet};
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
    let why = made_from(folders)
        .or_else(|| results(caches))
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

/// What the builds were made from, as their release manifests say.
fn made_from(folders: [&Path; 2]) -> Option<String> {
    let name = made(folders[0]).into_iter().find(|name| name.ends_with(".release.json"))?;
    let [one, other] = folders.map(|folder| {
        let document: Value = serde_json::from_slice(&fs::read(folder.join(&name)).unwrap()).unwrap();
        document["build"].clone()
    });
    Some(format!("{name}: field {}", field(&one, &other, "build")?))
}

/// The first field that differs, by its path, with both values.
fn field(one: &Value, other: &Value, path: &str) -> Option<String> {
    let (Value::Object(fields), Value::Object(others)) = (one, other) else {
        return (one != other).then(|| format!("{path}: {one} and {other}"));
    };
    let names: BTreeSet<&String> = fields.keys().chain(others.keys()).collect();
    names.into_iter().find_map(|name| {
        let [one, other] = [fields, others].map(|fields| fields.get(name).unwrap_or(&Value::Null));
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        field(one, other, &path)
    })
}

fn documents(folders: [&Path; 2]) -> Option<String> {
    let documents = made(folders[0]).into_iter().filter(|name| name.ends_with(".json"));
    documents.into_iter().find_map(|name| {
        let read = |folder: &Path| serde_json::from_slice::<Value>(&fs::read(folder.join(&name)).unwrap()).unwrap();
        let [one, other] = folders.map(read);
        Some(format!("{name}: field {}", field(&one, &other, "")?))
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
    if let Some((one, other)) = members[0].iter().zip(&members[1]).find(|(one, other)| one != other) {
        let documents = [one, other].map(|member| serde_json::from_slice::<Value>(member.bytes).unwrap_or_default());
        let field = field(&documents[0], &documents[1], "").map_or(String::new(), |field| format!(": field {field}"));
        return Some(format!("the initramfs: member {}{field}", one.path));
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

#[test]
fn the_first_field_that_differs_is_named_by_its_path() {
    let boot = |salt: &str| serde_json::json!({ "image": "x", "verity": { "data_blocks": 7, "salt": salt } });
    assert_eq!(field(&boot("a"), &boot("a"), ""), None);
    let found = field(&boot("a"), &boot("b"), "").unwrap();
    assert_eq!(found, "verity.salt: \"a\" and \"b\"");
    assert_eq!(field(&serde_json::json!({}), &boot("b"), "").unwrap(), "image: null and \"x\"");
}
