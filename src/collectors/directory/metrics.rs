//! The metrics of the directory.

use super::{Ending, Figures, PasswordAge};
use crate::metric::{FiguresMetric, Metric};

pub(super) const METRICS: &[FiguresMetric<Figures>] = &[
    Metric::gauge(
        "avepoint_directory_users",
        "Distinct users in the tenant's directory. From the last successful poll.",
        &[],
        |figures, out| out.count(&[], figures.users),
    ),
    Metric::gauge(
        "avepoint_directory_users_by_status",
        "Users of the directory with this finding; a user with several findings counts in each. mfa_disabled: no per-user \
         MFA in Entra ID; MFA that a policy enforces does not count. From the last successful poll.",
        &["status"],
        |figures, out| {
            for (status, users) in &figures.by_status {
                out.count(&[&status.label()], *users);
            }
        },
    ),
    Metric::gauge(
        "avepoint_directory_test_users",
        "Users of the directory that are marked as test users. From the last successful poll.",
        &[],
        |figures, out| out.count(&[], figures.test_users),
    ),
    Metric::gauge(
        "avepoint_directory_users_by_password_age",
        "Users of the directory by the age of their password, in whole days. From the last successful poll.",
        &["password_age"],
        |figures, out| {
            for (band, users) in PasswordAge::ALL.iter().zip(figures.by_password_age) {
                out.count(&[band.as_str()], users);
            }
        },
    ),
    Metric::gauge(
        "avepoint_directory_accounts_ending",
        "Users of the directory by the number of whole days until their account ends. From the last successful poll.",
        &["ending"],
        |figures, out| {
            for (band, users) in Ending::ALL.iter().zip(figures.ending) {
                out.count(&[band.as_str()], users);
            }
        },
    ),
];
