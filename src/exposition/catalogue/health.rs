//! How the polls of each collector fare. These series stay while the figures are stale.

use crate::config::{CollectorKind, SecurityEndpoint, SecurityMode, SecurityOptions};

use super::{Kind, Metric, Origin, Source};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "avepoint_collector_up",
        kind: Kind::Gauge,
        help: "Whether the last poll succeeded.",
        labels: &["collector"],
        from: &[Origin::Polls],
        samples: Source::Collector(|collector, name, out| {
            if let Some(poll) = collector.last_poll {
                out.put(&[name], f64::from(u8::from(poll.failure.is_none())));
            }
        }),
    },
    Metric {
        name: "avepoint_collector_last_success_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the last successful poll ended.",
        labels: &["collector"],
        from: &[Origin::Polls],
        samples: Source::Collector(|collector, name, out| {
            if let Some(figures) = &collector.figures {
                out.put(&[name], figures.at.as_secs_f64());
            }
        }),
    },
    Metric {
        name: "avepoint_collector_last_duration_seconds",
        kind: Kind::Gauge,
        help: "How long the last poll took, be it good or bad.",
        labels: &["collector"],
        from: &[Origin::Polls],
        samples: Source::Collector(|collector, name, out| {
            if let Some(poll) = collector.last_poll {
                out.put(&[name], poll.duration.as_secs_f64());
            }
        }),
    },
    Metric {
        name: "avepoint_collector_last_rows",
        kind: Kind::Gauge,
        help: "Rows that the last poll read, repeated ones included, be it good or bad.",
        labels: &["collector"],
        from: &[Origin::Polls],
        samples: Source::Collector(|collector, name, out| {
            if let Some(poll) = collector.last_poll {
                out.count(&[name], poll.rows);
            }
        }),
    },
    Metric {
        name: "avepoint_collector_next_poll_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the next poll is due, or the one that runs was.",
        labels: &["collector"],
        from: &[Origin::Polls],
        samples: Source::Collector(|collector, name, out| {
            if let Some(next_poll) = collector.next_poll {
                out.put(&[name], next_poll.as_secs_f64());
            }
        }),
    },
    Metric {
        name: "avepoint_collector_interval_seconds",
        kind: Kind::Gauge,
        help: "The time from one poll to the next, as configured for this tenant.",
        labels: &["collector"],
        from: &[Origin::Configuration],
        samples: Source::Collector(|collector, name, out| {
            out.put(&[name], collector.config.interval.as_secs_f64());
        }),
    },
    Metric {
        name: "avepoint_collector_stale_after_seconds",
        kind: Kind::Gauge,
        help: "The age at which figures are withdrawn, as configured for this tenant.",
        labels: &["collector"],
        from: &[Origin::Configuration],
        samples: Source::Collector(|collector, name, out| {
            out.put(&[name], collector.config.stale_after.as_secs_f64());
        }),
    },
    Metric {
        name: "avepoint_collector_polls_total",
        kind: Kind::Counter,
        help: "Polls that ended, be it well or badly.",
        labels: &["collector"],
        from: &[Origin::Polls],
        samples: Source::Collector(|collector, name, out| out.count(&[name], collector.polls)),
    },
    Metric {
        name: "avepoint_collector_failures_total",
        kind: Kind::Counter,
        help: "Polls that failed.",
        labels: &["collector"],
        from: &[Origin::Polls],
        samples: Source::Collector(|collector, name, out| out.count(&[name], collector.failures)),
    },
    Metric {
        name: "avepoint_collector_skipped_polls_total",
        kind: Kind::Counter,
        help: "Polls that were left out since the one before took too long; those that a quarantine leaves out do not count.",
        labels: &["collector"],
        from: &[Origin::Polls],
        samples: Source::Collector(|collector, name, out| out.count(&[name], collector.skipped)),
    },
    Metric {
        name: "avepoint_collector_failing",
        kind: Kind::Gauge,
        help: "Always 1: why the last poll failed; absent when it succeeded.",
        labels: &["collector", "reason"],
        from: &[Origin::Polls],
        samples: Source::Collector(|collector, name, out| {
            if let Some(reason) = collector.last_poll.and_then(|poll| poll.failure) {
                out.put(&[name, reason.as_str()], 1.0);
            }
        }),
    },
    Metric {
        name: "avepoint_collector_quarantined",
        kind: Kind::Gauge,
        help: "Whether polls may be fewer than the interval says, since the API refuses them with 403 or 404.",
        labels: &["collector"],
        from: &[Origin::Polls],
        samples: Source::Collector(|collector, name, out| {
            out.put(&[name], f64::from(u8::from(collector.quarantined)));
        }),
    },
    Metric {
        name: "avepoint_collector_info",
        kind: Kind::Gauge,
        help: "Always 1: how the figures are made. A change of it changes what they mean.",
        labels: &["collector", "mode", "source_endpoint", "exclude_test_users"],
        from: &[Origin::Configuration],
        samples: Source::Collector(|collector, name, out| {
            let [mode, endpoint, exclude] = how(collector.config.kind);
            out.put(&[name, mode, endpoint, exclude], 1.0);
        }),
    },
];

/// How figures are made: by which mode, of which form of the listing, and whether test users are left out.
const fn how(kind: CollectorKind) -> [&'static str; 3] {
    match kind {
        CollectorKind::SecurityUsers(SecurityOptions { endpoint, mode, .. }) => {
            let endpoint = match endpoint {
                SecurityEndpoint::V3 => "v3",
                SecurityEndpoint::Batch => "batch",
            };
            match mode {
                SecurityMode::Scan {
                    exclude_test_users: true,
                } => ["scan", endpoint, "true"],
                SecurityMode::Scan { .. } => ["scan", endpoint, "false"],
                SecurityMode::Counts => ["counts", endpoint, "false"],
            }
        }
        CollectorKind::Customers(_)
        | CollectorKind::Directory(_)
        | CollectorKind::ProtectedUsers(_) => ["scan", "v3", "false"],
        // Of Partner Center's API.
        CollectorKind::PartnerCenter(_) => ["scan", "v1", "false"],
    }
}
