//! What is known at one moment: immutable, published whole, and read by everyone else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::collectors::{
    Directory, Exposure, Joins, PartnerCenter, Protection, SecurityUsers, Totals,
};
use crate::config::{CollectorConfig, Config};
use crate::domain::{Collector, Reason, Tenant, Timestamp};
use crate::upstream::{Api, Customer};

/// All that is known of all tenants.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The tenants that are polled: those of the config in its order, then those of the API.
    pub tenants: Vec<Arc<TenantSnapshot>>,
    /// Tenants that the API does not list any more: shown until their last figures are stale.
    pub gone: Vec<Arc<TenantSnapshot>>,
    /// What is known by discovery; `None` where it is off.
    pub discovery: Option<Arc<DiscoverySnapshot>>,
}

/// What is known by discovery.
#[derive(Debug, Clone)]
pub struct DiscoverySnapshot {
    /// The age at which what was found leaves the exposition.
    pub stale_after: Duration,
    /// Readings of the API's customers that ended.
    pub polls: u64,
    /// Those that failed, by why.
    pub failures: BTreeMap<Reason, u64>,
    /// Whether the last one succeeded; `None` before the first.
    pub up: Option<bool>,
    /// The last one that failed, however many have succeeded since.
    pub last_failure: Option<LastFailure>,
    /// What the last successful one found.
    pub found: Option<Discovered>,
}

/// What discovery found, but for the tenants that are polled.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// When the API's customers had been read.
    pub at: Timestamp,
    /// All customers that the API lists, by id in ascending order.
    pub listed: Arc<[Customer]>,
    /// Those of them that are let in.
    pub customers: Vec<Customer>,
    /// How many tenants the patterns leave out.
    pub excluded: u64,
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
    /// Whether it is polled less often than its interval says, since the API refuses it again and again.
    pub quarantined: bool,
    /// The last poll that ended, be it in an earlier process.
    pub last_poll: Option<LastPoll>,
    /// The last poll of this process that failed, however many have succeeded since.
    pub last_failure: Option<LastFailure>,
    /// The figures of the last poll that succeeded, be it in an earlier process.
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

/// How a poll failed, or a reading of the API's customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFailure {
    /// When it ended.
    pub at: Timestamp,
    /// Why, as a word of the closed list.
    pub reason: Reason,
    /// Why, for people. It quotes no answer.
    pub message: Arc<str>,
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
            ..Self::default()
        }
    }

    /// All tenants that have series.
    pub fn shown(&self) -> impl Iterator<Item = &Arc<TenantSnapshot>> {
        self.tenants.iter().chain(&self.gone)
    }

    /// All collectors of all tenants that are polled.
    pub fn collectors(&self) -> impl Iterator<Item = &CollectorSnapshot> {
        self.tenants.iter().flat_map(|tenant| &tenant.collectors)
    }

    /// Whether each poll was tried once in this process, and discovery too.
    pub fn first_round_ended(&self) -> bool {
        self.discovery.as_ref().is_none_or(|one| one.polls > 0)
            && self.collectors().all(CollectorSnapshot::was_polled)
    }

    /// Whether there is anything to show beside the health of the polls.
    pub fn has_fresh(&self, now: Timestamp) -> bool {
        let mut collectors = self.shown().flat_map(|tenant| &tenant.collectors);
        collectors.any(|one| one.fresh(now).is_some()) || self.discovered(now).is_some()
    }

    /// How many requests in a second an API must take for all polls to keep their intervals, by the polls that
    /// succeeded last: one that failed may have ended at its first page. A listing that was never read takes one
    /// request at least.
    pub fn required(&self, api: Api) -> f64 {
        self.collectors()
            .filter(|one| one.config.kind.collector().api() == api)
            .map(|one| {
                let pages = one.figures.as_ref().map_or(1, |figures| figures.pages);
                pages as f64 / one.config.interval.as_secs_f64()
            })
            // From zero, since the sum of nothing is -0.
            .fold(0.0, |all, one| all + one)
    }

    /// When the next figures, that are fresh now, will be stale.
    pub fn next_stale(&self, now: Timestamp) -> Option<Timestamp> {
        let figures = self
            .shown()
            .flat_map(|tenant| &tenant.collectors)
            .filter_map(CollectorSnapshot::stale_at);
        let found = self.discovery.iter().filter_map(|one| one.stale_at());
        figures
            .chain(found)
            .filter(|stale_at| *stale_at > now)
            .min()
    }

    /// What discovery found, unless that is stale.
    pub fn discovered(&self, now: Timestamp) -> Option<&Discovered> {
        let discovery = self.discovery.as_deref()?;
        let found = discovery.found.as_ref()?;
        (now.since(found.at) < discovery.stale_after).then_some(found)
    }
}

impl DiscoverySnapshot {
    fn stale_at(&self) -> Option<Timestamp> {
        self.found
            .as_ref()
            .map(|found| found.at.after(self.stale_after))
    }
}

impl TenantSnapshot {
    /// When the last of its figures will be stale; `None` when there are none.
    pub fn stale_at(&self) -> Option<Timestamp> {
        self.collectors
            .iter()
            .filter_map(CollectorSnapshot::stale_at)
            .max()
    }

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
    /// What is known before the first poll.
    pub fn new(config: CollectorConfig) -> Self {
        Self {
            config,
            next_poll: None,
            polls: 0,
            failures: 0,
            skipped: 0,
            quarantined: false,
            last_poll: None,
            last_failure: None,
            figures: None,
        }
    }

    /// Whether a poll with these options has ended in this process. What is known of the last one may be of an
    /// earlier process.
    pub fn was_polled(&self) -> bool {
        self.polls > 0 && self.last_poll.is_some()
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
