//! `collectors`: what is polled and how, for all targets, and what a tenant overrides.

use super::checker::Checker;
use super::options::{self, Options};
use super::problem::KeyPath;
use super::schedule::Schedule;
use super::{CollectorConfig, CollectorKind, raw};
use crate::domain::{Collector, Unit, collectors};

macro_rules! written {
    ($($variant:ident $key:ident $options:ident $facts:tt)*) => {
        /// The collectors as one place of the file sets them.
        #[derive(Debug, Clone)]
        pub(super) struct Collectors {
            /// In the order of [`Collector::configured`].
            schedules: Vec<Schedule>,
            $($key: <options::$options as Options>::Written,)*
        }

        impl Collectors {
            /// Checks each value by itself.
            fn check_values(
                checker: &mut Checker<'_>,
                path: &KeyPath,
                raw: &raw::Collectors,
            ) -> Self {
                Self {
                    schedules: Collector::configured()
                        .map(|collector| Schedule::check(checker, path, collector, raw))
                        .collect(),
                    $($key: options::$options::check(
                        checker,
                        &path.key(stringify!($key)),
                        raw.$key.as_ref(),
                    ),)*
                }
            }

            /// These settings of a tenant, and where they leave something open, those of all tenants.
            fn over(&self, base: &Self) -> Self {
                let schedules = self.schedules.iter().zip(&base.schedules);
                Self {
                    schedules: schedules.map(|(own, base)| own.over(base)).collect(),
                    $($key: options::$options::over(&self.$key, &base.$key),)*
                }
            }

            /// Reports settings that do not go together, where `own`, the part that is written at this place of the
            /// file, brings that about. A tenant without settings of its own would only repeat the faults of the base.
            fn check_relations(&self, checker: &mut Checker<'_>, own: &Self) {
                for (merged, own) in self.schedules.iter().zip(&own.schedules) {
                    merged.check_relation(checker, own);
                }
                $(options::$options::check_relations(&self.$key, checker, &own.$key);)*
            }

            /// A collector with its options.
            fn kind(&self, collector: Collector) -> Option<CollectorKind> {
                match collector {
                    $(Collector::$variant => {
                        Some(CollectorKind::$variant(options::$options::in_force(&self.$key)))
                    })*
                    // It is configured elsewhere.
                    _ => None,
                }
            }
        }
    };
}
collectors!(configured written);

impl Collectors {
    /// Checks the settings for all targets.
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
        for collector in Collector::configured().filter(|one| raw.schedule(*one).is_some()) {
            if let Some(message) = not_of_a_tenant(collector.unit()) {
                checker.report(&path.key(collector.as_str()), message);
            }
        }
        let own = Self::check_values(checker, path, raw);
        let merged = own.over(self);
        merged.check_relations(checker, &own);
        merged
    }

    /// Those of targets of this kind that are on, in the order of [`Collector::all`], with the defaults filled in.
    pub(super) fn in_force(&self, unit: Unit) -> Vec<CollectorConfig> {
        let schedules = self.schedules.iter();
        schedules
            .filter(|schedule| schedule.collector.unit() == unit)
            .filter_map(|schedule| schedule.in_force(self.kind(schedule.collector)?))
            .collect()
    }
}

/// Why a tenant cannot override a collector of this unit, if it cannot.
fn not_of_a_tenant(unit: Unit) -> Option<String> {
    (unit != Unit::Tenant).then(|| {
        format!("is polled once per {unit}, so a tenant cannot override it; expected it under collectors of all tenants")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_overrides_collectors_of_tenants_only() {
        assert_eq!(not_of_a_tenant(Unit::Tenant), None);
        assert_eq!(
            not_of_a_tenant(Unit::Customer).unwrap(),
            "is polled once per customer, so a tenant cannot override it; expected it under collectors of all tenants"
        );
    }
}
