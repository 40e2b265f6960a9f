//! The metrics of Partner Center.

use super::Figures;
use crate::metric::{FiguresMetric, Metric};

pub(super) const METRICS: &[FiguresMetric<Figures>] = &[
    Metric::gauge(
        "avepoint_partner_center_users",
        "Distinct active users in Partner Center. From the last successful poll.",
        &[],
        |figures, out| out.count(&[], figures.users),
    ),
    Metric::gauge(
        "avepoint_partner_center_users_by_state",
        "Users in Partner Center by state and domain type, including deleted users (inactive). \
         From the last successful poll.",
        &["state", "domain_type"],
        |figures, out| {
            for ((state, domain_type), users) in &figures.by_state {
                out.count(&[&state.label(), &domain_type.label()], *users);
            }
        },
    ),
    Metric::gauge(
        "avepoint_partner_center_users_by_usage_location",
        "Active users in Partner Center by usage location, largest first; the rest count as other, users without a \
         location as unset. From the last successful poll.",
        &["usage_location"],
        |figures, out| {
            for (country, users) in &figures.by_location {
                out.count(&[country.as_str()], *users);
            }
            out.count(&["other"], figures.other_location);
            out.count(&["unset"], figures.unset_location);
        },
    ),
    Metric::gauge(
        "avepoint_partner_center_force_password_change_users",
        "Active users in Partner Center who must change their password at the next sign-in. \
         From the last successful poll.",
        &[],
        |figures, out| out.count(&[], figures.must_change_password),
    ),
    Metric::gauge(
        "avepoint_partner_center_synced_users",
        "Active users in Partner Center synchronised from a directory of the customer. \
         From the last successful poll.",
        &[],
        |figures, out| out.count(&[], figures.synced),
    ),
    Metric::gauge(
        "avepoint_partner_center_last_directory_sync_timestamp_seconds",
        "Time of the last synchronisation of an active user, in seconds since the Unix epoch; absent if there is none. \
         From the last successful poll.",
        &[],
        |figures, out| out.put_some(&[], figures.last_sync.map(|at| at as f64)),
    ),
    Metric::gauge(
        "avepoint_partner_center_next_purge_timestamp_seconds",
        "Time at which the next deleted user is purged (30 days after deletion), in seconds since the Unix epoch; \
         absent if there is none. \
         From the last successful poll.",
        &[],
        |figures, out| out.put_some(&[], figures.next_purge.map(|at| at as f64)),
    ),
];
