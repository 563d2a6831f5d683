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

/// More are counted and not named: each is a line on a node's consoles, and a document of 64 KiB can have thousands.
const MOST: usize = 50;

/// Problems as they are found.
#[derive(Default)]
pub(crate) struct Report {
    problems: Vec<Problem>,
    /// The first of those that are not named, and how many there are.
    left: Option<(Vec<String>, usize)>,
}

impl Report {
    /// Notes a problem at a path of keys unless `good`.
    pub(crate) fn expect(&mut self, good: bool, path: &[&str], message: String, next: &str) {
        if good {
            return;
        }
        let path = || path.iter().map(ToString::to_string).collect();
        if self.problems.len() < MOST {
            self.problems.push(Problem { path: path(), message, next: Some(next.into()) });
        } else {
            self.left.get_or_insert_with(|| (path(), 0)).1 += 1;
        }
    }

    /// All that were found, those that have no room as one.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let left = self.left.map(|(path, count)| {
            let message = format!("and {count} more mistake{}, this one the first", if count == 1 { "" } else { "s" });
            Problem { path, message, next: Some("mend those above, and look again".into()) }
        });
        self.problems.into_iter().chain(left).collect()
    }
}
