//! `NAME.licences.json`: what each package in an image declares to be licensed under, which licence texts lie beside its code, and
//! those texts, each once.
//!
//! The root carries none: nobody reads them on a node, and its size has a budget. The release manifest names the document, so that
//! it is handed on with the image; it names the image's root hash, so that it is not taken for another build's.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::sources::{Licensed, Owner, hash, is_expression};
use crate::text::shown;

/// Version of the document's format. 2: with the root hash, and what packages declare.
const VERSION: u32 = 2;
/// No document is longer.
pub const MOST: u64 = 64 << 20;

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licences {
    /// Format version, first: 2.
    pub version: u32,
    /// The image's name.
    pub image: String,
    /// The image's version.
    pub image_version: String,
    /// The image's root hash, hex.
    pub root_hash: String,
    /// The packages, by owner, name and version.
    pub packages: Vec<Package>,
    /// The packages beside whose code no text lay, for people: `cargo x 1.0.0`.
    pub without_text: Vec<String>,
    /// SHA-256 of a text → the text.
    pub texts: BTreeMap<String, String>,
}

/// A package that has code in the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Whose package it is.
    pub owner: Owner,
    /// Its name there; of a component, that of the definition.
    pub name: String,
    /// Its version; empty where only the toolchain that brought it knows.
    pub version: String,
    /// The components that it is in.
    pub components: BTreeSet<String>,
    /// The licence that it declares, an SPDX expression; none where it declares none that a program can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// File name → SHA-256 of its text.
    pub texts: BTreeMap<String, String>,
}

/// Why bytes are no such document.
#[derive(Debug, thiserror::Error)]
pub enum LicencesError {
    /// Not JSON, or not these fields.
    #[error("not a document of licence texts (`NAME.licences.json`): {0}")]
    Text(serde_json::Error),
    /// A format that this program does not know.
    #[error("its format is version {0}, and version {VERSION} is the one known here; use the `orlop` that made it")]
    Version(u32),
    /// A text that is not there, or another one.
    #[error("`{name}` of {package}: the document has no text with SHA-256 {sha256}; take it from the build again")]
    Dangling {
        /// Which package.
        package: String,
        /// The file's name.
        name: String,
        /// What it names.
        sha256: String,
    },
    /// What would not be an expression in a document that is made of it.
    #[error("{package}: it declares `{declared}`, which is no SPDX expression; take the document from the build again")]
    Expression {
        /// Which package.
        package: String,
        /// What it declares, as it can be printed.
        declared: String,
    },
    /// The document of another image.
    #[error("of {theirs}, and the image is {ours}; name the one beside it")]
    Other {
        /// Whose it is, as it can be printed.
        theirs: String,
        /// Whose it was to be.
        ours: String,
    },
}

impl Package {
    /// As lists name it.
    pub fn label(&self) -> String {
        let owner = match self.owner {
            Owner::Component => "component",
            Owner::Go => "go",
            Owner::Cargo => "cargo",
            Owner::Library => "library",
        };
        format!("{owner} {} {}", self.name, self.version).trim_end().to_owned()
    }
}

impl Licences {
    /// The document of an image.
    pub fn new(image: &str, image_version: &str, root_hash: &str, found: Vec<Licensed>) -> Licences {
        let mut texts = BTreeMap::new();
        let mut named = |text: String| {
            let sha256 = hash(text.as_bytes());
            texts.entry(sha256.clone()).or_insert(text);
            sha256
        };
        let mut packages = Vec::new();
        for Licensed { owner, name, version, components, declared, texts } in found {
            let texts = texts.into_iter().map(|(file, text)| (file, named(text))).collect();
            packages.push(Package { owner, name, version, components, declared, texts });
        }
        let without = packages.iter().filter(|package| package.texts.is_empty());
        Licences {
            version: VERSION,
            image: image.into(),
            image_version: image_version.into(),
            root_hash: root_hash.into(),
            without_text: without.map(Package::label).collect(),
            packages,
            texts,
        }
    }

    /// Its bytes.
    pub fn render(&self) -> Vec<u8> {
        // Texts by their names: all of it has JSON.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Checks that it is the document of this image, and of this build of it.
    pub fn check(&self, image: &str, image_version: &str, root_hash: &str) -> Result<(), LicencesError> {
        let of = |name: &str, version: &str, hash: &str| format!("{name} {version} with the root hash {hash}");
        let (ours, theirs) =
            (of(image, image_version, root_hash), of(&self.image, &self.image_version, &self.root_hash));
        if ours == theirs { Ok(()) } else { Err(LicencesError::Other { theirs: shown(&theirs), ours: shown(&ours) }) }
    }

    /// Reads one. Every text that a package names is there, and is the one that it names; what it declares is an expression.
    pub fn parse(bytes: &[u8]) -> Result<Licences, LicencesError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        // The version decides what the other fields mean.
        let Version { version } = serde_json::from_slice(bytes).map_err(LicencesError::Text)?;
        if version != VERSION {
            return Err(LicencesError::Version(version));
        }
        let licences: Licences = serde_json::from_slice(bytes).map_err(LicencesError::Text)?;
        let whole: BTreeSet<&String> =
            licences.texts.iter().filter(|(sha256, text)| hash(text.as_bytes()) == **sha256).map(|row| row.0).collect();
        for package in &licences.packages {
            if let Some((name, sha256)) = package.texts.iter().find(|(_, sha256)| !whole.contains(sha256)) {
                let (package, name, sha256) = (package.label(), name.clone(), sha256.clone());
                return Err(LicencesError::Dangling { package, name, sha256 });
            }
            if let Some(declared) = package.declared.as_ref().filter(|declared| !is_expression(declared)) {
                let (package, declared) = (shown(&package.label()), shown(declared));
                return Err(LicencesError::Expression { package, declared });
            }
        }
        Ok(licences)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two modules with one text, a crate that declares a licence and has no text, and libseccomp: of the sample inventory.
    pub fn sample() -> Licences {
        let licensed = |owner: Owner, name: &str, version: &str, texts: &[(&str, &str)]| Licensed {
            owner,
            name: name.into(),
            version: version.into(),
            components: ["runc".to_owned()].into(),
            declared: (owner == Owner::Cargo).then(|| "MIT OR ISC".to_owned()),
            texts: texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        };
        let bsd = ("LICENSE", "BSD <text>\n");
        let found = vec![
            licensed(Owner::Go, "github.com/opencontainers/runc", "v1.5.2", &[("LICENSE", "Apache\n")]),
            licensed(Owner::Go, "golang.org/x/net", "v0.35.0", &[bsd, ("PATENTS", "Patents\n")]),
            licensed(Owner::Go, "golang.org/x/sys", "v0.30.0", &[bsd]),
            licensed(Owner::Cargo, "nix", "0.31.3", &[]),
            licensed(Owner::Library, "libseccomp", "2.6.0-2", &[("LICENSE", "LGPL\n")]),
        ];
        Licences::new("sample", "1.2.3", &"12".repeat(32), found)
    }

    #[test]
    fn each_text_stands_there_once_and_what_has_none_is_named() {
        let licences = sample();
        assert_eq!(licences.texts.len(), 4);
        assert_eq!(licences.packages[1].texts["LICENSE"], licences.packages[2].texts["LICENSE"]);
        assert_eq!(licences.without_text, ["cargo nix 0.31.3"]);
        assert_eq!(licences.packages[3].declared.as_deref(), Some("MIT OR ISC"));
        assert_eq!(Licences::parse(&licences.render()).unwrap(), licences);
    }

    #[test]
    fn what_is_no_such_document_says_so() {
        let text = String::from_utf8(sample().render()).unwrap();
        let error = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Licences::parse(text.replace(from, to).as_bytes()).unwrap_err().to_string()
        };
        assert!(error("\"version\": 2,", "\"version\": 1,").contains("version 1, and version 2"));
        assert!(error("\"owner\": \"cargo\"", "\"owner\": \"cargoo\"").contains("unknown variant `cargoo`"));
        let altered = error("LGPL\\n", "MIT\\n");
        assert!(altered.starts_with("`LICENSE` of library libseccomp 2.6.0-2: the document has no text"), "{altered}");
        let declared = error("MIT OR ISC", "MIT OR \u{202e}");
        let says = "cargo nix 0.31.3: it declares `\"MIT OR \\u{202e}\"`, which is no SPDX expression";
        assert!(declared.starts_with(says), "{declared}");
        assert!(Licences::parse(b"[]").unwrap_err().to_string().contains("not a document of licence texts"));
    }

    /// A build of yesterday has the same name and version.
    #[test]
    fn the_document_of_another_image_or_build_is_refused() {
        let licences = sample();
        let own = "12".repeat(32);
        licences.check("sample", "1.2.3", &own).unwrap();
        let other = "34".repeat(32);
        for (image, version, hash) in [("other", "1.2.3", &own), ("sample", "1.2.4", &own), ("sample", "1.2.3", &other)]
        {
            let error = licences.check(image, version, hash).unwrap_err().to_string();
            let says = format!(
                "of sample 1.2.3 with the root hash {own}, and the image is {image} {version} with the root hash {hash}; \
                 name the one beside it"
            );
            assert_eq!(error, says);
        }
    }
}
