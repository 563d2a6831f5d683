//! A definition that extends another says only what differs: tables are merged before they are read, so that nothing is
//! required of it, and all of one that extends none.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

const DEFINITIONS: &str = "$defs";

/// Moves what is required out of the tables, into what holds for a definition without `extends`.
pub(super) fn relax(schema: &mut Value) {
    let Value::Object(root) = schema else { return };
    let definitions = root.get(DEFINITIONS).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut walk = Walk { definitions: &definitions, reached: BTreeSet::new() };
    let whole = walk.required(&Value::Object(root.clone()));
    let reached = walk.reached;
    root.remove("required");
    if let Some(Value::Object(definitions)) = root.get_mut(DEFINITIONS) {
        for name in reached {
            if let Some(Value::Object(definition)) = definitions.get_mut(&name) {
                definition.remove("required");
            }
        }
    }
    root.insert("if".into(), json!({ "required": ["extends"] }));
    root.insert("else".into(), Value::Object(whole));
}

/// Goes where tables are in tables. Lists are not merged: what an item of one requires stays with it.
struct Walk<'s> {
    definitions: &'s Map<String, Value>,
    /// The definitions that were met.
    reached: BTreeSet<String>,
}

impl Walk<'_> {
    /// The same tree of tables, with nothing in it but what each requires.
    fn required(&mut self, schema: &Value) -> Map<String, Value> {
        let definitions = self.definitions;
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("#/$defs/"));
        let schema = match name.and_then(|name| definitions.get(name)) {
            Some(definition) => {
                self.reached.extend(name.map(str::to_owned));
                definition
            }
            None => schema,
        };
        let mut tree = Map::new();
        if let Some(required) = schema.get("required") {
            tree.insert("required".into(), required.clone());
        }
        let mut properties = self.properties(schema);
        // That a table has one of several keys stays with it; what such a key's table requires does not.
        for branch in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            properties.append(&mut self.properties(branch));
        }
        if !properties.is_empty() {
            tree.insert("properties".into(), Value::Object(properties));
        }
        if let Some(others) = schema.get("additionalProperties").filter(|others| others.is_object()) {
            let others = self.required(others);
            if !others.is_empty() {
                tree.insert("additionalProperties".into(), Value::Object(others));
            }
        }
        tree
    }

    fn properties(&mut self, schema: &Value) -> Map<String, Value> {
        let mut found = Map::new();
        for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let tree = self.required(property);
            if !tree.is_empty() {
                found.insert(key.clone(), Value::Object(tree));
            }
        }
        found
    }
}
