//! `collectors`: what is polled and how, for all tenants, and what a tenant sets otherwise.

use super::checker::{Checker, Value};
use super::problem::KeyPath;
use super::schedule::Schedule;
use super::security_users::SecurityUsers;
use super::{CollectorConfig, CollectorKind, raw};
use crate::domain::Collector;

/// So many usage locations are told apart. There are 249 country codes.
const MOST_LOCATIONS: u32 = 250;
const TOP_LOCATIONS: usize = 10;

/// The collectors as one place of the file sets them.
#[derive(Debug, Clone)]
pub(super) struct Collectors {
    /// In the order of [`Collector::ALL`].
    schedules: Vec<Schedule>,
    security_users: SecurityUsers,
    top_usage_locations: Value<usize>,
}

impl Collectors {
    /// Checks the settings for all tenants.
    pub(super) fn check(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Collectors) -> Self {
        let base = Self::check_values(checker, path, raw);
        base.check_relations(checker, &base);
        base
    }

    /// Checks the settings of a tenant. What they leave open is as here, for all tenants.
    pub(super) fn for_tenant(
        &self,
        checker: &mut Checker<'_>,
        path: &KeyPath,
        raw: &raw::Collectors,
    ) -> Self {
        let own = Self::check_values(checker, path, raw);
        let schedules = own.schedules.iter().zip(&self.schedules);
        let merged = Self {
            schedules: schedules.map(|(own, base)| own.over(base)).collect(),
            security_users: own.security_users.over(&self.security_users),
            top_usage_locations: own.top_usage_locations.or(self.top_usage_locations),
        };
        merged.check_relations(checker, &own);
        merged
    }

    /// Checks each value by itself.
    fn check_values(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Collectors) -> Self {
        let schedules = Collector::ALL
            .iter()
            .map(|collector| Schedule::check(checker, path, *collector, raw))
            .collect();
        let security_users = SecurityUsers::check(checker, path, raw.security_users.as_ref());
        let path = path.key("partner_center").key("top_usage_locations");
        let top = raw.partner_center.as_ref();
        let top = Value::of(top.and_then(|raw| raw.top_usage_locations), |top| {
            let top = checker.whole(&path, top, 0..=MOST_LOCATIONS)?;
            usize::try_from(top).ok()
        });
        Self {
            schedules,
            security_users,
            top_usage_locations: top,
        }
    }

    /// Reports settings that do not go together, where `own`, what stands at this place of the file, brings that
    /// about. A tenant without settings of its own would only repeat what is wrong with the base.
    fn check_relations(&self, checker: &mut Checker<'_>, own: &Self) {
        for (merged, own) in self.schedules.iter().zip(&own.schedules) {
            merged.check_relation(checker, own);
        }
        self.security_users
            .check_relations(checker, &own.security_users);
    }

    /// Those that are on, in the order of [`Collector::ALL`], with the defaults filled in.
    pub(super) fn in_force(&self) -> Vec<CollectorConfig> {
        let schedules = self.schedules.iter();
        schedules
            .filter_map(|schedule| schedule.in_force(self.kind(schedule.collector)))
            .collect()
    }

    fn kind(&self, collector: Collector) -> CollectorKind {
        match collector {
            Collector::SecurityUsers => self.security_users.in_force(),
            Collector::Directory => CollectorKind::Directory,
            Collector::PartnerCenter => CollectorKind::PartnerCenter {
                top_usage_locations: (self.top_usage_locations.given()).unwrap_or(TOP_LOCATIONS),
            },
            Collector::ProtectedUsers => CollectorKind::ProtectedUsers,
        }
    }
}
