//! The health of the polls of each collector, for each kind of target. These series stay while the figures are stale.

use std::borrow::Cow;

use crate::collectors;
use crate::domain::{Timestamp, Unit};
use crate::metric::{Metric, Origin, Samples};
use crate::snapshot::CollectorSnapshot;

/// The kinds of targets.
pub(super) const UNITS: [Unit; 3] = [Unit::Tenant, Unit::Customer, Unit::Partner];

/// The name of a health metric for targets of this kind. Those of tenants are in the table; the others must not share
/// them, since rules that aggregate by tenant would fold all customers into one.
pub(super) fn name(of_tenants: &'static str, unit: Unit) -> Cow<'static, str> {
    match unit {
        Unit::Tenant => Cow::Borrowed(of_tenants),
        unit => {
            let collector = of_tenants.trim_start_matches("avepoint_");
            Cow::Owned(format!("avepoint_{unit}_{collector}"))
        }
    }
}

/// Takes a collector with its name, and the time.
pub(super) type Source = fn(&CollectorSnapshot, &'static str, Timestamp, &mut Samples<'_>);

/// From the polls, unless said otherwise.
pub(super) const METRICS: &[Metric<Source>] = &[
    Metric::gauge(
        "avepoint_collector_up",
        "1 if the last poll succeeded, 0 if it failed.",
        &["collector"],
        |one, name, _, out| out.put_some(&[name], one.up().map(flag)),
    ),
    Metric::gauge(
        "avepoint_collector_last_success_timestamp_seconds",
        "Time of the end of the last successful poll, in seconds since the Unix epoch.",
        &["collector"],
        |one, name, _, out| {
            let figures = one.figures.as_ref();
            out.put_some(&[name], figures.map(|figures| figures.at.as_secs_f64()));
        },
    ),
    Metric::gauge(
        "avepoint_collector_last_duration_seconds",
        "Duration of the last poll in seconds, successful or not.",
        &["collector"],
        |one, name, _, out| {
            let poll = one.last_poll;
            out.put_some(&[name], poll.map(|poll| poll.duration.as_secs_f64()));
        },
    ),
    Metric::gauge(
        "avepoint_collector_last_rows",
        "Rows read by the last poll, including duplicates, successful or not.",
        &["collector"],
        |one, name, _, out| out.put_some(&[name], one.last_poll.map(|poll| poll.rows as f64)),
    ),
    Metric::gauge(
        "avepoint_collector_unreadable_dates",
        "Dates read by the last successful poll that are no dates, and count as missing; absent if there were none.",
        &["collector"],
        |one, name, _, out| {
            let figures = one.figures.as_ref();
            let dates = figures.map(|figures| figures.unreadable_dates);
            out.put_some(
                &[name],
                dates.filter(|dates| *dates > 0).map(|dates| dates as f64),
            );
        },
    ),
    Metric::gauge(
        "avepoint_collector_next_poll_timestamp_seconds",
        "Time at which the next or running poll is due, in seconds since the Unix epoch.",
        &["collector"],
        |one, name, _, out| out.put_some(&[name], one.next_poll.map(Timestamp::as_secs_f64)),
    ),
    Metric {
        from: &[Origin::Configuration],
        ..Metric::gauge(
            "avepoint_collector_interval_seconds",
            "Configured time from one poll to the next in seconds.",
            &["collector"],
            |one, name, _, out| out.put(&[name], one.config.interval.as_secs_f64()),
        )
    },
    Metric {
        from: &[Origin::Configuration],
        ..Metric::gauge(
            "avepoint_collector_stale_after_seconds",
            "Configured age in seconds at which figures are withdrawn.",
            &["collector"],
            |one, name, _, out| out.put(&[name], one.config.stale_after.as_secs_f64()),
        )
    },
    Metric::counter(
        "avepoint_collector_polls_total",
        "Polls completed, successful or not.",
        &["collector"],
        |one, name, _, out| out.count(&[name], one.polls),
    ),
    Metric::counter(
        "avepoint_collector_failures_total",
        "Polls that failed.",
        &["collector"],
        |one, name, _, out| out.count(&[name], one.failed()),
    ),
    Metric::counter(
        "avepoint_collector_skipped_polls_total",
        "Polls skipped because the previous one took too long; polls skipped by quarantine do not count.",
        &["collector"],
        |one, name, _, out| out.count(&[name], one.skipped),
    ),
    Metric::gauge(
        "avepoint_collector_failing",
        "Always 1, with the reason why the last poll failed; absent if it succeeded.",
        &["collector", "reason"],
        |one, name, _, out| {
            if let Some(reason) = one.last_poll.and_then(|poll| poll.failure) {
                out.put(&[name, reason.as_str()], 1.0);
            }
        },
    ),
    Metric::gauge(
        "avepoint_collector_quarantined",
        "1 while the collector is in quarantine after repeated 403 or 404, otherwise 0.",
        &["collector"],
        |one, name, _, out| out.put(&[name], flag(one.quarantined)),
    ),
    Metric::gauge(
        "avepoint_collector_fresh",
        "1 while the figures are shown, 0 if they are withdrawn as stale or there are none yet; by the exporter's own clock.",
        &["collector"],
        |one, name, now, out| out.put(&[name], flag(one.fresh(now).is_some())),
    ),
    Metric {
        from: &[Origin::Configuration],
        ..Metric::gauge(
            "avepoint_collector_info",
            "Always 1: the collector options that the figures depend on. A change makes figures incomparable.",
            &["collector", "mode", "source_endpoint", "exclude_test_users"],
            |one, name, _, out| {
                let how = collectors::how(one.config.kind);
                let exclude = how.exclude_test_users.to_string();
                out.put(&[name, how.mode, how.source_endpoint, &exclude], 1.0);
            },
        )
    },
];

/// The value of a sample that says yes or no.
pub(super) fn flag(is_on: bool) -> f64 {
    f64::from(u8::from(is_on))
}
