//! Security users, backup protection, and the exposure that is made of both.

use crate::domain::Collector;

use super::{Kind, Metric, Origin, Source};

pub(super) const METRICS: &[Metric] = &[
    // Security users.
    Metric {
        name: "avepoint_security_users",
        kind: Kind::Gauge,
        help: "Distinct users in the listing of security users. From the last successful poll.",
        labels: &[],
        from: &[Origin::Collector(Collector::SecurityUsers)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(figures) = tenant.security_users(now) {
                out.count(&[], figures.users);
            }
        }),
    },
    Metric {
        name: "avepoint_security_users_by_status",
        kind: Kind::Gauge,
        help: "Users with this finding; one with several counts in each. From the last successful poll.",
        labels: &["status"],
        from: &[Origin::Collector(Collector::SecurityUsers)],
        samples: Source::Tenant(|tenant, now, out| {
            for (status, users) in tenant
                .security_users(now)
                .iter()
                .flat_map(|figures| &figures.by_status)
            {
                out.count(&[&status.label()], *users);
            }
        }),
    },
    // Backup protection.
    Metric {
        name: "avepoint_backup_users",
        kind: Kind::Gauge,
        help: "Distinct users in the backup listing. From the last successful poll.",
        labels: &[],
        from: &[Origin::Collector(Collector::ProtectedUsers)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(figures) = tenant.protection(now) {
                out.count(&[], figures.users);
            }
        }),
    },
    Metric {
        name: "avepoint_backup_users_by_module",
        kind: Kind::Gauge,
        help: "Users that list this backup module, by whether it is protected. From the last successful poll.",
        labels: &["module", "protected"],
        from: &[Origin::Collector(Collector::ProtectedUsers)],
        samples: Source::Tenant(|tenant, now, out| {
            let Some(figures) = tenant.protection(now) else {
                return;
            };
            for (module, users) in &figures.protected {
                out.count(&[&module.label(), "true"], *users);
            }
            for (module, users) in &figures.unprotected {
                out.count(&[&module.label(), "false"], *users);
            }
        }),
    },
    Metric {
        name: "avepoint_backup_users_by_coverage",
        kind: Kind::Gauge,
        help: "Users by how many of their listed backup modules are protected: all (full), some (partial), none. \
               From the last successful poll.",
        labels: &["coverage"],
        from: &[Origin::Collector(Collector::ProtectedUsers)],
        samples: Source::Tenant(|tenant, now, out| {
            let Some(figures) = tenant.protection(now) else {
                return;
            };
            out.count(&["full"], figures.coverage.full);
            out.count(&["partial"], figures.coverage.partial);
            out.count(&["none"], figures.coverage.none);
        }),
    },
    // Exposure.
    Metric {
        name: "avepoint_exposed_users",
        kind: Kind::Gauge,
        help: "Users with this finding who are not in the backup listing, or list no module, or one that is \
               not protected. From the last successful polls of both listings.",
        labels: &["status"],
        from: &[
            Origin::Collector(Collector::SecurityUsers),
            Origin::Collector(Collector::ProtectedUsers),
        ],
        samples: Source::Tenant(|tenant, now, out| {
            for (status, users) in tenant
                .exposure(now)
                .iter()
                .flat_map(|figures| &figures.users)
            {
                out.count(&[&status.label()], *users);
            }
        }),
    },
    Metric {
        name: "avepoint_exposed_users_by_module",
        kind: Kind::Gauge,
        help: "Users with this finding who list this backup module as not protected. \
               From the last successful polls of both listings.",
        labels: &["status", "module"],
        from: &[
            Origin::Collector(Collector::SecurityUsers),
            Origin::Collector(Collector::ProtectedUsers),
        ],
        samples: Source::Tenant(|tenant, now, out| {
            for ((status, module), users) in tenant
                .exposure(now)
                .iter()
                .flat_map(|figures| &figures.by_module)
            {
                out.count(&[&status.label(), &module.label()], *users);
            }
        }),
    },
    Metric {
        name: "avepoint_exposed_unlisted_users",
        kind: Kind::Gauge,
        help: "Users with this finding who are not in the backup listing at all. \
               From the last successful polls of both listings.",
        labels: &["status"],
        from: &[
            Origin::Collector(Collector::SecurityUsers),
            Origin::Collector(Collector::ProtectedUsers),
        ],
        samples: Source::Tenant(|tenant, now, out| {
            for (status, users) in tenant
                .exposure(now)
                .iter()
                .flat_map(|figures| &figures.unlisted)
            {
                out.count(&[&status.label()], *users);
            }
        }),
    },
    Metric {
        name: "avepoint_backup_missing_users",
        kind: Kind::Gauge,
        help: "Users who are active in this other listing and are not in the backup listing. \
               From the last successful polls of both listings.",
        labels: &["reference"],
        from: &[
            Origin::Collector(Collector::ProtectedUsers),
            Origin::Collector(Collector::Directory),
            Origin::Collector(Collector::PartnerCenter),
        ],
        samples: Source::Tenant(|tenant, now, out| {
            for (reference, users) in tenant.missing(now) {
                out.count(&[reference.as_str()], users);
            }
        }),
    },
];
