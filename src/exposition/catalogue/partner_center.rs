//! Partner Center.

use crate::domain::Collector;

use super::{Kind, Metric, Origin, Source};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "avepoint_partner_center_users",
        kind: Kind::Gauge,
        help: "Distinct active users in Partner Center. From the last successful poll.",
        labels: &[],
        from: &[Origin::Collector(Collector::PartnerCenter)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(figures) = tenant.partner_center(now) {
                out.count(&[], figures.users);
            }
        }),
    },
    Metric {
        name: "avepoint_partner_center_users_by_state",
        kind: Kind::Gauge,
        help: "Users in Partner Center by state and domain type, deleted ones (inactive) included. \
               From the last successful poll.",
        labels: &["state", "domain_type"],
        from: &[Origin::Collector(Collector::PartnerCenter)],
        samples: Source::Tenant(|tenant, now, out| {
            for ((state, domain_type), users) in tenant
                .partner_center(now)
                .iter()
                .flat_map(|figures| &figures.by_state)
            {
                out.count(&[&state.label(), &domain_type.label()], *users);
            }
        }),
    },
    Metric {
        name: "avepoint_partner_center_users_by_usage_location",
        kind: Kind::Gauge,
        help: "Active users in Partner Center by usage location: the largest, all others together, and those without \
               one. From the last successful poll.",
        labels: &["usage_location"],
        from: &[Origin::Collector(Collector::PartnerCenter)],
        samples: Source::Tenant(|tenant, now, out| {
            let Some(figures) = tenant.partner_center(now) else {
                return;
            };
            for (country, users) in &figures.by_location {
                out.count(&[country.as_str()], *users);
            }
            out.count(&["other"], figures.other_location);
            out.count(&["unset"], figures.unset_location);
        }),
    },
    Metric {
        name: "avepoint_partner_center_force_password_change_users",
        kind: Kind::Gauge,
        help: "Active users in Partner Center who must change their password at the next sign-in. \
               From the last successful poll.",
        labels: &[],
        from: &[Origin::Collector(Collector::PartnerCenter)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(figures) = tenant.partner_center(now) {
                out.count(&[], figures.must_change_password);
            }
        }),
    },
    Metric {
        name: "avepoint_partner_center_synced_users",
        kind: Kind::Gauge,
        help: "Active users in Partner Center that are synchronised with a directory of the customer. \
               From the last successful poll.",
        labels: &[],
        from: &[Origin::Collector(Collector::PartnerCenter)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(figures) = tenant.partner_center(now) {
                out.count(&[], figures.synced);
            }
        }),
    },
    Metric {
        name: "avepoint_partner_center_last_directory_sync_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When an active user was last synchronised; absent when none is. From the last successful poll.",
        labels: &[],
        from: &[Origin::Collector(Collector::PartnerCenter)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(at) = tenant
                .partner_center(now)
                .and_then(|figures| figures.last_sync)
            {
                out.put(&[], at as f64);
            }
        }),
    },
    Metric {
        name: "avepoint_partner_center_next_purge_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the next deleted user is gone for good, 30 days after its deletion; absent when none is deleted. \
               From the last successful poll.",
        labels: &[],
        from: &[Origin::Collector(Collector::PartnerCenter)],
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(at) = tenant
                .partner_center(now)
                .and_then(|figures| figures.next_purge)
            {
                out.put(&[], at as f64);
            }
        }),
    },
];
