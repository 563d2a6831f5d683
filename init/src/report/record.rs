//! The boot report as one document, `/run/orlop/boot.json`.

use super::event::Event;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The whole report so far.
#[derive(Debug, Default)]
pub struct Record {
    head: Map<String, Value>,
    phases: Vec<Value>,
    events: Vec<Value>,
    first_error: Option<String>,
}

/// Events that are kept: a service that restarts for ever must not fill memory.
const KEPT: usize = 200;

impl Record {
    /// Sets a field of the document, such as the image's name.
    pub fn set(&mut self, key: &str, value: Value) {
        self.head.insert(key.to_owned(), value);
    }

    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Phase { name, ms } => self.phases.push(json!({"name": name, "ms": ms})),
            other if self.events.len() < KEPT => self.events.push(other.json()),
            _ => {}
        }
    }

    /// Keeps the first thing that went wrong.
    pub fn error(&mut self, text: &str) {
        self.first_error.get_or_insert_with(|| text.to_owned());
    }

    /// The document.
    pub fn document(&self) -> Value {
        let mut document = self.head.clone();
        document.insert("phases".to_owned(), json!(self.phases));
        document.insert("events".to_owned(), json!(self.events));
        document.insert("first_error".to_owned(), json!(self.first_error));
        Value::Object(document)
    }

    /// Writes the document; a reader sees the old one or the new one.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let temporary = path.with_extension("tmp");
        std::fs::write(&temporary, serde_json::to_vec(&self.document())?)?;
        std::fs::rename(&temporary, path)
    }
}
