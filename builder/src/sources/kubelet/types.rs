//! What a Go file says of documents: its imports, and its structs with the names that JSON has for their fields. Each of them
//! is a line, as gofmt lays files out.

use std::collections::BTreeMap;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GoTypes {
    /// What the file calls a package → the package.
    imports: BTreeMap<String, String>,
    structs: BTreeMap<String, Vec<Field>>,
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in JSON. `None`: it is a struct whose fields stand in its place.
    pub key: Option<String>,
    /// Its type, as the file calls it: `[]v1.Taint`.
    pub kind: String,
}

impl GoTypes {
    /// Reads a file. What is laid out otherwise is not there, so that what is looked for in it is not found.
    pub fn parse(source: &str) -> GoTypes {
        let text = without_comments(source);
        let mut types = GoTypes::default();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line == "import (" {
                lines.by_ref().take_while(|line| *line != ")").for_each(|line| types.add_import(line));
            } else if let Some(one) = line.strip_prefix("import ") {
                types.add_import(one);
            } else if let Some(name) = line.strip_prefix("type ").and_then(|rest| rest.strip_suffix(" struct {")) {
                types.structs.insert(name.to_owned(), fields(&mut lines));
            }
        }
        types
    }

    /// The package that the file calls by this name.
    pub fn import(&self, name: &str) -> Option<&str> {
        self.imports.get(name).map(String::as_str)
    }

    /// The fields of a struct; none where there is no such one.
    pub fn fields(&self, name: &str) -> &[Field] {
        self.structs.get(name).map_or(&[], Vec::as_slice)
    }

    /// `v1 "k8s.io/api/core/v1"`, or without a name of its own: then the last part of the path is it.
    fn add_import(&mut self, line: &str) {
        let mut parts = line.split('"');
        let (Some(name), Some(path)) = (parts.next(), parts.next()) else { return };
        let name = match name.trim() {
            "" => path.rsplit('/').next().unwrap_or(path),
            name => name,
        };
        self.imports.insert(name.to_owned(), path.to_owned());
    }
}

/// The fields of a struct whose first line was read, up to its end. A struct without a name in it has none here.
fn fields<'t>(lines: &mut impl Iterator<Item = &'t str>) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut depth = 0_usize;
    for line in lines {
        if line.starts_with('}') {
            match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => break,
            }
        } else if line.ends_with('{') {
            depth += 1;
        } else if depth == 0 {
            fields.extend(field(line));
        }
    }
    fields
}

/// ``MaxPods int32 `json:"maxPods,omitempty"` ``. A field without a name in its tag is none that documents here have.
fn field(line: &str) -> Option<Field> {
    let (declared, tag) = line.split_once('`').unwrap_or((line, ""));
    let value = tag.split_once("json:\"").and_then(|(_, rest)| rest.split_once('"')).map(|(value, _)| value);
    let key = value.and_then(|value| value.split(',').next()).unwrap_or_default();
    let words: Vec<&str> = declared.split_whitespace().collect();
    match (&words[..], key) {
        ([], _) | (_, "-") => None,
        // Embedded: encoding/json takes its fields for those of the struct that it stands in.
        ([kind], "") => Some(Field { key: None, kind: (*kind).to_owned() }),
        ([kind], key) => Some(Field { key: Some(key.to_owned()), kind: (*kind).to_owned() }),
        (_, "") => None,
        ([_, kind @ ..], key) => Some(Field { key: Some(key.to_owned()), kind: kind.concat() }),
    }
}

/// The text without its comments, which may hold anything; strings may too.
fn without_comments(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find(['/', '"', '`', '\'']) {
        let (before, found) = rest.split_at(at);
        kept.push_str(before);
        let length = if found.starts_with("//") {
            found.find('\n').unwrap_or(found.len())
        } else if let Some(comment) = found.strip_prefix("/*") {
            // It parts what stands around it.
            kept.push(' ');
            comment.find("*/").map_or(found.len(), |end| end + "/**/".len())
        } else {
            let length = if found.starts_with('/') { 1 } else { quoted(found) };
            kept.push_str(&found[..length]);
            length
        };
        rest = &found[length..];
    }
    kept.push_str(rest);
    kept
}

/// Bytes of the string that a text begins with, its quotes too; all of it where the string does not end.
fn quoted(text: &str) -> usize {
    let mut letters = text.char_indices();
    let quote = letters.next().map(|(_, letter)| letter);
    let mut is_escaped = false;
    for (at, letter) in letters {
        if is_escaped {
            is_escaped = false;
        } else if letter == '\\' && quote != Some('`') {
            is_escaped = true;
        } else if Some(letter) == quote {
            return at + letter.len_utf8();
        }
    }
    text.len()
}
