//! Floor 3: what an exporter knows, kept in a file over a restart. Knows nothing of when that is done.
//!
//! `format` is the file's contents; `files` reads the file, replaces it as a whole, and sets aside what it cannot use.

#[cfg(test)]
mod example;
mod files;
mod format;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use self::files::{StateDir, probe, read};
pub use self::format::Unusable;
use crate::collectors::customers::ListedCustomer;
use crate::domain::{Collector, Tenant, Timestamp};
use crate::snapshot::{CollectorSnapshot, TargetSnapshot};

/// What an earlier process knew: none of its counters, and nothing of its schedule.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    /// When it wrote that down, by the clock of this process.
    pub written_at: Timestamp,
    /// How far in the future that was by the file's own time; all times of the file are shifted by it.
    pub ahead: Duration,
    /// The targets that had series, each once.
    pub targets: Vec<Arc<TargetSnapshot>>,
    /// The number of targets whose collector of this name could not be read, so that it starts cold.
    pub cold: BTreeMap<String, usize>,
}

impl Saved {
    /// The tenants among the targets.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        let tenants = self.targets.iter().filter_map(|one| one.target.tenant());
        tenants.map(|tenant| &**tenant)
    }

    /// The customers that discovery had found, and when; `None` if it never had.
    pub fn customers(&self) -> Option<(&[ListedCustomer], Timestamp)> {
        let mut targets = self.targets.iter();
        let discovery = targets.find_map(|one| one.collector(Collector::Customers))?;
        let at = discovery.figures.as_ref()?.at;
        Some((CollectorSnapshot::customers(discovery)?, at))
    }
}
