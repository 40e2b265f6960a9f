//! What is known at one moment: immutable, published whole, and read by everyone else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::collectors::{
    Directory, Exposure, Joins, PartnerCenter, Protection, SecurityUsers, Totals,
};
use crate::config::{CollectorConfig, Config};
use crate::domain::{Collector, Reason, Tenant, Timestamp};

/// All that is known of all tenants.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// In the order of the config.
    pub tenants: Vec<Arc<TenantSnapshot>>,
}

/// What is known of one tenant.
#[derive(Debug, Clone)]
pub struct TenantSnapshot {
    /// Ids, names and labels.
    pub tenant: Arc<Tenant>,
    /// Its collectors, in the order of the config.
    pub collectors: Vec<CollectorSnapshot>,
}

/// What is known of one collector of one tenant.
#[derive(Debug, Clone)]
pub struct CollectorSnapshot {
    /// What it reads and how often.
    pub config: CollectorConfig,
    /// When it polls next; `None` while the first poll waits for the tenant's other listings.
    pub next_poll: Option<Timestamp>,
    /// Polls that ended.
    pub polls: u64,
    /// Polls that failed.
    pub failures: u64,
    /// Slots of the schedule that were left out.
    pub skipped: u64,
    /// The last poll that ended.
    pub last_poll: Option<LastPoll>,
    /// The figures of the last poll that succeeded.
    pub figures: Option<Figures>,
}

/// How a poll went.
#[derive(Debug, Clone, Copy)]
pub struct LastPoll {
    /// How long it took.
    pub duration: Duration,
    /// Rows read until its end, repeated ones included.
    pub rows: u64,
    /// Why it failed, if it did.
    pub failure: Option<Reason>,
}

/// Figures and their time.
#[derive(Debug, Clone)]
pub struct Figures {
    /// When the poll that found them ended.
    pub at: Timestamp,
    /// How many pages that took.
    pub pages: u64,
    /// What it found.
    pub totals: Arc<Totals>,
}

/// Where the latest snapshot is read, and waited for.
pub type Snapshots = watch::Receiver<Arc<Snapshot>>;

impl Snapshot {
    /// What is known before the first poll.
    pub fn new(config: &Config) -> Self {
        let tenants = config.tenants.iter().map(|tenant| {
            let collectors = tenant
                .collectors
                .iter()
                .map(|config| CollectorSnapshot::new(*config))
                .collect();
            Arc::new(TenantSnapshot {
                tenant: Arc::clone(&tenant.tenant),
                collectors,
            })
        });
        Self {
            tenants: tenants.collect(),
        }
    }

    /// All collectors of all tenants.
    pub fn collectors(&self) -> impl Iterator<Item = &CollectorSnapshot> {
        self.tenants.iter().flat_map(|tenant| &tenant.collectors)
    }

    /// Whether each poll was tried once.
    pub fn first_round_ended(&self) -> bool {
        self.collectors()
            .all(|collector| collector.last_poll.is_some())
    }

    /// When the next figures, that are fresh now, will be stale.
    pub fn next_stale(&self, now: Timestamp) -> Option<Timestamp> {
        self.collectors()
            .filter_map(CollectorSnapshot::stale_at)
            .filter(|stale_at| *stale_at > now)
            .min()
    }
}

impl TenantSnapshot {
    /// A collector of the tenant, if it is on.
    pub fn collector(&self, collector: Collector) -> Option<&CollectorSnapshot> {
        self.collectors
            .iter()
            .find(|snapshot| snapshot.config.kind.collector() == collector)
    }

    /// The fresh figures of the security users.
    pub fn security_users(&self, now: Timestamp) -> Option<&SecurityUsers> {
        match self.collector(Collector::SecurityUsers)?.fresh(now)? {
            Totals::SecurityUsers(figures) => Some(figures),
            _ => None,
        }
    }

    /// The fresh figures of the directory.
    pub fn directory(&self, now: Timestamp) -> Option<&Directory> {
        match self.collector(Collector::Directory)?.fresh(now)? {
            Totals::Directory(figures) => Some(figures),
            _ => None,
        }
    }

    /// The fresh figures of Partner Center.
    pub fn partner_center(&self, now: Timestamp) -> Option<&PartnerCenter> {
        match self.collector(Collector::PartnerCenter)?.fresh(now)? {
            Totals::PartnerCenter(figures) => Some(figures),
            _ => None,
        }
    }

    /// The fresh figures of the protected users.
    pub fn protection(&self, now: Timestamp) -> Option<&Protection> {
        self.protected_users(now).map(|(protection, _)| protection)
    }

    /// Who is at risk and not backed up, while both listings are fresh.
    pub fn exposure(&self, now: Timestamp) -> Option<&Exposure> {
        self.security_users(now)?;
        self.protected_users(now)?.1.exposure.as_ref()
    }

    /// How many active users of another listing are not in the backup listing, while both are fresh.
    pub fn missing(&self, now: Timestamp) -> impl Iterator<Item = (Collector, u64)> {
        let joins = self.protected_users(now).map(|(_, joins)| joins);
        let missing = joins.into_iter().flat_map(|joins| &joins.missing);
        missing
            .filter(move |(collector, _)| {
                let other = self.collector(**collector);
                other.is_some_and(|other| other.fresh(now).is_some())
            })
            .map(|(collector, users)| (*collector, *users))
    }

    fn protected_users(&self, now: Timestamp) -> Option<(&Protection, &Joins)> {
        match self.collector(Collector::ProtectedUsers)?.fresh(now)? {
            Totals::ProtectedUsers(protection, joins) => Some((protection, joins)),
            _ => None,
        }
    }
}

impl CollectorSnapshot {
    fn new(config: CollectorConfig) -> Self {
        Self {
            config,
            next_poll: None,
            polls: 0,
            failures: 0,
            skipped: 0,
            last_poll: None,
            figures: None,
        }
    }

    /// The figures, unless they are stale.
    pub fn fresh(&self, now: Timestamp) -> Option<&Totals> {
        let figures = self.figures.as_ref()?;
        (now.since(figures.at) < self.config.stale_after).then_some(&*figures.totals)
    }

    fn stale_at(&self) -> Option<Timestamp> {
        self.figures
            .as_ref()
            .map(|figures| figures.at.after(self.config.stale_after))
    }
}
