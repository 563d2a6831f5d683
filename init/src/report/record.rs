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
    left_out: u64,
    first_error: Option<String>,
}

/// Events that are kept: a service that restarts for ever must not fill memory. Of more, those in the middle go: the
/// boot's own and the latest say most.
const KEPT: usize = 200;

impl Record {
    /// Goes on with a document that was written before; with an empty one where there is none.
    pub fn reopen(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let mut head: Map<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
        let mut list = |name: &str| match head.remove(name) {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        };
        let (phases, events) = (list("phases"), list("events"));
        let left_out = head.remove("events_left_out").and_then(|count| count.as_u64()).unwrap_or_default();
        let first_error = head.remove("first_error").and_then(|text| text.as_str().map(str::to_owned));
        Record { head, phases, events, left_out, first_error }
    }

    /// Sets a field of the document, such as the image's name.
    pub fn set(&mut self, key: &str, value: Value) {
        self.head.insert(key.to_owned(), value);
    }

    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Phase { name, ms } => self.phases.push(json!({"name": name, "ms": ms})),
            other => {
                if self.events.len() == KEPT {
                    self.events.remove(KEPT / 2);
                    self.left_out += 1;
                }
                self.events.push(other.json());
            }
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
        document.insert("events_left_out".to_owned(), json!(self.left_out));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn note(number: usize) -> Event {
        Event::Note { about: "x".into(), text: number.to_string() }
    }

    #[test]
    fn of_too_many_events_the_first_and_the_latest_stay() {
        let mut record = Record::default();
        (0..1000).for_each(|number| record.add(&note(number)));
        let document = record.document();
        assert_eq!(document["events"].as_array().map(Vec::len), Some(KEPT));
        assert_eq!(document["events_left_out"], 800);
        assert_eq!(document["events"][0]["text"], "0");
        assert_eq!(document["events"][KEPT - 1]["text"], "999");
    }

    /// A panic has no report at hand: what was said before it must not be lost.
    #[test]
    fn a_document_is_gone_on_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("boot.json");
        let mut record = Record::reopen(&path);
        record.set("image", "standalone".into());
        record.add(&Event::Phase { name: "state".into(), ms: 7 });
        record.add(&note(1));
        record.error("first");
        record.write(&path).expect("written");
        let mut again = Record::reopen(&path);
        assert_eq!(again.document(), record.document());
        again.error("second");
        assert_eq!(again.document()["first_error"], "first");
        std::fs::write(&path, b"[torn").expect("written");
        assert_eq!(Record::reopen(&path).document(), Record::default().document());
    }
}
