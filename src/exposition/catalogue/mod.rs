//! The series of the tenants: one table with all there is to say about each metric. The exporter's own
//! series are not here, but in the registry of the `prometheus` crate.

mod directory;
mod health;
mod partner_center;
mod tenants;
mod users;

use crate::domain::{Collector, Timestamp};
use crate::snapshot::{CollectorSnapshot, Snapshot, TenantSnapshot};

use super::text::{Head, Kind, Samples as Out};

/// A metric of the tenants.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Whether it goes up only.
    pub kind: Kind,
    /// What it means, in one line.
    pub help: &'static str,
    /// The labels beside those that tell the tenant.
    pub labels: &'static [&'static str],
    /// What its values come from.
    pub from: &'static [Origin],
    pub(super) samples: Source,
}

impl Metric {
    pub(super) const fn head(&self) -> Head {
        Head {
            name: self.name,
            kind: self.kind,
            help: self.help,
            labels: self.labels,
        }
    }
}

/// What the values of a metric come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// What the operator has written.
    Configuration,
    /// The listing of customers, which discovery reads.
    Customers,
    /// What this collector reads.
    Collector(Collector),
    /// How the reading of listings fares.
    Polls,
}

/// Where a metric's samples come from; this is its scope.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// All tenants together.
    Fleet(fn(&Snapshot, Timestamp, &mut Out<'_>)),
    /// Each tenant: its id and name come first among the labels.
    Tenant(fn(&TenantSnapshot, Timestamp, &mut Out<'_>)),
    /// Each collector of each tenant, with its name: the tenant's id and name come first.
    Collector(fn(&CollectorSnapshot, &'static str, &mut Out<'_>)),
}
/// All metrics of the tenants, in the order of the exposition.
pub fn catalogue() -> impl Iterator<Item = &'static Metric> {
    [
        tenants::METRICS,
        users::METRICS,
        directory::METRICS,
        partner_center::METRICS,
        health::METRICS,
    ]
    .into_iter()
    .flatten()
}
