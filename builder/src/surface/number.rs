//! The numbers, and the document that they stand in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of the document's format.
const VERSION: u32 = 1;
/// No document is longer.
const MOST: usize = 4 << 20;

/// One of the numbers, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Bytes of the root image, compressed.
    RootBytes,
    /// Bytes of the UKI, without its signature.
    UkiBytes,
    /// Bytes of PID 1.
    InitBytes,
    /// Lines of PID 1's own source, without tests, comments and blank lines.
    InitLines,
    /// Regular files of the root.
    Files,
    /// Regular files of the root with an execute bit.
    Executables,
    /// Files with a setuid or setgid bit.
    Setuid,
    /// Files with `security.capability`.
    Capabilities,
    /// Files that start with `#!`, programs that want a loader, and known interpreters.
    Interpreters,
    /// Kernel modules, in the root or the initramfs.
    Modules,
    /// Sockets that listen on the host, in a boot.
    Listeners,
    /// Programs that run on the host outside of pods, in a boot.
    Processes,
}

/// A number, and what makes it up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// Bytes, lines, or how many there are.
    pub is: u64,
    /// What it is made of → how much of that: of the root a component's bytes before compression, of the UKI a section's, of files a
    /// component's, of modules a subsystem's; of all else that is counted each one by itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub of: BTreeMap<String, u64>,
}

/// What an image exposes: `NAME.surface.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surface {
    /// Format version, first: 1.
    pub version: u32,
    /// The image's name.
    pub image: String,
    /// The image's version.
    pub image_version: String,
    /// The root hash, hex.
    pub root_hash: String,
    /// The numbers. Those of a boot are there where one was looked at.
    pub numbers: BTreeMap<What, Number>,
}

/// Why bytes are no such document.
#[derive(Debug, thiserror::Error)]
pub enum SurfaceError {
    /// Not even tried.
    #[error("{0} bytes, more than {MOST}")]
    TooLong(usize),
    /// Not JSON, or not these fields.
    #[error("not a document of surface numbers (`NAME.surface.json`): {0}")]
    Text(serde_json::Error),
    /// A format that this program does not know.
    #[error("its format is version {0}, and version {VERSION} is the one known here; use the `orlop` that made it")]
    Version(u32),
}

impl What {
    /// All of them.
    pub const ALL: [What; 12] = [
        What::RootBytes,
        What::UkiBytes,
        What::InitBytes,
        What::InitLines,
        What::Files,
        What::Executables,
        What::Setuid,
        What::Capabilities,
        What::Interpreters,
        What::Modules,
        What::Listeners,
        What::Processes,
    ];

    /// As documents and `[budgets]` write it.
    pub fn key(self) -> &'static str {
        match self {
            What::RootBytes => "root_bytes",
            What::UkiBytes => "uki_bytes",
            What::InitBytes => "init_bytes",
            What::InitLines => "init_lines",
            What::Files => "files",
            What::Executables => "executables",
            What::Setuid => "setuid",
            What::Capabilities => "capabilities",
            What::Interpreters => "interpreters",
            What::Modules => "modules",
            What::Listeners => "listeners",
            What::Processes => "processes",
        }
    }

    /// Whether there are images of which nobody knows it: those that were not booted, and those whose PID 1 is not Orlop's.
    pub fn may_be_unknown(self) -> bool {
        matches!(self, What::InitLines | What::Listeners | What::Processes)
    }

    /// What the parts of the number are.
    pub fn parts(self) -> &'static str {
        match self {
            What::RootBytes => "bytes of each component before compression",
            What::UkiBytes => "bytes of each section",
            What::Files => "files of each component",
            What::Executables | What::Setuid | What::Capabilities | What::Interpreters => "bytes of each file",
            What::Modules => "modules of each subsystem",
            What::Listeners => "sockets of each program",
            What::Processes => "processes of each program",
            What::InitBytes | What::InitLines => "",
        }
    }
}

impl Surface {
    /// One of no numbers yet.
    pub fn new(image: &str, image_version: &str, root_hash: &str) -> Surface {
        let (image, image_version, root_hash) = (image.into(), image_version.into(), root_hash.into());
        Surface { version: VERSION, image, image_version, root_hash, numbers: BTreeMap::new() }
    }

    /// A number; `None` where it was not counted.
    pub fn get(&self, what: What) -> Option<u64> {
        self.numbers.get(&what).map(|number| number.is)
    }
}

/// The document's bytes.
pub fn render(surface: &Surface) -> Vec<u8> {
    // Names and numbers only: there is no value without JSON, and every key is a string.
    let mut bytes = serde_json::to_vec_pretty(surface).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Reads a document.
pub fn parse(bytes: &[u8]) -> Result<Surface, SurfaceError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    if bytes.len() > MOST {
        return Err(SurfaceError::TooLong(bytes.len()));
    }
    // The version decides what the other fields mean.
    let Version { version } = serde_json::from_slice(bytes).map_err(SurfaceError::Text)?;
    if version != VERSION {
        return Err(SurfaceError::Version(version));
    }
    serde_json::from_slice(bytes).map_err(SurfaceError::Text)
}

#[cfg(test)]
mod tests {
    use super::super::sample::surface;
    use super::*;

    #[test]
    fn a_document_reads_back_and_its_keys_are_those_of_budgets() {
        let bytes = render(&surface());
        assert_eq!(parse(&bytes).unwrap(), surface());
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        for what in What::ALL {
            assert_eq!(serde_json::to_value(what).unwrap(), what.key());
            assert_eq!(document["numbers"].get(what.key()).is_some(), surface().get(what).is_some(), "{what:?}");
        }
        assert_eq!(document["numbers"]["files"]["is"], 3);
    }

    #[test]
    fn what_is_no_such_document_says_so() {
        let text = String::from_utf8(render(&surface())).unwrap();
        for (from, to, says) in [
            ("\"version\": 1", "\"version\": 2", "version 2, and version 1 is the one known here"),
            ("\"files\"", "\"flies\"", "unknown variant `flies`"),
            ("\"image\"", "\"picture\"", "unknown field `picture`"),
            ("{", "[", "not a document of surface numbers"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = parse(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(parse(&vec![b' '; MOST + 1]).unwrap_err().to_string().contains("more than"));
        for end in 0..text.len() - 1 {
            assert!(parse(&text.as_bytes()[..end]).is_err(), "cut at {end}");
        }
    }
}
