//! The crates that a Rust program was built from, as `cargo auditable` leaves them in it: the ELF section `.dep-v0`, JSON
//! packed by zlib.
//!
//! Format: rust-secure-code's `cargo-auditable`, `PARSING.md` and `cargo-auditable.schema.json`.
//!
//! Bytes are not trusted: what unpacks to more than a bound, and indexes that lead nowhere, are errors.

use std::io::Read;

use object::read::elf::ElfFile64;
use object::{LittleEndian, Object, ObjectSection};
use serde::{Deserialize, Serialize};

use super::elf;

/// The section's name.
pub const SECTION: &str = ".dep-v0";
/// The source of a workspace's own crates, and of those in other folders.
pub const LOCAL: &str = "local";
/// No list of crates is longer; the format's own readers stop at 8 MiB.
const MOST: u64 = 8 << 20;

/// The document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crates {
    /// The crates; their order is what [`Crate::dependencies`] counts by.
    pub packages: Vec<Crate>,
}

/// A crate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `crates.io`, `git`, `local`, `registry`, or another word.
    pub source: String,
    /// Whether its code is in the program, or only took part in the build.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: Kind,
    /// The crates that it uses, as indexes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dependencies: Vec<usize>,
    /// Whether this is the program's own crate.
    #[serde(default, skip_serializing_if = "is_default")]
    pub root: bool,
}

/// What a crate is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Its code is in the program.
    #[default]
    Runtime,
    /// A build script, a procedural macro, or what those use.
    Build,
}

/// Why a list of crates cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: section `.dep-v0` (offset {offset:#x}) is no list of crates: {what}; build the program anew")]
pub struct AuditableError {
    /// The file, as the caller names it.
    pub file: String,
    /// Where the section lies in it.
    pub offset: u64,
    /// What is wrong with it.
    pub what: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The crates that a program says that it was built from; `None` for one that says nothing, and for what is no program.
pub fn crates(bytes: &[u8], file: &str) -> Result<Option<Crates>, AuditableError> {
    if !elf::is_elf(bytes) || bytes.get(4..6) != Some(&[2, 1]) {
        return Ok(None);
    }
    // A file whose headers lead nowhere has no section; whoever runs it finds out.
    let Ok(elf) = ElfFile64::<LittleEndian>::parse(bytes) else { return Ok(None) };
    let Some(section) = elf.section_by_name(SECTION) else { return Ok(None) };
    let offset = section.file_range().map_or(0, |range| range.0);
    let wrong = |what: String| AuditableError { file: file.into(), offset, what };
    let packed = section.data().map_err(|error| wrong(error.to_string()))?;
    parse(packed).map(Some).map_err(wrong)
}

fn parse(packed: &[u8]) -> Result<Crates, String> {
    let mut json = Vec::new();
    let mut unpacked = flate2::read::ZlibDecoder::new(packed).take(MOST + 1);
    unpacked.read_to_end(&mut json).map_err(|error| format!("zlib: {error}"))?;
    if json.len() as u64 > MOST {
        return Err(format!("it unpacks to more than {MOST} bytes"));
    }
    let crates: Crates = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    for one in &crates.packages {
        if let Some(index) = one.dependencies.iter().find(|index| **index >= crates.packages.len()) {
            return Err(format!("`{}` uses crate {index} of {}", one.name, crates.packages.len()));
        }
    }
    Ok(crates)
}

/// The section's content for these crates.
pub fn pack(crates: &Crates) -> Vec<u8> {
    use std::io::Write;
    // Strings, numbers and lists of them: all of it has JSON, and memory takes all that is written to it.
    let json = serde_json::to_vec(crates).expect("crates have JSON");
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&json).and_then(|()| packed.finish()).expect("memory can be written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Crates {
        let one = |name: &str, kind, dependencies: &[usize]| Crate {
            name: name.into(),
            version: "1.0.0".into(),
            source: "crates.io".into(),
            kind,
            dependencies: dependencies.into(),
            root: false,
        };
        let own = Crate { root: true, source: "local".into(), ..one("init", Kind::Runtime, &[1, 2]) };
        Crates { packages: vec![own, one("nix", Kind::Runtime, &[]), one("serde_derive", Kind::Build, &[])] }
    }

    /// As the schema's own example has it.
    #[test]
    fn the_formats_own_words_are_read() {
        let json = br#"{"packages":[{"name":"adler","version":"1.0.2","source":"registry"},
            {"name":"app","version":"0.1.0","source":"local","dependencies":[0],"root":true},
            {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build","newer":1}]}"#;
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, json).unwrap();
        let crates = parse(&packed.finish().unwrap()).unwrap();
        let kinds: Vec<_> = crates.packages.iter().map(|one| (one.kind, one.root, one.dependencies.len())).collect();
        assert_eq!(kinds, [(Kind::Runtime, false, 0), (Kind::Runtime, true, 1), (Kind::Build, false, 0)]);
    }

    #[test]
    fn what_was_packed_is_read_again() {
        assert_eq!(parse(&pack(&sample())).unwrap(), sample());
        assert_eq!(pack(&sample()), pack(&sample()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let mut crates = sample();
        crates.packages[0].dependencies = vec![3];
        assert_eq!(parse(&pack(&crates)).unwrap_err(), "`init` uses crate 3 of 3");
        let packed = pack(&sample());
        assert!(parse(&packed[..packed.len() / 2]).unwrap_err().starts_with("zlib: "));
        let bomb = Crates { packages: vec![Crate { name: "a".repeat(9 << 20), ..Crate::default() }] };
        assert!(parse(&pack(&bomb)).unwrap_err().contains("more than 8388608 bytes"));
        assert_eq!(crates_of(b"\x7fELF"), Ok(None));
        assert_eq!(crates_of(b"#!/bin/sh"), Ok(None));
    }

    fn crates_of(bytes: &[u8]) -> Result<Option<Crates>, AuditableError> {
        crates(bytes, "it")
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, at in 0_usize..200, byte: u8) {
            let _ = (parse(&bytes), crates(&bytes, "it"));
            let mut packed = pack(&sample());
            let at = at % packed.len();
            packed[at] = byte;
            let _ = parse(&packed);
        }
    }
}
