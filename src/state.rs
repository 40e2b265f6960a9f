//! Floor 3: what an exporter knows, kept in a file over a restart. Knows nothing of when that is done.
//!
//! `format` and `figures` are the file's contents, apart from the types of the program, so that a change of those
//! is no change of the file; `files` reads it, replaces it as a whole, and sets aside what it cannot use.

#[cfg(test)]
mod example;
mod figures;
mod files;
mod format;

use std::sync::Arc;

pub use self::files::{StateDir, read};
pub use self::format::Unusable;
use crate::domain::Timestamp;
use crate::snapshot::TenantSnapshot;
use crate::upstream::Customer;

/// What an earlier process knew: none of its counters, and nothing of its schedule.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    /// When it wrote that down.
    pub written_at: Timestamp,
    /// The tenants that had series, each once.
    pub tenants: Vec<Arc<TenantSnapshot>>,
    /// What discovery had found, if it ever did.
    pub discovery: Option<SavedDiscovery>,
}

/// What discovery had found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedDiscovery {
    /// Whether the last reading of the customers succeeded.
    pub up: bool,
    /// When the last one that did had ended.
    pub at: Timestamp,
    /// The customers that it found, by id in ascending order.
    pub customers: Arc<[Customer]>,
}
