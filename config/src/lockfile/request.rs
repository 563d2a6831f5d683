//! What a definition asks for, as bytes that a digest is made of.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::definition::{Architecture, Definition, Source};

/// The toolchains, tools and libraries that a definition needs beside its components.
pub fn toolchains(definition: &Definition) -> BTreeSet<&'static str> {
    // Every image has an EROFS root and an ext4 state template.
    let mut names = BTreeSet::new();
    if definition.is_image() {
        names.extend(["tool.e2fsprogs", "tool.erofs-utils"]);
    }
    for component in definition.components.values() {
        if let Source::Go(go) = &component.source {
            names.insert("toolchain.go");
            if let Some(cgo) = &go.cgo {
                names.insert("toolchain.zig");
                names.extend(cgo.libraries.iter().filter(|name| *name == "libseccomp").map(|_| "library.libseccomp"));
            }
        }
    }
    names
}

/// Canonical bytes of what a definition asks for: its sources, Kubernetes' version, its toolchains. What does not
/// change an input (a budget, a partition's size, a module list) is not in it, so that it leaves the lockfile valid.
pub fn request_digest_input(definition: &Definition) -> Vec<u8> {
    #[derive(Serialize)]
    struct Request<'d> {
        format: &'static str,
        architecture: Architecture,
        kubernetes: &'d str,
        sources: Vec<(&'d str, &'d Source)>,
        toolchains: BTreeSet<&'static str>,
    }
    let sources = definition.components.iter().map(|(name, component)| (name.as_str(), &component.source));
    let request = Request {
        format: "orlop-request-v1",
        architecture: definition.architecture,
        kubernetes: &definition.kubernetes,
        sources: sources.collect(),
        toolchains: toolchains(definition),
    };
    // Strings, lists and tables keyed by strings: all of it has JSON.
    serde_json::to_vec(&request).expect("requests have JSON")
}
