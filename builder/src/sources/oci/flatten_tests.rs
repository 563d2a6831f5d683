//! Layers as tools and attackers make them.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::sources::cache::hash;

/// What a member of a layer is: its name, and a file's text, or where a link leads.
#[derive(Debug, Clone, Copy)]
enum Is<'a> {
    Text(&'a str),
    Folder(u32),
    Symlink(&'a str),
    Hard(&'a str),
}

fn layer(members: &[(&str, Is<'_>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, is) in members {
        let mut header = Header::new_gnu();
        header.set_mtime(7);
        header.set_uid(3);
        header.set_gid(4);
        header.set_size(0);
        header.set_mode(0o644);
        match is {
            Is::Text(text) => {
                header.set_size(text.len() as u64);
                builder.append_data(&mut header, path, text.as_bytes()).unwrap();
            }
            Is::Folder(mode) => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(*mode);
                builder.append_data(&mut header, path, std::io::empty()).unwrap();
            }
            Is::Symlink(target) | Is::Hard(target) => {
                let hard = matches!(is, Is::Hard(_));
                header.set_entry_type(if hard { EntryType::Link } else { EntryType::Symlink });
                builder.append_link(&mut header, path, target).unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

/// The one layer's members: path → text, link or mode.
fn laid(layers: &[Vec<u8>]) -> Result<Vec<(String, String)>, String> {
    let folder = tempfile::tempdir().unwrap();
    let (mut files, mut ids) = (Vec::new(), Vec::new());
    for (number, bytes) in layers.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        std::fs::write(&path, bytes).unwrap();
        files.push(path);
        ids.push(format!("sha256:{}", hash(bytes)));
    }
    let made = flatten("image", &files, &ids, folder.path()).map_err(|error| error.to_string())?;
    let bytes = std::fs::read(&made.file).unwrap();
    assert_eq!(hash(&bytes), made.sha256);
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut found = Vec::new();
    for member in archive.entries().unwrap() {
        let mut member = member.unwrap();
        let path = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        let is = match member.header().entry_type() {
            EntryType::Directory => format!("{:o}", member.header().mode().unwrap()),
            EntryType::Symlink => format!("→{}", String::from_utf8_lossy(&member.link_name_bytes().unwrap())),
            _ => {
                let mut text = String::new();
                member.read_to_string(&mut text).unwrap();
                text
            }
        };
        assert_eq!((member.header().uid().unwrap(), member.header().mtime().unwrap()), (3, 7));
        found.push((path, is));
    }
    Ok(found)
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(path, is)| ((*path).to_owned(), (*is).to_owned())).collect()
}

#[test]
fn upper_layers_add_replace_and_take_away() {
    let lower = layer(&[
        ("etc", Is::Folder(0o755)),
        ("etc/kept", Is::Text("old")),
        ("etc/gone", Is::Text("old")),
        ("cache/a/b", Is::Text("old")),
        ("opaque/old", Is::Text("old")),
        ("file", Is::Text("old")),
        ("was-a-folder/x", Is::Text("old")),
    ]);
    let upper = layer(&[
        ("etc", Is::Folder(0o700)),
        ("etc/.wh.gone", Is::Text("")),
        (".wh.cache", Is::Text("")),
        ("opaque/new", Is::Text("new")),
        ("opaque/.wh..wh..opq", Is::Text("")),
        ("./file", Is::Text("new")),
        ("was-a-folder", Is::Text("new")),
    ]);
    let want = [("etc", "700"), ("etc/kept", "old"), ("file", "new"), ("opaque/new", "new"), ("was-a-folder", "new")];
    assert_eq!(laid(&[lower, upper]).unwrap(), pairs(&want));
}

#[test]
fn links_lead_where_they_would_on_a_disk() {
    let lower = layer(&[
        ("usr/lib", Is::Folder(0o755)),
        ("lib", Is::Symlink("usr/lib")),
        ("up/here", Is::Symlink("../../usr/lib")),
        ("usr/lib/one", Is::Text("text")),
        ("usr/bin/two", Is::Hard("lib/one")),
    ]);
    let upper = layer(&[
        ("lib/three", Is::Text("3")),
        ("up/here/four", Is::Text("4")),
        ("usr/lib/one", Is::Text("changed")),
        ("lib/.wh.none", Is::Text("")),
    ]);
    let want = [
        ("lib", "→usr/lib"),
        ("up/here", "→../../usr/lib"),
        ("usr/bin/two", "text"),
        ("usr/lib", "755"),
        ("usr/lib/four", "4"),
        ("usr/lib/one", "changed"),
        ("usr/lib/three", "3"),
    ];
    assert_eq!(laid(&[lower, upper]).unwrap(), pairs(&want));
}

#[test]
fn what_cannot_be_laid_is_named() {
    for (members, says) in [
        (vec![("a", Is::Text("")), ("a/b", Is::Text(""))], "`a/b`: it lies below a file"),
        (vec![(".wh.a/b", Is::Text(""))], "`.wh.a/b`: it lies in what a layer takes away"),
        (vec![("a", Is::Hard("b"))], "`a`: a hard link to `b`, which is no file"),
        (vec![("a", Is::Symlink("b")), ("b", Is::Symlink("a")), ("a/c", Is::Text(""))], "a circle of symbolic links"),
    ] {
        let error = laid(&[layer(&members)]).unwrap_err();
        assert!(error.contains("layer 1: ") && error.contains(says), "{error}");
    }
    let mut outside = layer(&[("xx/a", Is::Text("x"))]);
    outside[..2].copy_from_slice(b"..");
    let sum: u32 = outside[..512]
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    outside[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(laid(&[outside]).unwrap_err().contains("leads out of the image"));
}

#[test]
fn a_layer_is_what_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layer");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&layer(&[("a", Is::Text("a"))])).unwrap();
    std::fs::write(&path, packed.finish().unwrap()).unwrap();
    let other = format!("sha256:{}", hash(b"another"));
    let error = flatten("image", &[path], std::slice::from_ref(&other), folder.path()).err().unwrap().to_string();
    assert!(error.contains("a layer unpacks to sha256:") && error.contains(&other), "{error}");
}

fn member() -> impl Strategy<Value = (String, u8)> {
    ("(a|b|c|\\.wh\\.a|\\.wh\\.\\.wh\\.\\.opq)(/(a|b|\\.wh\\.b)){0,2}", 0u8..4)
}

proptest! {
    /// The same whatever they are, and no name twice: the node's reader takes it.
    #[test]
    fn any_layers_end_as_one_or_an_error(layers in proptest::collection::vec(proptest::collection::vec(member(), 0..8), 1..4)) {
        let layers: Vec<Vec<u8>> = layers.iter().map(|members| {
            let members: Vec<(&str, Is<'_>)> = members.iter().map(|(path, kind)| {
                let is = match kind { 0 => Is::Text("x"), 1 => Is::Folder(0o755), 2 => Is::Symlink("../b"), _ => Is::Hard("a") };
                (path.as_str(), is)
            }).collect();
            layer(&members)
        }).collect();
        let (one, other) = (laid(&layers), laid(&layers));
        prop_assert_eq!(&one, &other);
        if let Ok(found) = one {
            prop_assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "{:?}", found);
            prop_assert!(found.iter().all(|(path, _)| !path.contains(".wh.")), "{:?}", found);
        }
    }
}
