//! What is derived from Rust's types, as readers of TOML need it: TOML has no null, and nobody asks how wide a number is.

use serde_json::{Map, Value, json};

/// Tidies a schema and all that is in it.
pub(super) fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            without_null(map);
            without_widths(map);
            one_line(map);
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// A key without a value is left out, never null.
fn without_null(map: &mut Map<String, Value>) {
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            map.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(branches)) = map.get_mut("anyOf") else { return };
    branches.retain(|branch| branch["type"] != "null");
    if let [Value::Object(only)] = &branches[..] {
        let only = only.clone();
        map.remove("anyOf");
        only.into_iter().for_each(|(key, value)| {
            map.entry(key).or_insert(value);
        });
    }
}

/// `uint64` and `ip` are no formats that the standard knows.
fn without_widths(map: &mut Map<String, Value>) {
    let format = map.get("format").and_then(Value::as_str).unwrap_or_default();
    if format.starts_with("uint") {
        map.remove("format");
    } else if format == "ip" {
        map.remove("format");
        map.insert("anyOf".into(), json!([{ "format": "ipv4" }, { "format": "ipv6" }]));
    }
}

/// Comments are broken where the source's lines end; paragraphs stay.
fn one_line(map: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = map.get_mut("description") {
        let joined = |paragraph: &str| paragraph.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        *text = text.split("\n\n").map(joined).collect::<Vec<_>>().join("\n\n");
    }
}
