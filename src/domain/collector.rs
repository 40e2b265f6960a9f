//! The table of collectors. A collector reads one kind of listing of one kind of target.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Api, Unit};

/// Hands the table to the macro `$with`, a row per collector, in the order in which their metrics are shown: its name in
/// the code, its directory and key, its options (a type of `config`), and its facts.
///
/// Each floor that needs an item per collector (an enum's variant, a section of the configuration, a module) has
/// a macro of its own that makes them of the rows, so a new collector is one row here and one directory
/// `collectors/NAME`. `configured` leaves out what has no section of its own below `collectors` in the configuration.
macro_rules! collectors {
    (all $with:ident) => {
        $crate::domain::collectors! { @rows $with
            // Discovery: it decides which tenants there are. The configuration has it under `discovery`, and the
            // health of its polls has the names avepoint_discovery_*.
            Customers customers NoOptions { unit: Partner, api: Elements, on: false, minutes: 60, last: false }
        }
    };
    (configured $with:ident) => { $crate::domain::collectors! { @rows $with } };
    (@rows $with:ident $($first:tt)*) => {
        $with! {
            $($first)*
            SecurityUsers security_users SecurityOptions
                { unit: Tenant, api: Elements, on: true, minutes: 5, last: false }
            ProtectedUsers protected_users NoOptions
                { unit: Tenant, api: Elements, on: true, minutes: 15, last: true }
            Directory directory NoOptions
                { unit: Tenant, api: Elements, on: false, minutes: 60, last: false }
            PartnerCenter partner_center PartnerCenterOptions
                { unit: Tenant, api: PartnerCenter, on: false, minutes: 60, last: false }
        }
    };
}
pub(crate) use collectors;

/// The facts of a row.
struct Facts {
    unit: Unit,
    api: Api,
    /// Whether it is on by default.
    on: bool,
    /// The default interval.
    minutes: u64,
    /// Whether it is polled after the others of its target.
    last: bool,
}

macro_rules! collector {
    ($($variant:ident $key:ident $options:ident $facts:tt)*) => {
        /// One kind of listing.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Collector {
            $(
                #[doc = concat!("The collector `", stringify!($key), "`.")]
                $variant,
            )*
        }

        impl Collector {
            /// In the order of the table.
            const TABLE: &[Self] = &[$(Self::$variant),*];

            /// The value of the label `collector`, and the key in the configuration.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($key),)*
                }
            }

            const fn facts(self) -> Facts {
                use super::Api::*;
                use super::Unit::*;
                match self {
                    $(Self::$variant => Facts $facts,)*
                }
            }
        }
    };
}
collectors!(all collector);

impl Collector {
    /// All of them in the order in which they are polled: those that come last behind the others.
    pub fn all() -> impl Iterator<Item = Self> {
        let table = Self::TABLE.iter().copied();
        let last = table.clone().filter(|one| one.comes_last());
        table.filter(|one| !one.comes_last()).chain(last)
    }

    /// Those that the configuration has under `collectors`, in the order in which they are polled.
    pub fn configured() -> impl Iterator<Item = Self> {
        Self::all().filter(|one| !one.is_discovery())
    }

    /// The kind of target that its listing is about.
    pub const fn unit(self) -> Unit {
        self.facts().unit
    }

    /// The API that has its listing.
    pub const fn api(self) -> Api {
        self.facts().api
    }

    /// Whether it is on unless the configuration says otherwise.
    pub const fn is_on_by_default(self) -> bool {
        self.facts().on
    }

    /// The time from one poll to the next unless the configuration says otherwise.
    pub const fn default_interval(self) -> Duration {
        Duration::from_mins(self.facts().minutes)
    }

    /// Whether its first poll waits for those of the target's other collectors: its listing is matched against theirs.
    pub const fn comes_last(self) -> bool {
        self.facts().last
    }

    /// Whether it decides which other targets there are.
    pub const fn is_discovery(self) -> bool {
        matches!(self, Self::Customers)
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_that_is_matched_against_others_is_polled_behind_them() {
        let order: Vec<_> = Collector::configured().map(Collector::as_str).collect();
        assert_eq!(
            order,
            [
                "security_users",
                "directory",
                "partner_center",
                "protected_users"
            ]
        );
    }
}
