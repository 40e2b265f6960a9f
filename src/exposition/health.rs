//! The health of the polls of each collector, for each kind of target. These series stay while the figures are stale.

use std::borrow::Cow;

use crate::collectors;
use crate::domain::Unit;
use crate::metric::{Metric, Origin, Samples};
use crate::snapshot::CollectorSnapshot;

/// The kinds of targets, in the order of the exposition.
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

/// Takes a collector with its name.
type Source = fn(&CollectorSnapshot, &'static str, &mut Samples<'_>);

pub(super) const METRICS: &[Metric<Source>] = &[
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_collector_up",
            "1 if the last poll succeeded, 0 if it failed.",
            &["collector"],
            |collector, name, out| {
                if let Some(up) = collector.up() {
                    out.put(&[name], f64::from(u8::from(up)));
                }
            },
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_collector_last_success_timestamp_seconds",
            "Time of the end of the last successful poll, in seconds since the Unix epoch.",
            &["collector"],
            |collector, name, out| {
                if let Some(figures) = &collector.figures {
                    out.put(&[name], figures.at.as_secs_f64());
                }
            },
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_collector_last_duration_seconds",
            "Duration of the last poll in seconds, successful or not.",
            &["collector"],
            |collector, name, out| {
                if let Some(poll) = collector.last_poll {
                    out.put(&[name], poll.duration.as_secs_f64());
                }
            },
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_collector_last_rows",
            "Rows read by the last poll, including duplicates, successful or not.",
            &["collector"],
            |collector, name, out| {
                if let Some(poll) = collector.last_poll {
                    out.count(&[name], poll.rows);
                }
            },
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_collector_next_poll_timestamp_seconds",
            "Time at which the next or running poll is due, in seconds since the Unix epoch.",
            &["collector"],
            |collector, name, out| {
                if let Some(next_poll) = collector.next_poll {
                    out.put(&[name], next_poll.as_secs_f64());
                }
            },
        )
    },
    Metric {
        from: &[Origin::Configuration],
        ..Metric::gauge(
            "avepoint_collector_interval_seconds",
            "Configured time from one poll to the next in seconds, for this tenant.",
            &["collector"],
            |collector, name, out| {
                out.put(&[name], collector.config.interval.as_secs_f64());
            },
        )
    },
    Metric {
        from: &[Origin::Configuration],
        ..Metric::gauge(
            "avepoint_collector_stale_after_seconds",
            "Configured age in seconds at which figures are withdrawn, for this tenant.",
            &["collector"],
            |collector, name, out| {
                out.put(&[name], collector.config.stale_after.as_secs_f64());
            },
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::counter(
            "avepoint_collector_polls_total",
            "Polls completed, successful or not.",
            &["collector"],
            |collector, name, out| out.count(&[name], collector.polls),
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::counter(
            "avepoint_collector_failures_total",
            "Polls that failed.",
            &["collector"],
            |collector, name, out| out.count(&[name], collector.failed()),
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::counter(
            "avepoint_collector_skipped_polls_total",
            "Polls skipped because the previous one took too long; polls skipped by quarantine do not count.",
            &["collector"],
            |collector, name, out| out.count(&[name], collector.skipped),
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_collector_failing",
            "Always 1, with the reason why the last poll failed; absent if it succeeded.",
            &["collector", "reason"],
            |collector, name, out| {
                if let Some(reason) = collector.last_poll.and_then(|poll| poll.failure) {
                    out.put(&[name, reason.as_str()], 1.0);
                }
            },
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_collector_quarantined",
            "1 while the collector is in quarantine after repeated 403 or 404, otherwise 0.",
            &["collector"],
            |collector, name, out| {
                out.put(&[name], f64::from(u8::from(collector.quarantined)));
            },
        )
    },
    Metric {
        from: &[Origin::Configuration],
        ..Metric::gauge(
            "avepoint_collector_info",
            "Always 1: the collector options that the figures depend on. A change makes figures incomparable.",
            &["collector", "mode", "source_endpoint", "exclude_test_users"],
            |collector, name, out| {
                let how = collectors::how(collector.config.kind);
                let exclude = if how.exclude_test_users {
                    "true"
                } else {
                    "false"
                };
                out.put(&[name, how.mode, how.source_endpoint, exclude], 1.0);
            },
        )
    },
];
