//! What is known at one moment: immutable, published whole, and read by everyone else.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::collectors::customers::{Customers, ListedCustomer};
use crate::collectors::{self, ASSUMED_USERS, Collect, Listed, Totals};
use crate::config::CollectorConfig;
use crate::domain::{Api, Collector, Reason, Target, TargetId, Timestamp, Unit};
use crate::upstream::Progress;

/// What is known of all targets.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The targets that are polled: the partner, its customers, then the tenants, those of the config in its order
    /// before those of the API.
    pub targets: Vec<Arc<TargetSnapshot>>,
    /// Targets that the API does not list any more: shown until their last figures are stale.
    pub gone: Vec<Arc<TargetSnapshot>>,
    /// What the configuration makes of the customers that discovery found, if it ever found them.
    pub discovered: Option<Arc<Discovered>>,
}

/// What the configuration makes of the customers that discovery found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// The customers that the patterns admit.
    pub customers: Vec<ListedCustomer>,
    /// The number of tenants that the patterns exclude.
    pub excluded: u64,
}

/// What is known of one target.
#[derive(Debug, Clone)]
pub struct TargetSnapshot {
    /// Ids, names and labels.
    pub target: Target,
    /// Its collectors, in the order of the config.
    pub collectors: Vec<CollectorSnapshot>,
}

/// What is known of one collector of one target.
#[derive(Debug, Clone)]
pub struct CollectorSnapshot {
    /// What it reads and how often.
    pub config: CollectorConfig,
    /// When it polls next; `None` while the first poll waits for the target's other listings.
    pub next_poll: Option<Timestamp>,
    /// Polls that ended.
    pub polls: u64,
    /// Polls that failed, by reason.
    pub failures: BTreeMap<Reason, u64>,
    /// Slots of the schedule that were left out.
    pub skipped: u64,
    /// Whether it is polled less often than its interval says, since the API refuses it again and again.
    pub quarantined: bool,
    /// The last poll that ended, even in an earlier process.
    pub last_poll: Option<LastPoll>,
    /// When a poll of this process failed first since the last one that succeeded; `None` while they succeed.
    pub failing_since: Option<Timestamp>,
    /// The last poll of this process that failed, however many have succeeded since.
    pub last_failure: Option<LastFailure>,
    /// The figures of the last poll that succeeded, even in an earlier process.
    pub figures: Option<Figures>,
    /// The poll that runs, if one does. It is the same in all copies, so that it can be looked at while nothing new is
    /// published.
    pub under_way: UnderWay,
}

/// A poll that may be running.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<Mutex<Weak<Progress>>>);

impl UnderWay {
    /// A poll begins. It is under way as long as somebody holds what is returned.
    pub fn begin(&self, now: Timestamp) -> Arc<Progress> {
        let progress = Arc::new(Progress::since(now));
        *self.lock() = Arc::downgrade(&progress);
        progress
    }

    /// How far the poll is that runs.
    pub fn progress(&self) -> Option<Arc<Progress>> {
        self.lock().upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, Weak<Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a poll went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPoll {
    /// How long it took.
    pub duration: Duration,
    /// Rows read until its end, repeated ones included.
    pub rows: u64,
    /// Why it failed, if it did.
    pub failure: Option<Reason>,
}

/// How a poll failed.
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
    /// The number of pages that it read.
    pub pages: u64,
    /// Dates in them that could not be read, and count as missing.
    pub unreadable_dates: u64,
    /// What it found.
    pub totals: Arc<Totals>,
    /// Whether an earlier process found them.
    pub is_restored: bool,
}

/// Where the latest snapshot is read, and waited for.
pub type Snapshots = watch::Receiver<Arc<Snapshot>>;

impl Snapshot {
    /// All targets that have series.
    pub fn shown(&self) -> impl Iterator<Item = &Arc<TargetSnapshot>> {
        self.targets.iter().chain(&self.gone)
    }

    /// The targets of this kind that are polled.
    pub fn polled(&self, unit: Unit) -> impl Iterator<Item = &Arc<TargetSnapshot>> {
        self.targets
            .iter()
            .filter(move |one| one.target.id().unit() == unit)
    }

    /// All collectors of all targets that are polled.
    pub fn collectors(&self) -> impl Iterator<Item = &CollectorSnapshot> {
        self.targets.iter().flat_map(|target| &target.collectors)
    }

    /// Whether each poll was tried once in this process.
    pub fn first_round_ended(&self) -> bool {
        self.collectors().all(CollectorSnapshot::was_polled)
    }

    /// Whether there is anything to show beside the health of the polls.
    pub fn has_fresh(&self, now: Timestamp) -> bool {
        let mut collectors = self.shown().flat_map(|target| &target.collectors);
        collectors.any(|one| one.fresh(now).is_some())
    }

    /// How many requests in a second an API must take for all polls to keep their intervals, by the polls that
    /// succeeded last: one that failed may have ended at its first page. A listing that was never read takes one
    /// request at least.
    pub fn required(&self, api: Api) -> f64 {
        self.required_with(api, |_| 1)
    }

    /// The same, with [`ASSUMED_USERS`] in each listing that was never read; and how many listings these are.
    pub fn expected(&self, api: Api) -> (f64, usize) {
        let unread = self
            .collectors()
            .filter(|one| one.collector().api() == api && one.last_poll.is_none());
        // One that was refused may be refused for good, at its first request.
        let required = self.required_with(api, |unread| match unread.last_poll {
            None => collectors::requests(unread.config.kind, ASSUMED_USERS),
            Some(_) => 1,
        });
        (required, unread.count())
    }

    fn required_with(&self, api: Api, of_unread: impl Fn(&CollectorSnapshot) -> u64) -> f64 {
        self.collectors()
            .filter(|one| one.collector().api() == api)
            .map(|one| {
                let pages = one.figures.as_ref().map(|figures| figures.pages);
                let pages = pages.unwrap_or_else(|| of_unread(one));
                pages as f64 / one.config.interval.as_secs_f64()
            })
            // From zero, since the sum of nothing is -0.
            .fold(0.0, |all, one| all + one)
    }

    /// When the next figures, that are fresh now, will be stale.
    pub fn next_stale(&self, now: Timestamp) -> Option<Timestamp> {
        self.shown()
            .flat_map(|target| &target.collectors)
            .filter_map(CollectorSnapshot::stale_at)
            .filter(|stale_at| *stale_at > now)
            .min()
    }

    /// The collector that discovers customers; `None` where it is off.
    pub fn discovery(&self) -> Option<&CollectorSnapshot> {
        let mut partner = self.polled(Unit::Partner);
        partner.find_map(|partner| partner.collector(Customers::COLLECTOR))
    }

    /// What discovery found, unless it is stale.
    pub fn listed(&self, now: Timestamp) -> Option<&<Customers as Collect>::Figures> {
        Customers::of(self.discovery()?.fresh(now)?)
    }

    /// What the configuration makes of the customers, unless their listing is stale.
    pub fn discovered(&self, now: Timestamp) -> Option<&Discovered> {
        self.discovery()?.fresh(now)?;
        self.discovered.as_deref()
    }
}

impl TargetSnapshot {
    /// The key of the target.
    pub fn id(&self) -> TargetId {
        self.target.id()
    }

    /// When the last of its figures will be stale; `None` when there are none.
    pub fn stale_at(&self) -> Option<Timestamp> {
        self.collectors
            .iter()
            .filter_map(CollectorSnapshot::stale_at)
            .max()
    }

    /// A collector of the target, if it is on.
    pub fn collector(&self, collector: Collector) -> Option<&CollectorSnapshot> {
        self.collectors
            .iter()
            .find(|snapshot| snapshot.collector() == collector)
    }

    /// The collectors whose health is shown with the target: not discovery, which has metrics and a place of its own.
    pub fn with_health(&self) -> impl Iterator<Item = &CollectorSnapshot> {
        let collectors = self.collectors.iter();
        collectors.filter(|one| !one.collector().is_discovery())
    }

    /// The fresh figures of a collector, without what came of matching them with listings that are not fresh.
    pub fn fresh<C: Listed>(&self, now: Timestamp) -> Option<Cow<'_, C::Figures>> {
        let figures = C::of(self.collector(C::COLLECTOR)?.fresh(now)?)?;
        let is_stale = |other: &Collector| {
            let other = self.collector(*other);
            other.is_none_or(|other| other.fresh(now).is_none())
        };
        let mut lost = C::joined(figures);
        lost.retain(is_stale);
        if lost.is_empty() {
            return Some(Cow::Borrowed(figures));
        }
        let mut figures = figures.clone();
        C::forget_joins(&mut figures, &lost);
        Some(Cow::Owned(figures))
    }
}

impl CollectorSnapshot {
    /// What is known before the first poll.
    pub fn new(config: CollectorConfig) -> Self {
        Self {
            config,
            next_poll: None,
            polls: 0,
            failures: BTreeMap::new(),
            skipped: 0,
            quarantined: false,
            last_poll: None,
            failing_since: None,
            last_failure: None,
            figures: None,
            under_way: UnderWay::default(),
        }
    }

    /// Which collector it is.
    pub const fn collector(&self) -> Collector {
        self.config.kind.collector()
    }

    /// Whether a poll with these options has ended in this process. What is known of the last one may be of an
    /// earlier process.
    pub fn was_polled(&self) -> bool {
        self.polls > 0 && self.last_poll.is_some()
    }

    /// Whether the last poll succeeded; `None` before the first.
    pub fn up(&self) -> Option<bool> {
        self.last_poll.map(|poll| poll.failure.is_none())
    }

    /// The number of polls that failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// The figures, unless they are stale.
    pub fn fresh(&self, now: Timestamp) -> Option<&Totals> {
        let figures = self.figures.as_ref()?;
        (now.since(figures.at) < self.config.stale_after).then_some(&*figures.totals)
    }

    /// The customers that discovery found last, however long ago, if this is its collector.
    pub fn customers(&self) -> Option<&[ListedCustomer]> {
        let figures = self.figures.as_ref()?;
        Customers::of(&figures.totals).map(|figures| figures.customers.as_slice())
    }

    /// When the figures are stale, or were; `None` if there are none.
    pub fn stale_at(&self) -> Option<Timestamp> {
        self.figures
            .as_ref()
            .map(|figures| figures.at.after(self.config.stale_after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_copies_see_how_far_a_poll_is_until_it_ends_and_not_how_far_an_older_one_got() {
        let at = |seconds| Timestamp::from_unix(Duration::from_secs(seconds));
        let under_way = UnderWay::default();
        let copy = under_way.clone();
        assert!(copy.progress().is_none());
        let aborted = under_way.begin(at(1));
        let poll = under_way.begin(at(2));
        drop(aborted);
        assert_eq!(copy.progress().unwrap().began(), at(2));
        drop(poll);
        assert!(copy.progress().is_none());
    }
}
