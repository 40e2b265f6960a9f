//! The options of `collectors.partner_center`.

use serde::{Deserialize, Serialize};

use super::Options;
use crate::config::checker::{Checker, Value};
use crate::config::problem::KeyPath;
use crate::config::raw::section;

/// There are 249 country codes.
const MOST_LOCATIONS: u32 = 250;
const TOP_LOCATIONS: usize = 10;

/// The options of the collector `partner_center`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerCenterOptions {
    /// Number of usage locations with their own series, 0 to 250. Default: 10.
    pub top_usage_locations: usize,
}

section!(
    /// `collectors.partner_center`.
    PartnerCenterSection {
        top_usage_locations: f64,
    }
);

impl Options for PartnerCenterOptions {
    type Section = PartnerCenterSection;
    type Written = Value<usize>;

    fn check(
        checker: &mut Checker<'_>,
        path: &KeyPath,
        section: Option<&PartnerCenterSection>,
    ) -> Value<usize> {
        Value::of(
            section.and_then(|section| section.top_usage_locations),
            |top| {
                let top =
                    checker.whole(&path.key("top_usage_locations"), top, 0..=MOST_LOCATIONS)?;
                usize::try_from(top).ok()
            },
        )
    }

    fn over(own: &Value<usize>, base: &Value<usize>) -> Value<usize> {
        own.or(*base)
    }

    fn in_force(top: &Value<usize>) -> Self {
        Self {
            top_usage_locations: top.given().unwrap_or(TOP_LOCATIONS),
        }
    }
}
