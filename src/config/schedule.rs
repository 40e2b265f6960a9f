//! When a collector polls, as one place of the file sets it. Knows nothing of what a collector reads.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::checker::{Checker, Value};
use super::problem::KeyPath;
use super::{CollectorConfig, CollectorKind, raw};
use crate::domain::{Collector, PromDuration};

/// Bounds in milliseconds: a listing takes longer than a second, and figures a week old help nobody.
pub(super) const INTERVALS: RangeInclusive<u64> = 1000..=7 * 24 * 3_600_000;
const STALE_AFTERS: RangeInclusive<u64> = 1000..=30 * 24 * 3_600_000;

/// Polls survive this many intervals without success before their figures go, unless `stale_after` is set.
pub(super) const STALE_INTERVALS: u32 = 3;

/// When a collector polls, as far as the file sets it.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) collector: Collector,
    path: KeyPath,
    enabled: Option<bool>,
    interval: Value<Duration>,
    stale_after: Value<Duration>,
}

impl Schedule {
    /// Checks each value by itself. The path is that of all collectors.
    pub(super) fn check(
        checker: &mut Checker<'_>,
        path: &KeyPath,
        collector: Collector,
        raw: &raw::Collectors,
    ) -> Self {
        let path = path.key(collector.as_str());
        let raw = raw.schedule(collector).unwrap_or_default();
        Self {
            collector,
            enabled: raw.enabled,
            interval: checker.duration(&path.key("interval"), raw.interval, INTERVALS),
            stale_after: checker.duration(&path.key("stale_after"), raw.stale_after, STALE_AFTERS),
            path,
        }
    }

    /// This schedule of a tenant, and where it leaves something open, that of all tenants.
    pub(super) fn over(&self, base: &Self) -> Self {
        Self {
            collector: self.collector,
            path: self.path.clone(),
            enabled: self.enabled.or(base.enabled),
            interval: self.interval.or(base.interval),
            stale_after: self.stale_after.or(base.stale_after),
        }
    }

    /// The interval and the age that are in force, unless one of them is wrong.
    fn durations(&self) -> Option<(Duration, Duration)> {
        if self.interval == Value::Wrong || self.stale_after == Value::Wrong {
            return None;
        }
        let default = self.collector.default_interval();
        let interval = self.interval.given().unwrap_or(default);
        let stale_after = self.stale_after.given();
        Some((interval, stale_after.unwrap_or(interval * STALE_INTERVALS)))
    }

    /// Reports figures that would vanish between two polls, if `own`, the part of this schedule that stands at its
    /// place of the file, has to do with it: the rest was reported where it stands.
    pub(super) fn check_relation(&self, checker: &mut Checker<'_>, own: &Self) {
        let is_own = own.interval != Value::Absent || own.stale_after != Value::Absent;
        if let Some((interval, stale_after)) = self.durations()
            && is_own
            && stale_after < interval
        {
            let [age, every] = [stale_after, interval].map(PromDuration);
            let message = format!(
                "{age} is shorter than interval ({every}), so figures would vanish between polls; expected interval <= stale_after"
            );
            checker.report(&self.path.key("stale_after"), message);
        }
    }

    /// What is in force with the defaults filled in, if the collector is on.
    pub(super) fn in_force(&self, kind: CollectorKind) -> Option<CollectorConfig> {
        let (interval, stale_after) = self.durations()?;
        let is_on = self.collector.is_on_by_default();
        self.enabled.unwrap_or(is_on).then_some(CollectorConfig {
            interval,
            stale_after,
            kind,
        })
    }
}
