//! `orlop schema`: what editors complete and check documents by.

use clap::{Args, ValueEnum};
use orlop_config::schema;

use super::Context;

/// Print the JSON Schema (draft 2020-12) of a document that people write, for editors that complete and check it.
///
/// The schema knows keys, types and ranges. What one value says of another is checked by what reads the document.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop schema definition > orlop-definition.schema.json")]
pub struct SchemaArgs {
    /// Which document.
    #[arg(value_enum)]
    document: Document,
}

/// The documents that have a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Document {
    /// An image definition.
    Definition,
    /// What a machine is told at boot.
    NodeConfig,
}

/// Runs the verb.
pub fn run(args: &SchemaArgs, context: &Context) -> anyhow::Result<()> {
    let schema = match args.document {
        Document::Definition => schema::definition(),
        Document::NodeConfig => schema::node_config(),
    };
    context.result(&schema, &format!("{schema:#}"))
}
