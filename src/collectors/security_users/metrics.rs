//! The metrics of the security users.

use super::Figures;
use crate::metric::{FiguresMetric, Metric};

pub(super) const METRICS: &[FiguresMetric<Figures>] = &[
    Metric::gauge(
        "avepoint_security_users",
        "Distinct users in the listing of security users. From the last successful poll.",
        &[],
        |figures, out| out.count(&[], figures.users),
    ),
    Metric::gauge(
        "avepoint_security_users_by_status",
        "Users with this finding; a user with several findings counts in each. mfa_disabled: no per-user MFA in Entra ID; \
         MFA that a policy enforces does not count. From the last successful poll.",
        &["status"],
        |figures, out| {
            for (status, users) in &figures.by_status {
                out.count(&[&status.label()], *users);
            }
        },
    ),
];
