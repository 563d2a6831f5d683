//! `/usr/share/orlop/fixed.json`: the flaws that a package's own changelog names as fixed. A distribution mends by patches:
//! the version alone does not tell what is mended, and the changelog does not lie in the image.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Version of the document's format.
const VERSION: u32 = 1;

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// Format version, first: 1.
    pub version: u32,
    /// Component → version of its package → the flaws (`CVE-2026-43494`) that the changelog names under that version.
    pub components: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Fixed {
    /// What the changelog of one component's package names.
    pub fn of(component: &str, fixed: BTreeMap<String, BTreeSet<String>>) -> Fixed {
        Fixed { version: VERSION, components: BTreeMap::from([(component.to_owned(), fixed)]) }
    }

    /// Reads the document; an error says what is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Fixed, String> {
        let document: Fixed = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        match document.version {
            VERSION => Ok(document),
            other => Err(format!("its format is version {other}, and this `orlop` knows version {VERSION}")),
        }
    }

    /// Component → flaw → the version that fixed it.
    pub fn by_flaw(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.components.iter().map(|(component, versions)| (component.clone(), by_flaw(versions))).collect()
    }
}

fn by_flaw(versions: &BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, String> {
    let mut flaws_of = BTreeMap::new();
    for (version, flaws) in versions {
        flaws_of.extend(flaws.iter().map(|flaw| (flaw.clone(), version.clone())));
    }
    flaws_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_comes_back_as_it_was_written_and_another_version_is_an_error() {
        let flaws = BTreeSet::from(["CVE-2026-0001", "CVE-2026-0002"].map(str::to_owned));
        let fixed = BTreeMap::from([("6.12.48-2".to_owned(), flaws)]);
        let document = Fixed::of("kernel", fixed);
        let json = serde_json::to_string(&document).unwrap();
        let wanted = r#"{"version":1,"components":{"kernel":{"6.12.48-2":["CVE-2026-0001","CVE-2026-0002"]}}}"#;
        assert_eq!(json, wanted);
        let read = Fixed::parse(json.as_bytes()).unwrap();
        assert_eq!(read, document);
        assert_eq!(read.by_flaw()["kernel"]["CVE-2026-0002"], "6.12.48-2");
        let error = Fixed::parse(json.replace("\"version\":1", "\"version\":2").as_bytes()).unwrap_err();
        assert!(error.contains("version 2, and this `orlop` knows version 1"), "{error}");
        assert!(
            Fixed::parse(br#"{"version":1,"components":{},"more":1}"#).unwrap_err().contains("unknown field `more`")
        );
    }
}
