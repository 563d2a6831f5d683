//! What is wrong with a document whose types are right, before it has a place in the text.

/// One rule that a document does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Keys that lead to the value.
    pub path: Vec<String>,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do about it.
    pub next: Option<String>,
}

/// Problems as they are found.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) problems: Vec<Problem>,
}

impl Report {
    /// Notes a problem at a path of keys unless `good`.
    pub(crate) fn expect(&mut self, good: bool, path: &[&str], message: String, next: &str) {
        if !good {
            let path = path.iter().map(ToString::to_string).collect();
            self.problems.push(Problem { path, message, next: Some(next.into()) });
        }
    }
}
