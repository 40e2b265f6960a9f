//! The options of each collector that has some, beside its schedule: as written, as checked, and in force.

mod partner_center;
mod security_users;

use serde::{Deserialize, Serialize};
use serde_yaml::Value as Yaml;

use super::checker::Checker;
use super::problem::KeyPath;

pub use self::partner_center::PartnerCenterOptions;
pub use self::security_users::{SecurityEndpoint, SecurityMode, SecurityOptions, StatusEncoding};

/// The options of a collector.
pub(super) trait Options: Copy {
    /// The collector's section as written.
    type Section;
    /// The options as one place of the file sets them.
    type Written: std::fmt::Debug + Clone;

    /// Checks each value by itself. The path is that of the section.
    fn check(
        checker: &mut Checker<'_>,
        path: &KeyPath,
        section: Option<&Self::Section>,
    ) -> Self::Written;

    /// The options of a tenant, and where they leave something open, those of all tenants.
    fn over(own: &Self::Written, base: &Self::Written) -> Self::Written;

    /// Reports options that contradict each other, if `own`, the part that is written at this place of the file, has
    /// to do with it: the rest was reported where it is written.
    fn check_relations(_merged: &Self::Written, _checker: &mut Checker<'_>, _own: &Self::Written) {}

    /// The options in force, with the defaults filled in.
    fn in_force(written: &Self::Written) -> Self;

    /// The options as keys of the section.
    fn keys(self) -> Vec<(&'static str, Yaml)> {
        Vec::new()
    }
}

/// The options of a collector that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoOptions;

/// The section of a collector without options of its own.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(in crate::config) struct ScheduleOnly {
    pub(in crate::config) enabled: Option<bool>,
    pub(in crate::config) interval: Option<String>,
    pub(in crate::config) stale_after: Option<String>,
}

impl Options for NoOptions {
    type Section = ScheduleOnly;
    type Written = ();

    fn check(_: &mut Checker<'_>, _: &KeyPath, _: Option<&ScheduleOnly>) {}

    fn over((): &(), (): &()) {}

    fn in_force((): &()) -> Self {
        Self
    }
}
