//! Where the go command keeps what it fetched (`go help module-cache`).

use std::path::PathBuf;

use super::super::cache::Cache;
use super::super::error::Error;

/// Where it unpacked a module.
pub fn module_folder(cache: &Cache, name: &str, version: &str) -> Result<PathBuf, Error> {
    Ok(cache.folder("go/mod")?.join(format!("{}@{}", escaped(name), escaped(version))))
}

/// As it writes names for file systems that know no capital letters: `!` and the small one.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(character.to_ascii_lowercase());
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capital_letters_of_modules_are_escaped() {
        assert_eq!(escaped("github.com/Masterminds/SemVer"), "github.com/!masterminds/!sem!ver");
        assert_eq!(escaped("v1.0.0+incompatible"), "v1.0.0+incompatible");
    }
}
