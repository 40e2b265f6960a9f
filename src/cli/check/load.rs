//! The requests that all polls need of one API: how long a round takes, and which settings to change if the intervals
//! are too short. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::config::RateLimit;
use crate::domain::{Api, Collector, PromDuration};
use crate::upstream::{Capacity, PAGES_AT_ONCE};

/// The largest values that the configuration allows, see [`RateLimit`] and [`crate::config::CollectorConfig`].
const MOST_PER_SECOND: f64 = 100_000.0;
const MOST_CONCURRENT: usize = 1000;
const LONGEST_INTERVAL: Duration = Duration::from_hours(7 * 24);

/// The requests of all polls to one API.
#[derive(Debug)]
pub(super) struct Load {
    api: Api,
    limit: RateLimit,
    /// Of a round, in which each listing is read once.
    pub(super) requests: u64,
    /// With each listing at its interval.
    pub(super) per_second: f64,
    /// The same of the target with the most. They need not be of the same target.
    most_requests: u64,
    most_per_second: f64,
    /// The same of the listing with the most.
    most_of_a_listing: u64,
    most_per_second_of_a_listing: f64,
    /// The shortest and the longest of each collector.
    intervals: BTreeMap<Collector, (Duration, Duration)>,
}

impl Load {
    /// Of no target yet.
    pub(super) fn new(api: Api, limit: RateLimit) -> Self {
        Self {
            api,
            limit,
            requests: 0,
            per_second: 0.0,
            most_requests: 0,
            most_per_second: 0.0,
            most_of_a_listing: 0,
            most_per_second_of_a_listing: 0.0,
            intervals: BTreeMap::new(),
        }
    }

    /// Adds a target: the collector, interval and requests of each of its listings.
    pub(super) fn add(&mut self, listings: &[(Collector, Duration, u64)]) {
        let requests = listings.iter().map(|(.., requests)| requests).sum();
        let rates = listings
            .iter()
            .map(|(_, interval, requests)| *requests as f64 / interval.as_secs_f64());
        // From zero, since the sum of nothing is -0.
        let per_second = rates.fold(0.0, |all, one| all + one);
        self.requests += requests;
        self.per_second += per_second;
        self.most_requests = self.most_requests.max(requests);
        self.most_per_second = self.most_per_second.max(per_second);
        for (collector, interval, requests) in listings {
            let rate = *requests as f64 / interval.as_secs_f64();
            self.most_of_a_listing = self.most_of_a_listing.max(*requests);
            self.most_per_second_of_a_listing = self.most_per_second_of_a_listing.max(rate);
            let known = self.intervals.entry(*collector);
            let (shortest, longest) = known.or_insert((*interval, *interval));
            *shortest = (*shortest).min(*interval);
            *longest = (*longest).max(*interval);
        }
    }

    /// How long a round takes if nothing fails, in whole seconds.
    pub(super) fn round(&self) -> Duration {
        let all = self.requests as f64 / possible(self.limit);
        let largest = self.most_requests as f64 / self.possible_for_one(self.limit);
        let longest = self.most_of_a_listing as f64 / self.possible_for_a_listing(self.limit);
        Duration::try_from_secs_f64(all.max(largest).max(longest).ceil()).unwrap_or(Duration::MAX)
    }

    /// The part of the possible requests that the intervals need at this limit; above 1, they are too short.
    fn need(&self, limit: RateLimit) -> f64 {
        let of_all = self.per_second / possible(limit);
        let of_one = self.most_per_second / self.possible_for_one(limit);
        let of_a_listing = self.most_per_second_of_a_listing / self.possible_for_a_listing(limit);
        of_all.max(of_one).max(of_a_listing)
    }

    /// The requests per second that one listing can get: so many of its pages are read at once.
    fn possible_for_a_listing(&self, limit: RateLimit) -> f64 {
        let assumed = Capacity::assumed(RateLimit {
            max_concurrent_requests: PAGES_AT_ONCE,
            ..limit
        });
        let most = assumed.requests_per_second();
        self.possible_for_one(limit).min(most)
    }

    /// The requests per second that one target can get.
    fn possible_for_one(&self, limit: RateLimit) -> f64 {
        let max_concurrent_requests = match self.api {
            // One listing, in which each page tells the link to the next.
            Api::PartnerCenter => 1,
            _ => limit.of_one_target(),
        };
        possible(RateLimit {
            max_concurrent_requests,
            ..limit
        })
    }

    /// What to set if the intervals are too short for the limit; `None` if they are not.
    pub(super) fn advice(&self) -> Option<String> {
        let need = self.need(self.limit);
        if need <= 1.0 {
            return None;
        }
        let (api, all) = (self.api, possible(self.limit));
        let cause = if self.per_second > all {
            let required = self.per_second;
            format!("{api} needs {required:.2} requests/s, {all:.2} are possible at 1s each")
        } else if self.most_per_second <= self.possible_for_one(self.limit) {
            let required = self.most_per_second_of_a_listing;
            let one = self.possible_for_a_listing(self.limit);
            format!(
                "the longest listing needs {required:.2} requests/s of {api}, {one:.2} are possible for one listing at 1s \
                 each"
            )
        } else {
            let (required, one) = (self.most_per_second, self.possible_for_one(self.limit));
            format!(
                "the largest target needs {required:.2} requests/s of {api}, {one:.2} are possible for one target at \
                 1s each"
            )
        };
        let settings = [self.higher_limit(), self.longer_intervals(need)];
        let settings: Vec<_> = settings.into_iter().flatten().collect();
        let remedy = if settings.is_empty() {
            "No setting is enough: disable collectors, or split the tenants among several exporters.\n".to_owned()
        } else {
            format!("Set\n{}", settings.join("or lengthen the intervals to\n"))
        };
        Some(format!("The rate limit is too low: {cause}. {remedy}"))
    }

    /// A rate limit that is enough; `None` if the configuration does not allow it.
    fn higher_limit(&self) -> Option<String> {
        let (api, limit) = (self.api, self.limit);
        // Each request takes a second, and one target gets half of those at once.
        let concurrent = self.per_second.max(2.0 * self.most_per_second.ceil());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is never negative, and the largest number is refused like any that is too high"
        )]
        let concurrent = concurrent.ceil() as usize;
        let enough = RateLimit {
            requests_per_second: self.per_second.ceil().max(limit.requests_per_second),
            max_concurrent_requests: concurrent.max(limit.max_concurrent_requests),
            ..limit
        };
        let is_allowed = enough.requests_per_second <= MOST_PER_SECOND
            && enough.max_concurrent_requests <= MOST_CONCURRENT;
        if !is_allowed || self.need(enough) > 1.0 {
            return None;
        }
        let mut text = String::new();
        if limit.requests_per_second < enough.requests_per_second {
            let _ = writeln!(
                text,
                "  {api}.rate_limit.requests_per_second: {}, if the API allows it",
                enough.requests_per_second
            );
        }
        if limit.max_concurrent_requests < enough.max_concurrent_requests {
            let _ = writeln!(
                text,
                "  {api}.rate_limit.max_concurrent_requests: {}",
                enough.max_concurrent_requests
            );
        }
        Some(text)
    }

    /// Intervals that are long enough; `None` if the configuration does not allow them.
    fn longer_intervals(&self, factor: f64) -> Option<String> {
        let mut text = String::new();
        for (collector, (shortest, longest)) in &self.intervals {
            let (shortest, longest) = (longer(*shortest, factor)?, longer(*longest, factor)?);
            let _ = write!(text, "  collectors.{collector}.interval: {shortest}");
            if longest != shortest {
                let _ = write!(text, " to {longest}");
            }
            text.push('\n');
        }
        Some(text)
    }
}

fn possible(limit: RateLimit) -> f64 {
    Capacity::assumed(limit).requests_per_second()
}

/// An interval that is longer by this factor, rounded up to whole seconds or, from a minute on, to whole minutes.
fn longer(interval: Duration, factor: f64) -> Option<PromDuration> {
    let seconds = interval.as_secs_f64() * factor;
    let unit = if seconds < 60.0 { 1.0 } else { 60.0 };
    let rounded = Duration::try_from_secs_f64((seconds / unit).ceil() * unit).ok()?;
    (rounded <= LONGEST_INTERVAL).then_some(PromDuration(rounded))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: RateLimit = RateLimit {
        requests_per_second: 10.0,
        burst: 20,
        max_concurrent_requests: 8,
    };

    const MINUTE: Duration = Duration::from_mins(1);

    /// So many tenants with the two collectors that are on by default, and this many users in each.
    fn load(tenants: usize, users: u64, limit: RateLimit) -> Load {
        let mut load = Load::new(Api::Elements, limit);
        let pages = users.div_ceil(100).max(1);
        for _ in 0..tenants {
            load.add(&[
                (Collector::SecurityUsers, 5 * MINUTE, pages),
                (Collector::ProtectedUsers, 15 * MINUTE, pages),
            ]);
        }
        load
    }

    #[track_caller]
    fn check(tenants: usize, users: u64, round: &str, advice: Option<&str>) {
        let load = load(tenants, users, DEFAULT);
        assert_eq!(PromDuration(load.round()).to_string(), round);
        assert_eq!(load.advice().as_deref(), advice);
    }

    #[test]
    fn a_round_and_its_settings_are_planned_with_a_second_for_each_request() {
        check(0, 1000, "0s", None);
        // Half of the concurrency is for one tenant.
        check(1, 1000, "5s", None);
        check(20, 1000, "50s", None);
        check(
            1000,
            1000,
            "41m40s",
            Some(
                "\
The rate limit is too low: elements needs 44.44 requests/s, 8.00 are possible at 1s each. Set
  elements.rate_limit.requests_per_second: 45, if the API allows it
  elements.rate_limit.max_concurrent_requests: 45
or lengthen the intervals to
  collectors.security_users.interval: 28m
  collectors.protected_users.interval: 1h24m
",
            ),
        );
        check(
            10_000,
            1000,
            "6h56m40s",
            Some(
                "\
The rate limit is too low: elements needs 444.44 requests/s, 8.00 are possible at 1s each. Set
  elements.rate_limit.requests_per_second: 445, if the API allows it
  elements.rate_limit.max_concurrent_requests: 445
or lengthen the intervals to
  collectors.security_users.interval: 4h38m
  collectors.protected_users.interval: 13h54m
",
            ),
        );
    }

    #[test]
    fn a_listing_that_no_limit_makes_fast_enough_needs_a_longer_interval() {
        let fast = RateLimit {
            requests_per_second: 1000.0,
            max_concurrent_requests: 1000,
            ..DEFAULT
        };
        // 4000 pages, four at a time.
        for limit in [DEFAULT, fast] {
            let load = load(1, 400_000, limit);
            let advice = load.advice().unwrap();
            assert!(!advice.contains("rate_limit."), "{advice}");
            assert!(advice.contains("security_users.interval: "), "{advice}");
        }
        let load = load(1, 400_000, fast);
        assert_eq!(PromDuration(load.round()).to_string(), "16m40s");
        let advice = load.advice().unwrap();
        let cause = "the longest listing needs 13.33 requests/s of elements, 4.00 are possible for one listing at 1s each";
        assert!(advice.contains(cause), "{advice}");
        assert!(advice.contains("security_users.interval: 17m"), "{advice}");
    }

    #[test]
    fn one_tenant_that_needs_more_than_its_half_does_not_fit_although_all_together_would() {
        check(
            1,
            100_000,
            "8m20s",
            Some(
                "\
The rate limit is too low: the largest target needs 4.44 requests/s of elements, 4.00 are possible for one target at \
1s each. Set
  elements.rate_limit.max_concurrent_requests: 10
or lengthen the intervals to
  collectors.security_users.interval: 6m
  collectors.protected_users.interval: 17m
",
            ),
        );
    }

    #[test]
    fn a_setting_that_the_configuration_does_not_allow_is_not_proposed() {
        check(
            100_000,
            1000,
            "2d21h26m40s",
            Some(
                "\
The rate limit is too low: elements needs 4444.44 requests/s, 8.00 are possible at 1s each. Set
  collectors.security_users.interval: 1d22h18m
  collectors.protected_users.interval: 5d18h54m
",
            ),
        );
        check(
            1_000_000,
            1000,
            "28d22h26m40s",
            Some(
                "The rate limit is too low: elements needs 44444.44 requests/s, 8.00 are possible at 1s each. \
                 No setting is enough: disable collectors, or split the tenants among several exporters.\n",
            ),
        );
    }

    #[test]
    fn each_proposal_is_enough() {
        for (tenants, users) in [(1, 100_000), (20, 20_000), (1000, 1000), (1500, 1)] {
            for limit in [
                DEFAULT,
                RateLimit {
                    max_concurrent_requests: 1,
                    ..DEFAULT
                },
                RateLimit {
                    requests_per_second: 0.5,
                    ..DEFAULT
                },
            ] {
                let advice = load(tenants, users, limit).advice().unwrap_or_default();
                let value = |key: &str| {
                    let line = advice.lines().find(|line| line.contains(key))?;
                    let (_, value) = line.split_once(": ")?;
                    Some(value.trim_end_matches(", if the API allows it").to_owned())
                };
                let number = |key: &str| value(key).map(|value| value.parse::<u32>().unwrap());
                let concurrent = number("max_concurrent_requests").map(|one| one as usize);
                let raised = RateLimit {
                    requests_per_second: number("requests_per_second")
                        .map_or(limit.requests_per_second, f64::from),
                    max_concurrent_requests: concurrent.unwrap_or(limit.max_concurrent_requests),
                    ..limit
                };
                assert_eq!(load(tenants, users, raised).advice(), None, "{advice}");
                let interval = |collector: Collector, default: Duration| {
                    let key = format!("collectors.{collector}.interval");
                    value(&key).map_or(default, |value| value.parse::<PromDuration>().unwrap().0)
                };
                let pages = users.div_ceil(100);
                let mut longer = Load::new(Api::Elements, limit);
                for _ in 0..tenants {
                    longer.add(&[
                        (
                            Collector::SecurityUsers,
                            interval(Collector::SecurityUsers, 5 * MINUTE),
                            pages,
                        ),
                        (
                            Collector::ProtectedUsers,
                            interval(Collector::ProtectedUsers, 15 * MINUTE),
                            pages,
                        ),
                    ]);
                }
                assert_eq!(longer.advice(), None, "{advice}");
            }
        }
    }

    #[test]
    fn the_pages_of_a_partner_center_listing_follow_each_other_whatever_the_concurrency() {
        let mut load = Load::new(Api::PartnerCenter, DEFAULT);
        load.add(&[(Collector::PartnerCenter, 5 * MINUTE, 600)]);
        assert_eq!(load.round(), 10 * MINUTE);
        assert_eq!(
            load.advice().unwrap(),
            "\
The rate limit is too low: the largest target needs 2.00 requests/s of partner_center, 1.00 are possible for one target \
at 1s each. Set
  collectors.partner_center.interval: 10m
"
        );
    }

    #[test]
    fn intervals_of_a_collector_that_differ_are_all_lengthened() {
        let mut load = Load::new(Api::Elements, DEFAULT);
        for interval in [MINUTE, 50 * MINUTE] {
            load.add(&[(Collector::Directory, interval, 1000)]);
        }
        let advice = load.advice().unwrap();
        assert!(
            advice.ends_with("  collectors.directory.interval: 5m to 3h29m\n"),
            "{advice}"
        );
    }
}
