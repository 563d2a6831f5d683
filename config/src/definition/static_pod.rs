//! A static pod's manifest, looked at as far as kubelet would not begin with it at all, and as its name: the boot report
//! waits for pods by name, and would wait in vain for one that calls itself something else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::text::{Mistake, shown};

const POD: &str = "kubelet runs pods alone by itself: a manifest has `apiVersion: v1` and `kind: Pod` at its top";
const ONE: &str = "kubelet takes one pod from each file: give the other a file and a name of its own";
const NAME: &str = "kubelet wants one object a file, in block style, with `metadata.name` in a line of its own";

/// Checks that a manifest (YAML in block style, or JSON) is one pod with the name that the definition gives it.
pub fn check_static_pod(pod: &str, file: &str, text: &str) -> Result<(), Mistake> {
    let text = text.trim_start_matches('\u{feff}');
    let manifest = if text.trim_start().starts_with('{') { json(text) } else { yaml(text) };
    manifest.and_then(|manifest| manifest.check(pod)).map_err(|wrong| {
        let Wrong { line, column, message, next } = wrong;
        Mistake { file: file.into(), line, column, key: None, message, next: Some(next.into()) }
    })
}

/// What is wrong with a manifest, and where.
struct Wrong {
    line: usize,
    column: usize,
    message: String,
    next: &'static str,
}

impl Wrong {
    fn at(line: usize, message: String, next: &'static str) -> Self {
        Wrong { line, column: 1, message, next }
    }
}

/// What a manifest says, with its line.
type Said = (usize, String);

/// What is looked at.
#[derive(Default)]
struct Manifest {
    api_version: Option<Said>,
    kind: Option<Said>,
    has_spec: bool,
    name: Option<Said>,
}

impl Manifest {
    fn check(&self, pod: &str) -> Result<(), Wrong> {
        let missing = |key: &str, next| {
            let message = format!("no `{key}` was found for the static pod `{}`", shown(pod));
            Err(Wrong::at(1, message, next))
        };
        for (key, said, wanted) in [("apiVersion", &self.api_version, "v1"), ("kind", &self.kind, "Pod")] {
            match said {
                None => return missing(key, POD),
                Some((line, value)) if value != wanted => {
                    return Err(Wrong::at(*line, format!("`{key}` is `{}`, not `{wanted}`", shown(value)), POD));
                }
                Some(_) => {}
            }
        }
        if !self.has_spec {
            return missing("spec", "say in `spec:`, at the top, which containers run");
        }
        match &self.name {
            None => missing("metadata.name", NAME),
            Some((_, name)) if name == pod => Ok(()),
            Some((line, name)) => {
                let next = "name both the same: the boot report waits for the pod by this name";
                let (name, pod) = (shown(name), shown(pod));
                Err(Wrong::at(*line, format!("the pod is called `{name}`, and the definition calls it `{pod}`"), next))
            }
        }
    }
}

fn json(text: &str) -> Result<Manifest, Wrong> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        let message = format!("not JSON: {}", said.split(" at line ").next().unwrap_or_default());
        let next = "what begins with `{` is read as JSON: mend it, or write YAML in block style";
        Wrong { line: error.line().max(1), column: error.column().max(1), message, next }
    })?;
    // Whose line is not known any more.
    let said = |value: &Value| value.as_str().map(|text| (1, text.to_owned()));
    Ok(Manifest {
        api_version: said(&value["apiVersion"]),
        kind: said(&value["kind"]),
        has_spec: value["spec"].is_object(),
        name: said(&value["metadata"]["name"]),
    })
}

/// By its lines: a reader of all of YAML would be most of PID 1.
fn yaml(text: &str) -> Result<Manifest, Wrong> {
    let mut manifest = Manifest::default();
    let mut keys = BTreeSet::new();
    // Of a block scalar: the indent of what it belongs to.
    let mut scalar: Option<usize> = None;
    let mut in_metadata = false;
    let mut child_indent = None;
    let (mut has_begun, mut has_ended) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let inner = line.trim_start_matches(' ');
        let indent = line.len() - inner.len();
        if scalar.is_some_and(|parent| indent > parent || line.trim().is_empty()) {
            continue;
        }
        scalar = None;
        if inner.starts_with('\t') {
            let rest = inner.trim_start();
            // A text in quotes goes on behind tabs. A key or an item does not begin there.
            if pair(rest).is_some() || rest.starts_with("- ") {
                return Err(Wrong::at(
                    number,
                    "a tab stands in the indentation".into(),
                    "YAML indents by spaces alone",
                ));
            }
            continue;
        }
        if inner.is_empty() || inner.starts_with('#') {
            continue;
        }
        let inner = inner.split(" #").next().unwrap_or_default().trim_end();
        if indent == 0 && (inner == "---" || inner == "...") {
            has_ended |= has_begun || inner == "...";
            has_begun = true;
            continue;
        }
        if has_ended {
            return Err(Wrong::at(number, "a second object begins in this file".into(), ONE));
        }
        has_begun = true;
        scalar = scalar_below(indent, inner);
        // A list may stand as deep as its key, and brackets end anywhere.
        if indent == 0 && inner != "-" && !inner.starts_with("- ") && !inner.starts_with(['}', ']']) {
            // No key: a text in quotes goes on at any depth, and nobody repeats it. What is missing for it is said below.
            let Some((key, value)) = pair(inner) else { continue };
            if !keys.insert(key) {
                let message = format!("`{}` stands at the top twice", shown(key));
                return Err(Wrong::at(number, message, "keep one of the two"));
            }
            match key {
                "apiVersion" => manifest.api_version = Some((number, unquoted(value).to_owned())),
                "kind" => manifest.kind = Some((number, unquoted(value).to_owned())),
                "spec" => manifest.has_spec = true,
                _ => {}
            }
            (in_metadata, child_indent) = (key == "metadata" && value.is_empty(), None);
        }
        if indent == 0 || !in_metadata {
            continue;
        }
        // Deeper than the first child is a label or an annotation that happens to be called `name`.
        let first = *child_indent.get_or_insert(indent);
        if let Some(("name", value)) = pair(inner).filter(|_| indent == first) {
            if manifest.name.is_some() {
                return Err(Wrong::at(number, "`metadata.name` is there twice".into(), "keep one of the two"));
            }
            if is_no_text(value) {
                let message = format!("`{}` without quotes is no text in YAML", shown(value));
                return Err(Wrong::at(number, message, "write it in quotes: `name: \"NAME\"`"));
            }
            manifest.name = Some((number, unquoted(value).to_owned()));
        }
    }
    Ok(manifest)
}

/// A line's key and value; none: it has no key.
fn pair(line: &str) -> Option<(&str, &str)> {
    let mut colons = line.match_indices(':').map(|(at, _)| at);
    let colon = colons.find(|at| matches!(line.as_bytes().get(at + 1), None | Some(b' ' | b'\t')))?;
    Some((unquoted(line[..colon].trim()), line[colon + 1..].trim()))
}

fn unquoted(text: &str) -> &str {
    let within = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

/// Of a line that ends with the sign of a block scalar (`|`, `>`): the indent of what that belongs to. Whatever stands
/// deeper below it is text.
fn scalar_below(indent: usize, line: &str) -> Option<usize> {
    let (mut parent, mut at, mut rest) = (indent, indent, line);
    while let Some(item) = rest.strip_prefix("- ").map(str::trim_start) {
        parent = at;
        at += rest.len() - item.len();
        rest = item;
    }
    let value = match pair(rest) {
        Some((_, value)) => {
            parent = at;
            value
        }
        None => rest,
    };
    // A tag or an anchor may stand before it.
    let mut words = value.split_whitespace().rev();
    let sign = words.next()?.strip_prefix(['|', '>'])?;
    let is_sign = sign.len() <= 2 && sign.bytes().all(|byte| b"+-123456789".contains(&byte));
    (is_sign && words.all(|word| word.starts_with(['&', '!']))).then_some(parent)
}

/// Whether YAML 1.1, which kubelet reads, takes a word without quotes for something else than text.
fn is_no_text(word: &str) -> bool {
    const OTHERS: [&str; 10] = ["true", "false", "null", "~", "yes", "no", "on", "off", "y", "n"];
    let word = word.to_ascii_lowercase();
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let (mantissa, exponent) = word.split_once('e').unwrap_or((word.as_str(), "0"));
    let is_number = is_digits(&unsigned(mantissa).replacen('.', "", 1)) && is_digits(&unsigned(exponent));
    let is_of_base = [("0x", 16), ("0o", 8), ("0b", 2)].iter().any(|(start, radix)| {
        let digits = word.strip_prefix(start).unwrap_or_default();
        !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(*radix) || digit == '_')
    });
    OTHERS.contains(&word.as_str()) || is_number || is_of_base
}

#[cfg(test)]
mod tests {
    use super::{check_static_pod, is_no_text};

    const WEB: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers: []\n";

    /// What is said of a manifest that differs from the good one at a place.
    fn said(from: &str, to: &str) -> String {
        assert!(WEB.contains(from), "{from}");
        let text = WEB.replacen(from, to, 1);
        check_static_pod("web", "web.yaml", &text).expect_err(&text).to_string()
    }

    #[test]
    fn the_names_must_agree() {
        let hello = include_str!("../../../images/pods/hello.yaml");
        assert_eq!(check_static_pod("hello", "hello.yaml", hello), Ok(()));
        let json = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hello"}, "spec": {}}"#;
        assert_eq!(check_static_pod("hello", "hello.json", json), Ok(()));
        let error = check_static_pod("hullo", "hello.yaml", hello).expect_err("another name").to_string();
        assert!(
            error.starts_with("hello.yaml:5:1: the pod is called `hello`, and the definition calls it `hullo`"),
            "{error}"
        );
    }

    #[test]
    fn what_yaml_allows_is_taken() {
        let texts = [
            "# A pod.\n---\n\"apiVersion\": 'v1' # of old\nkind : Pod\nmetadata:\n    labels:\n        name: other\n    name: \"web\"\nspec:\n- x\n---\n",
            "\u{feff}spec: {\n  containers: []\n}\nkind: \"Pod\"\nmetadata:\n  # name: no\n  name: web # yes\napiVersion: v1\n...\n",
            // Tabs and colons of a script are text.
            "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    a: |\n      name: no\n  name: web\nspec:\n  containers:\n  - args:\n    - |-\n      if a; then\n      \tb\n\t\n      fi\n    name: a\n",
        ];
        for text in texts {
            assert_eq!(check_static_pod("web", "web.yaml", text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_kubelet_would_not_run_is_refused() {
        for (from, to, expected) in [
            ("apiVersion: v1\n", "", "web.yaml:1:1: no `apiVersion` was found for the static pod `web`; kubelet runs"),
            ("v1", "apps/v1", "web.yaml:1:1: `apiVersion` is `apps/v1`, not `v1`; "),
            ("kind: Pod\n", "", "web.yaml:1:1: no `kind` was found"),
            ("Pod", "Deployment", "web.yaml:2:1: `kind` is `Deployment`, not `Pod`; kubelet runs pods alone"),
            ("Pod", "pod", "web.yaml:2:1: `kind` is `pod`, not `Pod`"),
            ("spec:\n  containers: []\n", "", "web.yaml:1:1: no `spec` was found for the static pod `web`; say in"),
            ("  name: web", "\tname: web", "web.yaml:4:1: a tab stands in the indentation; YAML indents by spaces"),
            ("  containers", "  \tcontainers", "web.yaml:6:1: a tab stands in the indentation"),
            ("metadata:", "kind: Pod\nmetadata:", "web.yaml:3:1: `kind` stands at the top twice; keep one of the two"),
            ("  name: web", "  name: web\n  name: web", "web.yaml:5:1: `metadata.name` is there twice"),
            ("spec:", "---\nspec:", "web.yaml:6:1: a second object begins in this file; kubelet takes one pod"),
            ("apiVersion", "---\n---\napiVersion", "web.yaml:3:1: a second object begins"),
            ("spec:", "...\n  spec:", "web.yaml:6:1: a second object begins"),
            ("spec:", "spec", "web.yaml:1:1: no `spec` was found"),
        ] {
            let error = said(from, to);
            assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
        }
    }

    #[test]
    fn a_text_in_quotes_goes_on_at_any_depth() {
        let text = format!("{WEB}  args: [\"a\n\tb\nc d\"]\n");
        assert_eq!(check_static_pod("web", "web.yaml", &text), Ok(()));
    }

    #[test]
    fn no_name_is_refused() {
        for to in ["  labels:\n    name: web\n  # name: x", "  labels: {}\n   name: web", "name: web"] {
            let error = said("  name: web", to);
            assert!(error.contains("no `metadata.name` was found"), "{error}");
        }
        let error = said("metadata:\n  name: web", "metadata: {name: web}");
        assert!(error.contains("no `metadata.name` was found"), "{error}");
        for text in ["", "#", "---\n"] {
            let error = check_static_pod("web", "web.yaml", text).expect_err(text).to_string();
            assert!(error.contains("no `apiVersion` was found"), "{error}");
        }
    }

    #[test]
    fn a_name_that_is_no_text_wants_quotes() {
        for name in ["1", "0123", "1e3", "1e-3", "1.5", "0x1f", "0b1", "true", "No", "on", "null", "~", "y"] {
            assert!(is_no_text(name), "{name}");
            let error = said("name: web", &format!("name: {name}"));
            let expected = format!("web.yaml:4:1: `{name}` without quotes is no text in YAML; write it in quotes");
            assert!(error.starts_with(&expected), "{error}");
        }
        for name in
            ["web", "1a", "e3", "1e", "1-2", "0x", "0xweb", "0bad", "0o9", "2026-01-02", "onn", "-", "\"1\"", "'true'"]
        {
            assert!(!is_no_text(name), "{name}");
        }
        let text = WEB.replace("name: web", "name: \"123\"");
        assert_eq!(check_static_pod("123", "123.yaml", &text), Ok(()));
    }

    #[test]
    fn what_is_wrong_with_json_is_said_as_its_reader_says_it() {
        for (text, expected) in [
            ("{", "web.json:1:1: not JSON: EOF while parsing an object; what begins with `{` is read as JSON"),
            ("\n{\"kind\": \"Pod\",\n}", "web.json:3:1: not JSON: trailing comma"),
            ("{apiVersion: v1}", "web.json:1:2: not JSON: key must be a string"),
            ("{} {}", "web.json:1:4: not JSON: trailing characters"),
            ("{}", "web.json:1:1: no `apiVersion` was found"),
            (r#"{"apiVersion": "v1", "kind": "Job"}"#, "web.json:1:1: `kind` is `Job`, not `Pod`"),
            (r#"{"apiVersion": "v1", "kind": "Pod"}"#, "web.json:1:1: no `spec` was found"),
            (r#"{"apiVersion": "v1", "kind": "Pod", "spec": {}}"#, "web.json:1:1: no `metadata.name` was found"),
        ] {
            let error = check_static_pod("web", "web.json", text).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
        }
    }
}
