//! What to do about mistakes of form, of which serde and `toml` know only what is wrong.

use toml::de::{DeTable, DeValue};

use super::VERSION;
use super::check::{KUBELET_RANGES, LEAST_MTU, LEAST_MTU_IPV6, MOST_MTU};
use crate::text::{Mistake, unknown_name};

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

/// Keys that stand above all tables: behind a header they would be that table's.
const ABOVE: [&str; 4] = ["version", "class", "hostname", "extra_cas"];
/// Tables of the top, and the list of one.
const TABLES: [&str; 10] =
    ["network", "time", "proxy", "cluster", "labels", "taints", "kubelet", "registries", "static_pods", "sysctls"];

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

/// What to do about a key that is unknown where it stands, and would not be elsewhere.
pub(super) fn of_misplaced(mistake: Mistake, table: &DeTable<'_>, path: &[String], said: &str) -> Mistake {
    let wrong = unknown_name(said).filter(|_| !path.is_empty() && said.starts_with("unknown field"));
    let next = wrong.and_then(|(wrong, _)| {
        let is_table = matches!(value_of(table, path, wrong)?, DeValue::Table(_));
        match path {
            // Dots without quotes: each part of the name is a table within the one before it.
            [first, host] if first == "registries" && is_table && !host.contains(['.', ':']) => {
                Some("write the host in quotes: `[registries.\"docker.io\"]`".to_owned())
            }
            _ if ABOVE.contains(&wrong) => {
                Some("put it above the first `[table]`: what stands below a header is that table's".to_owned())
            }
            _ if is_table && TABLES.contains(&wrong) => {
                Some(format!("it is a table of its own: `[{wrong}]`, or `{wrong} = {{ … }}` above the first `[table]`"))
            }
            _ => None,
        }
    });
    Mistake { next: next.or(mistake.next), ..mistake }
}

/// The value of a key below a path of keys, as the document has it.
fn value_of<'v, 'd>(table: &'v DeTable<'d>, path: &[String], key: &str) -> Option<&'v DeValue<'d>> {
    let mut names = path.iter().map(String::as_str).chain([key]);
    let mut value = table.get(names.next()?)?.get_ref();
    for name in names {
        value = match value {
            DeValue::Table(inner) => inner.get(name)?.get_ref(),
            DeValue::Array(items) => items.get(name.parse::<usize>().ok()?)?.get_ref(),
            _ => return None,
        };
    }
    Some(value)
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

#[cfg(test)]
mod tests {
    use super::super::NodeConfig;
    use super::{ABOVE, TABLES};
    use crate::node::NodeConfigPolicy;

    #[test]
    fn the_keys_of_the_top_are_those_that_a_document_takes() {
        let text = b"version = 1\nno_such_key = 1\n";
        let error = NodeConfig::parse(text, "node.toml", &NodeConfigPolicy::default()).expect_err("an unknown key");
        let error = error.to_string();
        let (_, known) = error.split_once("known here: ").unwrap_or_else(|| panic!("{error}"));
        let mut known: Vec<&str> = known.split(", ").collect();
        let mut here = [&ABOVE[..], &TABLES[..]].concat();
        known.sort_unstable();
        here.sort_unstable();
        assert_eq!(known, here);
    }
}
