//! The options of `collectors.partner_center`.

use serde::{Deserialize, Serialize};
use serde_yaml::Value as Yaml;

use super::Options;
use crate::config::checker::Checker;
use crate::config::problem::KeyPath;

/// There are 249 country codes.
const MOST_LOCATIONS: u32 = 250;
const TOP_LOCATIONS: usize = 10;

/// The options of the collector `partner_center`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerCenterOptions {
    /// Number of usage locations with their own series, 0 to 250. Default: 10.
    pub top_usage_locations: usize,
}

/// `collectors.partner_center`.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(in crate::config) struct PartnerCenterSection {
    pub(in crate::config) enabled: Option<bool>,
    pub(in crate::config) interval: Option<String>,
    pub(in crate::config) stale_after: Option<String>,
    top_usage_locations: Option<f64>,
}

impl Options for PartnerCenterOptions {
    type Section = PartnerCenterSection;
    type Written = Option<usize>;

    fn check(
        checker: &mut Checker<'_>,
        path: &KeyPath,
        section: Option<&PartnerCenterSection>,
    ) -> Option<usize> {
        let top = section?.top_usage_locations?;
        let top = checker.whole(&path.key("top_usage_locations"), top, 0..=MOST_LOCATIONS)?;
        usize::try_from(top).ok()
    }

    fn over(own: &Option<usize>, base: &Option<usize>) -> Option<usize> {
        own.or(*base)
    }

    fn in_force(top: &Option<usize>) -> Self {
        Self {
            top_usage_locations: top.unwrap_or(TOP_LOCATIONS),
        }
    }

    fn keys(self) -> Vec<(&'static str, Yaml)> {
        let top = self.top_usage_locations as u64;
        vec![("top_usage_locations", top.into())]
    }
}
