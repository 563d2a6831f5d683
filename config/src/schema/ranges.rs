//! The ranges of kubelet's settings and of sysctls, out of the tables that they are checked against.

use serde_json::{Map, Value, json};

use crate::node_config::{KUBELET_RANGES, SYSCTLS, SysctlRule};

/// Puts the ranges into the schema of a node config.
pub(super) fn limit(schema: &mut Value) {
    for (key, least, most) in KUBELET_RANGES {
        let keys: Vec<&str> = std::iter::once("kubelet").chain(key.split('.')).collect();
        if let Some(number) = property(schema, &keys) {
            number.insert("minimum".into(), least.into());
            number.insert("maximum".into(), most.into());
        }
    }
    if let Some(sysctls) = property(schema, &["sysctls"]) {
        let known: Map<String, Value> = SYSCTLS.iter().map(|rule| (rule.name.to_owned(), value(rule))).collect();
        sysctls.insert("properties".into(), Value::Object(known));
        sysctls.insert("additionalProperties".into(), false.into());
    }
}

/// What may stand around numbers: the blanks that `str::split_ascii_whitespace` knows, as the check has it.
const BLANK: &str = r"[ \t\n\f\r]";

/// A number may be written as text too; several are text.
fn value(rule: &SysctlRule) -> Value {
    let SysctlRule { numbers, least, most, .. } = *rule;
    if numbers == 1 {
        let description = format!("A number from {least} to {most}.");
        let pattern = format!("^{BLANK}*[1-9][0-9]*{BLANK}*$");
        return json!({
            "description": description, "type": ["integer", "string"], "minimum": least, "maximum": most, "pattern": pattern,
        });
    }
    let description = format!("{numbers} numbers, rising, from {least} to {most}.");
    let pattern = format!("^{BLANK}*[1-9][0-9]*({BLANK}+[1-9][0-9]*){{{}}}{BLANK}*$", numbers - 1);
    json!({ "description": description, "type": "string", "pattern": pattern })
}

/// The schema of the property that these keys lead to.
fn property<'s>(schema: &'s mut Value, keys: &[&str]) -> Option<&'s mut Map<String, Value>> {
    let mut at = String::new();
    for key in keys {
        at = format!("{}/properties/{key}", table(schema, at)?);
    }
    schema.pointer_mut(&at)?.as_object_mut()
}

/// Where a table is described: at this place (a JSON pointer), or where the reference that stands there leads.
fn table(schema: &Value, at: String) -> Option<String> {
    let reference = schema.pointer(&at)?.get("$ref").and_then(Value::as_str);
    match reference {
        Some(reference) => reference.strip_prefix('#').map(str::to_owned),
        None => Some(at),
    }
}
