//! The directory.

use crate::collectors::{Ending, PasswordAge};
use crate::domain::Collector;

use super::{Kind, Metric, Origin, Source};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "avepoint_directory_users",
        kind: Kind::Gauge,
        help: "Distinct users in the tenant's directory. From the last successful poll.",
        labels: &[],
        from: &[Origin::Collector(Collector::Directory)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(figures) = tenant.directory(now) {
                out.count(&[], figures.users);
            }
        }),
    },
    Metric {
        name: "avepoint_directory_users_by_status",
        kind: Kind::Gauge,
        help: "Users of the directory with this finding; one with several counts in each. \
               From the last successful poll.",
        labels: &["status"],
        from: &[Origin::Collector(Collector::Directory)],
        samples: Source::Tenant(|tenant, now, out| {
            for (status, users) in tenant
                .directory(now)
                .iter()
                .flat_map(|figures| &figures.by_status)
            {
                out.count(&[&status.label()], *users);
            }
        }),
    },
    Metric {
        name: "avepoint_directory_test_users",
        kind: Kind::Gauge,
        help: "Users of the directory that are marked as test users. From the last successful poll.",
        labels: &[],
        from: &[Origin::Collector(Collector::Directory)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(figures) = tenant.directory(now) {
                out.count(&[], figures.test_users);
            }
        }),
    },
    Metric {
        name: "avepoint_directory_users_by_password_age",
        kind: Kind::Gauge,
        help: "Users of the directory by the age of their password, in whole days. From the last successful poll.",
        labels: &["password_age"],
        from: &[Origin::Collector(Collector::Directory)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(figures) = tenant.directory(now) {
                for (band, users) in PasswordAge::ALL.iter().zip(figures.by_password_age) {
                    out.count(&[band.as_str()], users);
                }
            }
        }),
    },
    Metric {
        name: "avepoint_directory_accounts_ending",
        kind: Kind::Gauge,
        help: "Users of the directory whose account ends in so many whole days. From the last successful poll.",
        labels: &["ending"],
        from: &[Origin::Collector(Collector::Directory)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(figures) = tenant.directory(now) {
                for (band, users) in Ending::ALL.iter().zip(figures.ending) {
                    out.count(&[band.as_str()], users);
                }
            }
        }),
    },
];
