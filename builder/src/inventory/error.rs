//! Why there is no inventory.

/// Why there is no inventory of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// A file without an owner.
    #[error("{file}: no component owns this file{why}; the image is not as `orlop build` makes it")]
    NobodyOwns {
        /// The file, by place and path.
        file: String,
        /// More about it, after a blank; or nothing.
        why: String,
    },
    /// A file that belongs to what the list of components does not have.
    #[error("{file}: belongs to `{component}`, and components.json has no such component; it has {have}")]
    NoComponent {
        /// The file, by place and path.
        file: String,
        /// Whom it belongs to.
        component: String,
        /// The components that there are.
        have: String,
    },
    /// A file of the list that is not there.
    #[error("root{path}: components.json has it (component `{component}`), and the root does not")]
    Missing {
        /// Its path in the root.
        path: String,
        /// Whom it belongs to.
        component: String,
    },
    /// What cannot be read.
    #[error("{file}: {reason}")]
    Unreadable {
        /// The file, by place and path.
        file: String,
        /// What is wrong, with its place in the file.
        reason: String,
    },
}

impl InventoryError {
    /// A file that cannot be read.
    pub(super) fn unreadable(file: &str, reason: impl ToString) -> Self {
        InventoryError::Unreadable { file: file.into(), reason: reason.to_string() }
    }
}
