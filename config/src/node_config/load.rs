//! A document's bytes → the document, or everything that is wrong with it.

use serde::Deserialize as _;
use serde::de::value::MapAccessDeserializer;
use toml::de::{DeTable, DeValue};

use super::nesting::{DEEPEST, too_deep};
use super::read::Pairs;
use super::{LARGEST, NodeConfig, VERSION, remedy};
use crate::node::NodeConfigPolicy;
use crate::problem::Problem;
use crate::text::{Mistake, Sources, Text, excerpt, key_of, line_and_column, span_of};

/// What is wrong with a document, each with its place. No message repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Problems(pub Vec<Mistake>);

fn lines(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
    lines.join("\n")
}

impl From<Mistake> for Problems {
    fn from(mistake: Mistake) -> Self {
        Problems(vec![mistake])
    }
}

impl NodeConfig {
    /// Reads a document; `name` is what errors call it. It is held against the image's policy.
    pub fn parse(document: &[u8], name: &str, policy: &NodeConfigPolicy) -> Result<NodeConfig, Problems> {
        let text = Text::new(name, text(document, name)?);
        let sources = Sources::quiet(std::slice::from_ref(&text));
        check_nesting(&text.text, &sources)?;
        let table = sources.parse(0).map_err(|mistake| remedy::of_syntax(mistake, &text.text))?;
        let places = table.get_ref();
        check_version(places, &text.text, &sources)?;
        check_links(places, &sources)?;
        let config = NodeConfig::deserialize(MapAccessDeserializer::new(Pairs::of(places))).map_err(|wrong| {
            let path: Vec<String> = wrong.path.into_iter().rev().collect();
            let key = key_of(places, &path);
            let mistake = Mistake { key, ..sources.typed(&wrong.message, wrong.span.unwrap_or(0..0)) };
            let mistake = remedy::of_misplaced(mistake, places, &path, &wrong.message);
            remedy::of_value(mistake, &path, &wrong.message)
        })?;
        let place = |problem: Problem| {
            let key = key_of(places, &problem.path);
            let mistake = sources.mistake(span_of(places, &problem.path), problem.message, problem.next);
            Mistake { key, ..mistake }
        };
        let mistakes: Vec<Mistake> = config.problems(policy).into_iter().map(place).collect();
        if mistakes.is_empty() { Ok(config) } else { Err(Problems(mistakes)) }
    }
}

fn text<'d>(document: &'d [u8], name: &str) -> Result<&'d str, Mistake> {
    let mistake = |offset: usize, message: String, next: &str| {
        // Up to there it is text; where it is not, the place is that of the last character that is.
        let before = String::from_utf8_lossy(&document[..offset]);
        let (line, column) = line_and_column(&before, before.len());
        Mistake { file: name.into(), line, column, key: None, message, next: Some(next.into()) }
    };
    if document.len() > LARGEST {
        let message = format!("the document has {} bytes, and {LARGEST} are the most", document.len());
        return Err(mistake(LARGEST, message, "shorten it; manifests and images do not belong here"));
    }
    std::str::from_utf8(document).map_err(|error| {
        let message = "the document is not UTF-8 text".to_owned();
        mistake(error.valid_up_to(), message, "give the TOML text itself, neither compressed nor encoded")
    })
}

/// Before anybody goes down into it.
fn check_nesting(text: &str, sources: &Sources<'_>) -> Result<(), Mistake> {
    let Some(start) = too_deep(text) else { return Ok(()) };
    let message = format!("what begins here has more than {DEEPEST} levels of tables and lists in each other");
    let next = "close the brackets that are open; what docs/node-config.md describes has 5 levels at most";
    Err(sources.mistake(start..start, message, Some(next.into())))
}

/// First, so that a newer document is not taken for a misspelt one.
fn check_version(table: &DeTable<'_>, text: &str, sources: &Sources<'_>) -> Result<(), Mistake> {
    let Some(value) = table.get("version") else {
        let next = remedy::other_kind(text).unwrap_or_else(|| format!("write `version = {VERSION}` first"));
        return Err(sources.mistake(0..0, "missing key `version`".into(), Some(next)));
    };
    let DeValue::Integer(number) = value.get_ref() else { return Ok(()) };
    if number.as_str() == VERSION.to_string() {
        return Ok(());
    }
    let newer = number.as_str().parse().is_ok_and(|number: u64| number > u64::from(VERSION));
    let kind = if newer { "newer than this program" } else { "not a version" };
    let message = format!("{} is {kind}", excerpt(number.as_str()));
    let next = if newer { "use a newer image, or write" } else { "write" };
    let mistake = sources.mistake(value.span(), message, Some(format!("{next} `version = {VERSION}`")));
    Err(Mistake { key: Some("version".into()), ..mistake })
}

/// What a network may be made of elsewhere, and is refused here by its name.
const NOT_DONE: [(&str, &str); 6] = [
    ("vlan", "VLANs"),
    ("bond", "bonds"),
    ("bridge", "bridges"),
    ("team", "teams"),
    ("wifi", "wireless networks"),
    ("tunnel", "tunnels"),
];

/// What to do instead.
pub(super) const PLAIN: &str = "give the machine a plain Ethernet interface, and leave this out";

fn check_links(table: &DeTable<'_>, sources: &Sources<'_>) -> Result<(), Mistake> {
    let Some(DeValue::Table(network)) = table.get("network").map(|value| value.get_ref()) else { return Ok(()) };
    let interfaces = match network.get("interfaces").map(|value| value.get_ref()) {
        Some(DeValue::Array(interfaces)) => interfaces.iter().collect(),
        _ => Vec::new(),
    };
    let interfaces = interfaces.into_iter().enumerate().filter_map(|(index, interface)| {
        Some((vec!["network".to_owned(), "interfaces".into(), index.to_string()], interface.get_ref().as_table()?))
    });
    for (mut path, below) in std::iter::once((vec!["network".to_owned()], network)).chain(interfaces) {
        if let Some((key, what)) = below.iter().find_map(|(key, _)| Some((key, not_done(key.get_ref())?))) {
            path.push(key.get_ref().to_string());
            let mistake = sources.mistake(key.span(), format!("{what} are not done yet"), Some(PLAIN.into()));
            return Err(Mistake { key: key_of(table, &path), ..mistake });
        }
    }
    Ok(())
}

/// What a name says that is not done yet.
pub(super) fn not_done(name: &str) -> Option<&'static str> {
    NOT_DONE.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, what)| *what)
}
