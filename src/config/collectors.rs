//! `collectors`: what is polled and how often, for all tenants, and what a tenant sets otherwise.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::checker::{Checker, Value};
use super::problem::KeyPath;
use super::{CollectorConfig, CollectorKind, SecurityEndpoint, SecurityMode, StatusEncoding, raw};
use crate::domain::PromDuration;

/// Bounds in milliseconds: a listing takes longer than a second, and figures a week old help nobody.
const INTERVALS: RangeInclusive<u64> = 1000..=7 * 24 * 3_600_000;
const STALE_AFTERS: RangeInclusive<u64> = 1000..=30 * 24 * 3_600_000;

const SECURITY_USERS_INTERVAL: Duration = Duration::from_mins(5);
const PROTECTED_USERS_INTERVAL: Duration = Duration::from_mins(15);

/// Polls survive this many intervals without success before their figures go, unless `stale_after` is set.
const STALE_INTERVALS: u32 = 3;

/// The collectors as one place of the file sets them.
#[derive(Debug, Clone)]
pub(super) struct Collectors {
    security: Schedule,
    exclude_test_users: Option<bool>,
    protected: Schedule,
}

/// When a collector polls, as far as the file sets it.
#[derive(Debug, Clone)]
struct Schedule {
    path: KeyPath,
    enabled: Option<bool>,
    interval: Value<Duration>,
    stale_after: Value<Duration>,
}

impl Collectors {
    /// Checks the settings for all tenants.
    pub(super) fn check_base(
        checker: &mut Checker<'_>,
        path: &KeyPath,
        raw: &raw::Collectors,
    ) -> Self {
        let base = Self::check(checker, path, raw);
        base.check_relations(checker, [true, true]);
        base
    }

    /// Checks each value by itself.
    pub(super) fn check(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Collectors) -> Self {
        let security_path = path.key("security_users");
        let protected_path = path.key("protected_users");
        let (mut security, mut protected) = (
            Schedule::unset(&security_path),
            Schedule::unset(&protected_path),
        );
        if let Some(raw) = &raw.security_users {
            security = Schedule::check(
                checker,
                security_path,
                raw.enabled,
                raw.interval.as_deref(),
                raw.stale_after.as_deref(),
            );
            let path = &security.path;
            checker.word(
                &path.key("endpoint"),
                raw.endpoint.as_deref(),
                &[("v3", ())],
            );
            checker.word(&path.key("mode"), raw.mode.as_deref(), &[("scan", ())]);
        }
        if let Some(raw) = &raw.protected_users {
            protected = Schedule::check(
                checker,
                protected_path,
                raw.enabled,
                raw.interval.as_deref(),
                raw.stale_after.as_deref(),
            );
        }
        Self {
            security,
            exclude_test_users: raw
                .security_users
                .as_ref()
                .and_then(|raw| raw.exclude_test_users),
            protected,
        }
    }

    /// These settings of a tenant, and where they leave something open, those of `base`.
    pub(super) fn over(self, checker: &mut Checker<'_>, base: &Self) -> Self {
        // A tenant that sets no duration of its own would only repeat what is wrong with the base.
        let own = [&self.security, &self.protected].map(Schedule::sets_durations);
        let merged = Self {
            security: self.security.over(&base.security),
            exclude_test_users: self.exclude_test_users.or(base.exclude_test_users),
            protected: self.protected.over(&base.protected),
        };
        merged.check_relations(checker, own);
        merged
    }

    /// Reports durations of the chosen collectors that do not go together.
    fn check_relations(&self, checker: &mut Checker<'_>, [security, protected]: [bool; 2]) {
        if security {
            self.security
                .check_relation(checker, SECURITY_USERS_INTERVAL);
        }
        if protected {
            self.protected
                .check_relation(checker, PROTECTED_USERS_INTERVAL);
        }
    }

    /// Those that are on, in the order of `Collector::ALL`, with the defaults filled in.
    pub(super) fn in_force(&self) -> Vec<CollectorConfig> {
        let security = CollectorKind::SecurityUsers {
            endpoint: SecurityEndpoint::V3,
            encoding: StatusEncoding::Codes,
            mode: SecurityMode::Scan {
                exclude_test_users: self.exclude_test_users.unwrap_or(false),
            },
        };
        [
            self.security.in_force(security, SECURITY_USERS_INTERVAL),
            self.protected
                .in_force(CollectorKind::ProtectedUsers, PROTECTED_USERS_INTERVAL),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Schedule {
    fn unset(path: &KeyPath) -> Self {
        Self {
            path: path.clone(),
            enabled: None,
            interval: Value::Absent,
            stale_after: Value::Absent,
        }
    }

    fn check(
        checker: &mut Checker<'_>,
        path: KeyPath,
        enabled: Option<bool>,
        interval: Option<&str>,
        stale_after: Option<&str>,
    ) -> Self {
        Self {
            enabled,
            interval: checker.duration(&path.key("interval"), interval, INTERVALS),
            stale_after: checker.duration(&path.key("stale_after"), stale_after, STALE_AFTERS),
            path,
        }
    }

    fn sets_durations(&self) -> bool {
        self.interval != Value::Absent || self.stale_after != Value::Absent
    }

    fn over(self, base: &Self) -> Self {
        Self {
            path: self.path,
            enabled: self.enabled.or(base.enabled),
            interval: self.interval.or(base.interval),
            stale_after: self.stale_after.or(base.stale_after),
        }
    }

    /// The interval and the age that are in force, unless one of them is wrong.
    fn durations(&self, default: Duration) -> Option<(Duration, Duration)> {
        if self.interval == Value::Wrong || self.stale_after == Value::Wrong {
            return None;
        }
        let interval = self.interval.given().unwrap_or(default);
        let stale_after = self.stale_after.given();
        Some((interval, stale_after.unwrap_or(interval * STALE_INTERVALS)))
    }

    /// Reports figures that would vanish between two polls.
    fn check_relation(&self, checker: &mut Checker<'_>, default: Duration) {
        if let Some((interval, stale_after)) = self.durations(default)
            && stale_after < interval
        {
            let [age, every] = [stale_after, interval].map(PromDuration);
            let message = format!(
                "{age} is shorter than interval ({every}), so figures would vanish between polls; expected interval <= stale_after"
            );
            checker.report(&self.path.key("stale_after"), message);
        }
    }

    fn in_force(&self, kind: CollectorKind, default: Duration) -> Option<CollectorConfig> {
        let (interval, stale_after) = self.durations(default)?;
        self.enabled.unwrap_or(true).then_some(CollectorConfig {
            interval,
            stale_after,
            kind,
        })
    }
}
