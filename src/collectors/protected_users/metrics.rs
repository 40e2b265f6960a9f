//! The metrics of backup protection, and of the joins with it.

use super::Figures;
use crate::domain::Collector;
use crate::metric::{FiguresMetric, Metric, Origin};

pub(super) const METRICS: &[FiguresMetric<Figures>] = &[
    // Backup protection.
    Metric::gauge(
        "avepoint_backup_users",
        "Distinct users in the backup listing. From the last successful poll.",
        &[],
        |figures, out| out.count(&[], figures.protection.users),
    ),
    Metric::gauge(
        "avepoint_backup_users_by_module",
        "Users that list this backup module, by whether it is protected. From the last successful poll.",
        &["module", "protected"],
        |figures, out| {
            for (module, users) in &figures.protection.protected {
                out.count(&[&module.label(), "true"], *users);
            }
            for (module, users) in &figures.protection.unprotected {
                out.count(&[&module.label(), "false"], *users);
            }
        },
    ),
    Metric::gauge(
        "avepoint_backup_users_by_coverage",
        "Users by how many of their listed backup modules are protected: all (full), some (partial), none. \
         From the last successful poll.",
        &["coverage"],
        |figures, out| {
            let coverage = figures.protection.coverage;
            out.count(&["full"], coverage.full);
            out.count(&["partial"], coverage.partial);
            out.count(&["none"], coverage.none);
        },
    ),
    // Exposure.
    Metric {
        from: &[Origin::Collector(Collector::SecurityUsers)],
        ..Metric::gauge(
            "avepoint_exposed_users",
            "Users with this finding who are not in the backup listing, list no module, or list an unprotected module. \
             From the last successful polls of both listings.",
            &["status"],
            |figures, out| {
                for (status, users) in figures.joins.exposure.iter().flat_map(|join| &join.users) {
                    out.count(&[&status.label()], *users);
                }
            },
        )
    },
    Metric {
        from: &[Origin::Collector(Collector::SecurityUsers)],
        ..Metric::gauge(
            "avepoint_exposed_users_by_module",
            "Users with this finding who list this backup module as not protected. \
         From the last successful polls of both listings.",
            &["status", "module"],
            |figures, out| {
                let exposure = figures.joins.exposure.iter();
                for ((status, module), users) in exposure.flat_map(|join| &join.by_module) {
                    out.count(&[&status.label(), &module.label()], *users);
                }
            },
        )
    },
    Metric {
        from: &[Origin::Collector(Collector::SecurityUsers)],
        ..Metric::gauge(
            "avepoint_exposed_unlisted_users",
            "Users with this finding who are not in the backup listing at all. \
         From the last successful polls of both listings.",
            &["status"],
            |figures, out| {
                let exposure = figures.joins.exposure.iter();
                for (status, users) in exposure.flat_map(|join| &join.unlisted) {
                    out.count(&[&status.label()], *users);
                }
            },
        )
    },
    Metric {
        from: &[
            Origin::Collector(Collector::Directory),
            Origin::Collector(Collector::PartnerCenter),
        ],
        ..Metric::gauge(
            "avepoint_backup_missing_users",
            "Active users in the reference listing who are not in the backup listing. \
         From the last successful polls of both listings.",
            &["reference"],
            |figures, out| {
                for (reference, users) in &figures.joins.missing {
                    out.count(&[reference.as_str()], *users);
                }
            },
        )
    },
];
