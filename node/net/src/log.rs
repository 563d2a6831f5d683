//! Lines on stderr, which PID 1 keeps: what is tried and why it fails, never a secret. What happens again and again is
//! said once.

use std::collections::BTreeMap;

/// Subjects whose last line is remembered; a new one beyond them forgets all.
const SUBJECTS: usize = 64;

/// The lines.
#[derive(Debug, Default)]
pub struct Log(BTreeMap<String, String>);

impl Log {
    /// Says a line about a subject, unless it was the last one said about it.
    pub fn say(&mut self, subject: &str, text: &str) {
        if self.0.get(subject).is_some_and(|last| last == text) {
            return;
        }
        if self.0.len() >= SUBJECTS {
            self.0.clear();
        }
        self.0.insert(subject.to_owned(), text.to_owned());
        line(subject, text);
    }
}

/// Says a line, whatever was said before.
pub fn line(subject: &str, text: &str) {
    eprintln!("net: {subject}: {}", printable(text));
}

/// One line, and nothing that a terminal would obey.
pub fn printable(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).take(400).collect()
}
