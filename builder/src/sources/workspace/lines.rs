//! How much source of our own a program has: lines that hold something, without comments and without tests.
//!
//! Counted over what is compiled, which rustfmt has laid out: a module of tests ends with the first `}` that stands at a line's
//! beginning. What `Cargo.lock` brings is not our own; the list of crates in each program says that.

use std::collections::BTreeMap;

use super::pack::Files;

/// Package → lines.
pub fn count(files: &Files) -> BTreeMap<String, u64> {
    let package = |(path, manifest): (&String, &Vec<u8>)| {
        let folder = path.strip_suffix("Cargo.toml").filter(|folder| !folder.is_empty())?;
        let name = name(&String::from_utf8_lossy(manifest))?;
        let own = files.iter().filter(|(path, _)| path.strip_prefix(folder).is_some_and(is_counted));
        Some((name, own.map(|(_, source)| lines(&String::from_utf8_lossy(source))).sum::<u64>()))
    };
    files.iter().filter_map(package).collect()
}

/// What a manifest calls its package.
fn name(manifest: &str) -> Option<String> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("name = "))?;
    Some(line.trim().trim_matches('"').to_owned())
}

/// Rust, and no file of tests.
fn is_counted(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    let tests = file == "tests.rs" || file.ends_with("_tests.rs") || path.split('/').any(|folder| folder == "tests");
    file.ends_with(".rs") && !tests
}

fn lines(source: &str) -> u64 {
    let mut count = 0;
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
        let module = |next: &&str| next.starts_with("mod ") && next.ends_with('{');
        if line == "#[cfg(test)]" && lines.peek().is_some_and(module) {
            while lines.next().is_some_and(|line| line != "}") {}
            continue;
        }
        let text = line.trim_start();
        count += u64::from(!text.is_empty() && !text.starts_with("//"));
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "//! What it is.\n\nuse std::fs; // why\n\n/// Says.\nfn main() {\n    // Nothing.\n}\n\n\
        #[cfg(test)]\nmod tests {\n    #[test]\n    fn of_it() {\n    }\n}\n\nconst AFTER: u8 = 0;\n";

    #[test]
    fn comments_and_tests_are_not_counted() {
        assert_eq!(lines(SOURCE), 4, "use, fn, its end, const");
        // Of a module in another file, the two lines that name it.
        assert_eq!(lines("#[cfg(test)]\nmod tests;\nfn x() {}\n"), 3);
        assert_eq!((lines(""), lines("\n\n"), lines("#[cfg(test)]\nmod tests {\n")), (0, 0, 0));
    }

    #[test]
    fn each_package_has_its_own_lines() {
        let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
        let files = Files::from([
            file("Cargo.toml", "[workspace]\nname = \"none\"\n"),
            file("init/Cargo.toml", "[package]\nname = \"orlop-init\"\nversion = \"1\"\n"),
            file("init/src/main.rs", SOURCE),
            file("init/src/tests.rs", "fn a() {}\n"),
            file("init/src/node/state_tests.rs", "fn a() {}\n"),
            file("init/build.rs", "fn main() {}\n"),
            file("init/proto/a.proto", "message A {}\n"),
            file("initial/Cargo.toml", "name = \"other\"\n"),
            file("initial/src/main.rs", "fn main() {}\nfn b() {}\n"),
        ]);
        let counted: Vec<(String, u64)> = count(&files).into_iter().collect();
        assert_eq!(counted, [("orlop-init".to_owned(), 5), ("other".to_owned(), 2)]);
    }
}
