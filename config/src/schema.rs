//! JSON Schemas (draft 2020-12) of the documents that people write, out of the types that read them: editors complete and
//! check by them. They know keys, types, patterns and ranges; what one value says of another is for `orlop` to check.
//!
//! Only the builder has this (feature `schema`): no program of the node carries it.

mod extends;
mod ranges;
mod scalars;
mod tidy;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::definition::Definition;
use crate::node_config::NodeConfig;

/// The schema of an image definition. One that extends another may leave out what that says.
pub fn definition() -> Value {
    let about = "What one image contains, and how it is laid out, signed and emitted.";
    let mut schema = of::<Definition>("Orlop's image definition", about);
    extends::relax(&mut schema);
    schema
}

/// The schema of a node config.
pub fn node_config() -> Value {
    let about = "What one machine is told when it boots.";
    let mut schema = of::<NodeConfig>("Orlop's node config", about);
    ranges::limit(&mut schema);
    schema
}

fn of<T: JsonSchema>(title: &str, description: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    schema.insert("description".into(), description.into());
    let mut schema = schema.to_value();
    tidy::tidy(&mut schema);
    schema
}
