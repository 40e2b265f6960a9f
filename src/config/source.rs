//! What a configuration's text does not say of itself.

use std::fmt;
use std::path::Path;

use crate::domain::Timestamp;

/// What surrounds a configuration's text.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The file's name in messages.
    pub name: &'a str,
    /// The directory that relative paths start from; for a file, its own.
    pub base_dir: &'a Path,
    /// Answers with the value of an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The time of day that certificates must be valid at.
    pub now: Timestamp,
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("base_dir", &self.base_dir)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
