//! What a package is licensed under, where its makers say it in words that a program can read: an SPDX expression (SPDX 2.3,
//! annex D).
//!
//! A crate's manifest has one. What else has a text beside its code that is one of the usual licences, word for word
//! ([`matching`]), declares that one. Everything else declares nothing here: nobody guesses.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::super::error::Error;
use super::{Texts, files, matching};

/// `Cargo.toml`, as far as it is needed.
#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    /// A table, where a workspace has it (`license.workspace = true`): what is packed for a registry has it written out.
    license: Option<toml::Value>,
}

/// What the crate in a folder declares; nothing where it only names a file (`license-file`).
pub(super) fn of_crate(folder: &Path) -> Result<Option<String>, Error> {
    let path = folder.join("Cargo.toml");
    let manifest: Manifest =
        toml::from_str(&files::read(&path)?).map_err(|error| Error::format(path.display(), error))?;
    Ok(manifest.package.license.as_ref().and_then(toml::Value::as_str).and_then(of_field))
}

/// The expression in a manifest's field `license`, in which `/` once stood for `OR`.
fn of_field(field: &str) -> Option<String> {
    let old = field.contains('/');
    let text = field.replace('/', " OR ");
    let words: Vec<&str> = text.split_whitespace().collect();
    // Which of the two binds, nobody ever said.
    let unclear = old && words.iter().any(|word| *word == "AND" || word.contains(['(', ')']));
    let text = words.join(" ");
    (!unclear && is_expression(&text)).then_some(text)
}

/// What texts declare: every licence among them, all of which hold. One that is not known leaves nothing to be said.
pub(super) fn of_texts(texts: &Texts) -> Option<String> {
    let licences = texts.iter().filter(|(file, _)| files::is_licence(file));
    let found: BTreeSet<&str> = licences.map(|(_, text)| matching::identifier(text)).collect::<Option<_>>()?;
    (!found.is_empty()).then(|| found.into_iter().collect::<Vec<_>>().join(" AND "))
}

/// Whether a text is an expression over identifiers as SPDX's list has them. What refers to a text of a document
/// (`LicenseRef-…`) is none here: no manifest brings such a text along.
pub(crate) fn is_expression(text: &str) -> bool {
    let text = text.replace('(', " ( ").replace(')', " ) ");
    // It begins as what stands in brackets does.
    let (mut open, mut last, mut is_exception) = (0_usize, "(", false);
    for word in text.split_whitespace() {
        let begins = matches!(last, "(" | "AND" | "OR");
        let fits = match word {
            "(" => begins,
            ")" => open > 0 && !begins && last != "WITH",
            "AND" | "OR" => !begins && last != "WITH",
            // Behind an identifier, and once.
            "WITH" => !begins && !matches!(last, ")" | "WITH") && !is_exception,
            _ => (begins || last == "WITH") && is_identifier(word),
        };
        if !fits {
            return false;
        }
        match word {
            "(" => open += 1,
            ")" => open -= 1,
            _ => {}
        }
        is_exception = last == "WITH";
        last = word;
    }
    open == 0 && !matches!(last, "(" | "AND" | "OR" | "WITH")
}

/// `MIT`, `0BSD`, `GPL-2.0+`.
fn is_identifier(word: &str) -> bool {
    const NONE: [&str; 5] = ["and", "or", "with", "none", "noassertion"];
    let id = word.strip_suffix('+').unwrap_or(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(plain)
        && id.contains(|c: char| c.is_ascii_alphabetic())
        && !NONE.contains(&&*id.to_ascii_lowercase())
        && !["LicenseRef-", "DocumentRef-"].iter().any(|start| id.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIT: &str = super::super::OWN[1].1;
    const APACHE: &str = super::super::OWN[0].1;

    #[test]
    fn expressions_are_told_from_other_words() {
        for text in [
            "MIT",
            "0BSD OR MIT OR Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR MIT",
            "GPL-2.0+",
            "((MIT))",
        ] {
            assert!(is_expression(text), "{text}");
        }
        for text in [
            "",
            "MIT Apache-2.0",
            "MIT OR",
            "OR MIT",
            "MIT AND OR ISC",
            "()",
            "(MIT",
            "MIT)",
            "MIT OR (ISC AND)",
            "WITH MIT",
            "MIT WITH",
            "(MIT) WITH LLVM-exception",
            "MIT WITH a WITH b",
            "MIT or ISC",
            "MIT, ISC",
            "see LICENSE",
            "2.0",
            "-MIT",
            "MIT++",
            "NOASSERTION",
            "LicenseRef-mine",
            "MIT OR \u{202e}ISC",
        ] {
            assert!(!is_expression(text), "{text}");
        }
    }

    #[test]
    fn a_manifest_declares_what_its_field_says() {
        let desk = tempfile::tempdir().unwrap();
        let of = |lines: &str| {
            std::fs::write(desk.path().join("Cargo.toml"), format!("[package]\nname = \"x\"\n{lines}\n")).unwrap();
            of_crate(desk.path())
        };
        for (lines, declared) in [
            ("license = \"MIT OR  Apache-2.0\"", Some("MIT OR Apache-2.0")),
            ("license = \"Apache-2.0 / MIT\"", Some("Apache-2.0 OR MIT")),
            ("license = \"MIT/Unlicense\"\nlicense-file = \"COPYING\"", Some("MIT OR Unlicense")),
            ("license = \"MIT/ISC AND Zlib\"", None),
            ("license = \"(MIT/ISC)\"", None),
            ("license = \"as you like\"", None),
            ("license.workspace = true", None),
            ("license-file = \"LICENSE\"", None),
            ("", None),
        ] {
            assert_eq!(of(lines).unwrap().as_deref(), declared, "{lines}");
        }
        let error = of("license = ").unwrap_err().to_string();
        assert!(error.contains("Cargo.toml: TOML parse error at line "), "{error}");
        std::fs::remove_file(desk.path().join("Cargo.toml")).unwrap();
        assert!(of_crate(desk.path()).unwrap_err().to_string().contains("Cargo.toml: No such file"));
    }

    #[test]
    fn texts_declare_what_all_of_them_are() {
        let of = |texts: &[(&str, &str)]| {
            of_texts(&texts.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect())
        };
        assert_eq!(of(&[("LICENSE", MIT)]).as_deref(), Some("MIT"));
        assert_eq!(of(&[("LICENSE", MIT), ("LICENSES/MIT.txt", MIT)]).as_deref(), Some("MIT"));
        assert_eq!(of(&[("LICENSE.MIT", MIT), ("LICENSE", APACHE)]).as_deref(), Some("Apache-2.0 AND MIT"));
        // Who did it and whose patents it has is another matter.
        let beside = [("AUTHORS", "A"), ("LICENSE", APACHE), ("NOTICE", "N"), ("PATENTS", "P")];
        assert_eq!(of(&beside).as_deref(), Some("Apache-2.0"));
        assert_eq!(of(&[("LICENSE", MIT), ("COPYING.md", "Some of it is mine.")]), None);
        assert_eq!(of(&[("LICENSE", &MIT.replace("free of charge", "for a charge"))]), None);
        assert_eq!((of(&[("NOTICE", MIT)]), of(&[])), (None, None));
    }
}
