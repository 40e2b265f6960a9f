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
            "Whether the last poll succeeded.",
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
            "When the last successful poll ended.",
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
            "How long the last poll took, be it good or bad.",
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
            "Rows that the last poll read, repeated ones included, be it good or bad.",
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
            "When the next poll is due, or the one that runs was.",
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
            "The time from one poll to the next, as configured for this tenant.",
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
            "The age at which figures are withdrawn, as configured for this tenant.",
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
            "Polls that ended, be it well or badly.",
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
            "Polls that were left out since the one before took too long; those that a quarantine leaves out do not count.",
            &["collector"],
            |collector, name, out| out.count(&[name], collector.skipped),
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_collector_failing",
            "Always 1: why the last poll failed; absent when it succeeded.",
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
            "Whether polls may be fewer than the interval says, since the API refuses them with 403 or 404.",
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
            "Always 1: how the figures are made. A change of it changes what they mean.",
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
