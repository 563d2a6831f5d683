//! What to do about mistakes of form, of which serde and `toml` know only what is wrong.

use super::VERSION;
use super::check::{KUBELET_RANGES, LEAST_MTU, LEAST_MTU_IPV6, MOST_MTU};
use crate::text::Mistake;

/// How texts of other kinds begin that are put where a node config belongs.
const OTHERS: [(&str, &str); 7] = [
    ("#cloud-config", "cloud-config"),
    ("Content-Type:", "MIME"),
    ("MIME-Version:", "MIME"),
    ("#!", "a script"),
    ("---", "YAML"),
    ("apiVersion:", "YAML"),
    ("{", "JSON"),
];

/// What `toml` says of a text, and what helps.
const SYNTAX: [(&str, &str); 7] = [
    ("values must be quoted", "write text in quotes: `KEY = \"TEXT\"`"),
    ("key with no value", "write each line as `KEY = VALUE` or `[TABLE]`"),
    ("unclosed", "close the bracket"),
    ("basic string", "close the quotes; text of several lines stands between `\"\"\"`"),
    ("literal string", "close the quotes; text of several lines stands between `'''`"),
    ("escape", "write `\\\\` where a backslash is meant"),
    ("unquoted key", "write a key with other letters in quotes: `\"example.org/rack\" = \"17\"`"),
];

/// Keys that must be there, and how each is written.
const REQUIRED: [(&str, &str); 7] = [
    ("cluster", "add a table `[cluster]` with `server`, `ca` and `token`"),
    ("server", "name the API server: `server = \"https://api.example:6443\"`"),
    ("ca", "give the cluster's CA as PEM, from `-----BEGIN CERTIFICATE-----` to its end"),
    ("key", "name the taint: `key = \"example.org/dedicated\"`"),
    ("effect", "write `NoSchedule`, `PreferNoSchedule` or `NoExecute`"),
    ("to", "name the network that the route leads to: `to = \"198.51.100.0/24\"`"),
    ("url", "give the mirror's address: `url = \"https://mirror.example:5000\"`"),
];

/// The rest.
const MANUAL: &str = "docs/node-config.md says how it is written";

/// What a text is instead of a node config, as far as its beginning tells.
pub(super) fn other_kind(text: &str) -> Option<String> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let (_, kind) = OTHERS.iter().find(|(beginning, _)| start.starts_with(beginning))?;
    Some(format!("this is {kind}, and a node config is TOML of its own: docs/node-config.md describes it"))
}

/// A mistake of a text that is no TOML.
pub(super) fn of_syntax(mistake: Mistake, text: &str) -> Mistake {
    let known = || SYNTAX.iter().find(|(said, _)| mistake.message.contains(said)).map_or(MANUAL, |(_, next)| *next);
    let next = other_kind(text).or_else(|| mistake.next.clone()).unwrap_or_else(|| known().to_owned());
    Mistake { next: Some(next), ..mistake }
}

/// A mistake of a value at a path of keys, and what serde said of it.
pub(super) fn of_value(mistake: Mistake, path: &[String], said: &str) -> Mistake {
    if mistake.next.is_some() {
        return mistake;
    }
    // What reads a text of a form of its own says itself how that is.
    if let Some((message, next)) = mistake.message.rsplit_once("; write it as ") {
        let (message, next) = (message.to_owned(), format!("write it as {next}"));
        return Mistake { message, next: Some(next), ..mistake };
    }
    Mistake { next: Some(next(path, said)), ..mistake }
}

fn next(path: &[String], said: &str) -> String {
    let missing = said.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    if let Some(missing) = missing {
        return REQUIRED.iter().find(|(key, _)| *key == missing).map_or(MANUAL, |(_, next)| *next).to_owned();
    }
    match said {
        "invalid IPv4 address syntax" => return "write it as \"192.0.2.1\"".into(),
        "invalid IPv6 address syntax" => return "write it as \"2001:db8::1\"".into(),
        "invalid IP address syntax" => return "write it as \"192.0.2.1\" or \"2001:db8::1\"".into(),
        _ => {}
    }
    let (expected, found) =
        said.strip_prefix("expected ").and_then(|rest| rest.split_once(", found ")).unwrap_or_default();
    number(path).unwrap_or_else(|| match (expected, found) {
        ("a list", "a table") => "write its header with two brackets, `[[LIST]]`, once for each".into(),
        ("a list", _) => "write it in brackets, a single one too: `[VALUE]`".into(),
        ("a table", _) => "write what it holds as `{ KEY = VALUE }`, or below a header `[TABLE]`".into(),
        ("true or false", _) => "write `true` or `false`, without quotes".into(),
        ("a string", "a table") => "write text in quotes, and the name in quotes if it has dots".into(),
        ("a string", _) => "write it in quotes: `\"TEXT\"`".into(),
        _ => MANUAL.into(),
    })
}

/// What the number at a path of keys may be.
fn number(path: &[String]) -> Option<String> {
    match path.first()?.as_str() {
        "version" => Some(format!("write `version = {VERSION}`")),
        "sysctls" if path.len() == 2 => {
            Some("write a number, or several in quotes, and the name in quotes: `\"net.core.somaxconn\" = 8192`".into())
        }
        "kubelet" => {
            let key = path[1..].join(".");
            let (_, least, most) = KUBELET_RANGES.into_iter().find(|range| range.0 == key)?;
            Some(format!("write a whole number from {least} to {most}, without quotes"))
        }
        "network" if path.last().is_some_and(|key| key == "mtu") => {
            Some(format!("write a whole number from {LEAST_MTU_IPV6} to {MOST_MTU}, from {LEAST_MTU} without IPv6"))
        }
        _ => None,
    }
}
