//! Reads a definition and what it extends, and lays one over the other. The reader does the I/O.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::{Definition, programs};
use crate::text::{Mistake, Sources, Text, span_of};

/// No chain of real definitions is longer; a reader that makes up files for ever ends here.
const LONGEST_CHAIN: usize = 16;

/// What is wrong with a definition.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Mistakes in the text, each with its place.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
    /// A definition that extends itself, by way of others or not.
    #[error("{place}: `extends` goes in a circle: {}", chain.join(" → "))]
    Circle {
        /// `file:line:column` of the `extends` that closes the circle.
        place: String,
        /// The files, the first one again at the end.
        chain: Vec<String>,
    },
    /// The definition that is extended cannot be read.
    #[error("{place}: `extends = \"{value}\"` cannot be read")]
    Base {
        /// `file:line:column` of the `extends`.
        place: String,
        /// What it names.
        value: String,
        /// Why.
        source: ReadError,
    },
}

/// Why the reader could not give a text.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

impl From<Mistake> for ConfigError {
    fn from(mistake: Mistake) -> Self {
        ConfigError::Mistakes(vec![mistake])
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
    lines.join("\n")
}

/// A definition whose TOML is sound; nothing else is known of it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawDefinition {
    /// File name and text.
    pub text: Text,
    /// What it extends.
    pub extends: Option<String>,
    /// Where it says so: `file:line:column`.
    place: String,
}

/// A definition with everything that it extends laid under it, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The definition.
    pub definition: Definition,
    /// The files it came from, the one that was asked for first.
    pub files: Vec<String>,
    component_files: BTreeMap<String, String>,
    static_pod_files: BTreeMap<String, String>,
    release_keys_file: String,
    certificates_file: String,
    exceptions_file: String,
}

impl Resolved {
    /// A definition whose every value stands in one file.
    fn of_one(definition: Definition, file: String) -> Resolved {
        let all = |names: Vec<String>| names.into_iter().map(|name| (name, file.clone())).collect();
        Resolved {
            component_files: all(definition.components.keys().cloned().collect()),
            static_pod_files: BTreeMap::new(),
            release_keys_file: file.clone(),
            certificates_file: file.clone(),
            exceptions_file: file.clone(),
            files: vec![file],
            definition,
        }
    }

    /// The file that says where a component comes from: the path of a `file` source is relative to it.
    pub fn file_of_component(&self, component: &str) -> Option<&str> {
        self.component_files.get(component).map(String::as_str)
    }

    /// The file that names a static pod's manifest, whose path is relative to it.
    pub fn file_of_static_pod(&self, pod: &str) -> Option<&str> {
        self.static_pod_files.get(pod).map(String::as_str)
    }

    /// The file that lists further release keys, whose paths are relative to it.
    pub fn file_of_release_keys(&self) -> &str {
        &self.release_keys_file
    }

    /// The file that lists further certificates, whose paths are relative to it.
    pub fn file_of_certificates(&self) -> &str {
        &self.certificates_file
    }

    /// The file that lists exceptions from the gates, whose paths are relative to it.
    pub fn file_of_exceptions(&self) -> &str {
        &self.exceptions_file
    }
}

/// Parses one definition's text as TOML and finds what it extends.
pub fn parse(file: &str, text: &str) -> Result<RawDefinition, ConfigError> {
    let text = Text::new(file, text);
    let sources = Sources::new(std::slice::from_ref(&text));
    let table = sources.parse(0)?;
    let (extends, place) = match table.get_ref().get("extends") {
        None => (None, String::new()),
        Some(value) => match value.get_ref() {
            DeValue::String(name) => {
                let at = sources.mistake(value.span(), String::new(), None);
                (Some(name.to_string()), format!("{}:{}:{}", at.file, at.line, at.column))
            }
            other => {
                let message = format!("`extends` is a {}, not a string", other.type_str());
                let next = "it names one definition, such as \"orlop:node\" or \"../node.toml\"";
                return Err(sources.mistake(value.span(), message, Some(next.into())).into());
            }
        },
    };
    drop(table);
    Ok(RawDefinition { text, extends, place })
}

/// Reads everything that `first` extends. `read` is given the value of `extends` and the file that says
/// it, and answers with the text; its file name must be the same each time for the same file.
pub fn load(first: Text, read: &mut dyn FnMut(&str, &str) -> Result<Text, ReadError>) -> Result<Resolved, ConfigError> {
    let mut chain = vec![parse(&first.file, &first.text)?];
    if let Some(programs) = programs::read(&chain[0].text)? {
        return Ok(Resolved::of_one(programs, first.file));
    }
    loop {
        let last = &chain[chain.len() - 1];
        let Some(value) = last.extends.clone() else { break };
        let place = last.place.clone();
        let base = read(&value, &last.text.file).map_err(|source| ConfigError::Base {
            place: place.clone(),
            value: value.clone(),
            source,
        })?;
        if let Some(start) = chain.iter().position(|raw| is_same(&raw.text, &base)) {
            let mut files: Vec<String> = chain[start..].iter().map(|raw| raw.text.file.clone()).collect();
            files.push(base.file);
            return Err(ConfigError::Circle { place, chain: files });
        }
        if chain.len() == LONGEST_CHAIN {
            let source = format!("more than {LONGEST_CHAIN} definitions in a row").into();
            return Err(ConfigError::Base { place, value, source });
        }
        chain.push(parse(&base.file, &base.text)?);
    }
    resolve(chain)
}

/// Whether two texts are one file. A circle by way of other folders makes its names longer at each turn
/// (`a/../b/../a/x.toml`), so names are compared without their detours, and then the texts must be the same too.
fn is_same(one: &Text, other: &Text) -> bool {
    one.file == other.file || (one.text == other.text && without_detours(&one.file) == without_detours(&other.file))
}

fn without_detours(file: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in file.split('/').filter(|part| *part != ".") {
        let folder_before = parts.last().is_some_and(|last| !last.is_empty() && *last != "..");
        if part == ".." && folder_before {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts
}

/// Lays a chain of definitions over each other (the one that was asked for first, what it extends after
/// it), reads the whole and checks it. Tables merge, lists replace; a source of another kind replaces.
pub fn resolve(chain: Vec<RawDefinition>) -> Result<Resolved, ConfigError> {
    let texts: Vec<Text> = chain.into_iter().map(|raw| raw.text).collect();
    let sources = Sources::new(&texts);
    let mut merged = sources.parse(0)?;
    for index in 1..texts.len() {
        let base = sources.parse(index)?.into_inner();
        merge(merged.get_mut(), base, &mut Vec::new());
    }
    merged.get_mut().remove("extends");
    let places = merged.get_ref().clone();
    let definition: Definition = sources.read(merged)?;
    let mistakes: Vec<Mistake> = definition
        .problems()
        .into_iter()
        .map(|problem| sources.mistake(span_of(&places, &problem.path), problem.message, problem.next))
        .collect();
    if !mistakes.is_empty() {
        return Err(ConfigError::Mistakes(mistakes));
    }
    let file_of = |path: &[&str]| sources.file(span_of(&places, path).start).to_string();
    let component_file = |name: &str| file_of(&["components", name, "source", "file", "path"]);
    Ok(Resolved {
        component_files: named(definition.components.keys(), component_file),
        release_keys_file: file_of(&["trust", "release_keys"]),
        certificates_file: file_of(&["trust", "certificates"]),
        exceptions_file: file_of(&["gates", "exceptions"]),
        static_pod_files: named(definition.static_pods.keys(), |name| file_of(&["static_pods", name])),
        files: texts.iter().map(|text| text.file.clone()).collect(),
        definition,
    })
}

fn named<'n>(names: impl Iterator<Item = &'n String>, value: impl Fn(&str) -> String) -> BTreeMap<String, String> {
    names.map(|name| (name.clone(), value(name))).collect()
}

/// Lays `over` onto `base`, keeping `over` where both say something.
fn merge<'t>(over: &mut DeTable<'t>, base: DeTable<'t>, path: &mut Vec<String>) {
    for (key, below) in base {
        let Some(above) = over.get_mut(key.get_ref().as_ref()) else {
            over.insert(key, below);
            continue;
        };
        if let (DeValue::Table(above), DeValue::Table(below)) = (above.get_mut(), below.into_inner()) {
            path.push(key.get_ref().to_string());
            // Two kinds of source cannot be merged: the nearer one is meant.
            if !is_source(path) || above.keys().eq(below.keys()) {
                merge(above, below, path);
            }
            path.pop();
        }
    }
}

fn is_source(path: &[String]) -> bool {
    matches!(path, [components, _, source] if components == "components" && source == "source")
}
