//! What is looked for: packages, and the programs that nothing can be said about.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::formats::go_binary::Functions;
use crate::formats::purl::{encoded, encoded_path};

/// What an image, or a list of what is in it, is made of.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// The image's name.
    pub image: String,
    /// The image's version.
    pub version: String,
    /// Its architecture by the name that Go has for it (`amd64`); `None` where it is not known.
    pub architecture: Option<String>,
    /// Whether it is this program's own account of an image: then `image` is that image's name. Other tools call what a
    /// list is about by the name of its file.
    pub own: bool,
    /// The packages.
    pub packages: Vec<Package>,
    /// What there is beside them, of which nobody can say what it is made of.
    pub unjudged: Vec<Unjudged>,
    /// Component → what its distributor mended in it by patches.
    pub patched: BTreeMap<String, Patches>,
}

/// Flaw (`CVE-2026-43494`) → the version of the package that fixed it, as its own changelog says.
pub type Patches = BTreeMap<String, String>;

/// A package in a file of the image.
#[derive(Debug, Clone)]
pub struct Package {
    /// What it is called by those who write advisories.
    pub identity: Identity,
    /// What it is called by others, who are asked when no database is about the ecosystem of `identity`: Debian's kernel
    /// is a release of Linux too.
    pub otherwise: Option<Identity>,
    /// The component that brought it.
    pub by: By,
    /// The file in the image: a path of the root, or `initramfs:/init`; empty where it lies in none of its own.
    pub path: String,
    /// Of Go: the functions in that program, where they were read.
    pub functions: Option<Arc<Functions>>,
}

/// A package's name and version, as advisories have them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Identity {
    /// `Go`, `crates.io`, `Debian:13`, `Linux`.
    pub ecosystem: String,
    /// Of Go the module (`stdlib` for the standard library), of Debian the source package.
    pub name: String,
    /// `None` where it is not known.
    pub version: Option<String>,
}

/// The component of the image definition that brought something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct By {
    /// Its name in the definition.
    pub component: String,
    /// Its version; empty where it is not known.
    pub version: String,
}

/// What cannot be judged, so that "nothing was found" says nothing about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unjudged {
    /// The file in the image, or the ecosystem.
    pub what: String,
    /// The component that brought it; empty where it is not one's.
    pub component: String,
    /// Why, and what would help.
    pub reason: String,
}

impl Identity {
    /// The package URL (<https://github.com/package-url/purl-spec>); `None` for an ecosystem without a type there.
    pub fn purl(&self) -> Option<String> {
        let (name, version) = (&self.name, self.version.as_deref());
        let (kind, rest) = match self.ecosystem.split(':').next().unwrap_or_default() {
            // Its type knows no capital letters, whatever the module's own name has.
            "Go" => ("golang", encoded_path(&name.to_ascii_lowercase())),
            "crates.io" => ("cargo", encoded(name)),
            "Debian" => ("deb", format!("debian/{}", encoded(name))),
            "Linux" => ("generic", "linux".to_owned()),
            "Rust" if name == "std" => ("generic", "std".to_owned()),
            _ => return None,
        };
        let source = if kind == "deb" { "?arch=source" } else { "" };
        let version = version.map_or(String::new(), |version| format!("@{}", encoded(version)));
        Some(format!("pkg:{kind}/{rest}{version}{source}"))
    }
}
