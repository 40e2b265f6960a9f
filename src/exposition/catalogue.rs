//! The series of the tenants: one table with all there is to say about each metric. The exporter's own
//! series are not here, but in the registry of the `prometheus` crate.

use std::collections::BTreeSet;

use crate::collectors::{Ending, PasswordAge};
use crate::config::{CollectorKind, SecurityEndpoint, SecurityMode};
use crate::domain::{BackupStatus, ManagementMode, Reason, Timestamp, name_or_id};
use crate::snapshot::{CollectorSnapshot, Snapshot, TenantSnapshot};
use crate::upstream::Customer;

use super::text::{Head, Kind, Samples as Out};

/// A metric of the tenants.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Whether it goes up only.
    pub kind: Kind,
    /// What it means, in one line.
    pub help: &'static str,
    /// The labels beside those that tell the tenant.
    pub labels: &'static [&'static str],
    pub(super) samples: Source,
}

impl Metric {
    pub(super) const fn head(&self) -> Head {
        Head {
            name: self.name,
            kind: self.kind,
            help: self.help,
            labels: self.labels,
        }
    }
}

/// Where a metric's samples come from; this is its scope.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// All tenants together.
    Fleet(fn(&Snapshot, Timestamp, &mut Out<'_>)),
    /// Each tenant: its id and name come first among the labels.
    Tenant(fn(&TenantSnapshot, Timestamp, &mut Out<'_>)),
    /// Each collector of each tenant, with its name: the tenant's id and name come first.
    Collector(fn(&CollectorSnapshot, &'static str, &mut Out<'_>)),
}

/// The customers that discovery let in.
fn customers(snapshot: &Snapshot, now: Timestamp) -> &[Customer] {
    snapshot
        .discovered(now)
        .map_or(&[], |found| &*found.customers)
}

/// All metrics of the tenants, in the order of the exposition.
pub const CATALOGUE: &[Metric] = &[
    Metric {
        name: "avepoint_tenants",
        kind: Kind::Gauge,
        help: "Tenants that this exporter knows, by whether it polls them.",
        labels: &["state"],
        samples: Source::Fleet(|snapshot, now, out| {
            out.count(&["active"], snapshot.tenants.len() as u64);
            if let Some(found) = snapshot.discovered(now) {
                out.count(&["excluded"], found.excluded);
            }
        }),
    },
    Metric {
        name: "avepoint_tenant_info",
        kind: Kind::Gauge,
        help: "Always 1: what is known of a tenant, to be joined to its other series.",
        labels: &["customer_id", "customer_name", "source"],
        samples: Source::Tenant(|snapshot, _, out| {
            let tenant = &snapshot.tenant;
            let operators = tenant
                .labels
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()));
            let values = [
                &*tenant.customer_id.to_string(),
                &*tenant.customer_name(),
                tenant.source.as_str(),
            ];
            out.put_with(&values, operators, 1.0);
        }),
    },
    // Customers and discovery.
    Metric {
        name: "avepoint_customer_info",
        kind: Kind::Gauge,
        help: "Always 1: what is known of a customer. From the last successful discovery.",
        labels: &["customer_id", "customer_name", "country", "management_mode"],
        samples: Source::Fleet(|snapshot, now, out| {
            for customer in customers(snapshot, now) {
                let mode = customer.management_mode.map(ManagementMode::label);
                let values = [
                    &*customer.id.to_string(),
                    &*name_or_id(customer.name.as_deref(), customer.id),
                    customer.country.as_deref().unwrap_or_default(),
                    mode.as_deref().unwrap_or_default(),
                ];
                out.put(&values, 1.0);
            }
        }),
    },
    Metric {
        name: "avepoint_customer_backup_status",
        kind: Kind::Gauge,
        help: "1 for how the backups of a customer fare, and 0 for the other states. \
               From the last successful discovery.",
        labels: &["customer_id", "customer_name", "status"],
        samples: Source::Fleet(|snapshot, now, out| {
            for customer in customers(snapshot, now) {
                // Nothing is said of a customer without a status: no state is true of it, and none false.
                let Some(status) = customer.backup_status else {
                    continue;
                };
                let id = customer.id.to_string();
                let name = name_or_id(customer.name.as_deref(), customer.id);
                let states: BTreeSet<_> = BackupStatus::KNOWN.iter().chain([&status]).collect();
                for state in states {
                    let is_it = f64::from(u8::from(*state == status));
                    out.put(&[&id, &name, &state.label()], is_it);
                }
            }
        }),
    },
    Metric {
        name: "avepoint_customers_without_tenant",
        kind: Kind::Gauge,
        help: "Customers without any tenant. From the last successful discovery.",
        labels: &[],
        samples: Source::Fleet(|snapshot, now, out| {
            if let Some(found) = snapshot.discovered(now) {
                let without = found.customers.iter().filter(|one| one.tenants.is_empty());
                out.count(&[], without.count() as u64);
            }
        }),
    },
    Metric {
        name: "avepoint_discovery_up",
        kind: Kind::Gauge,
        help: "Whether the last discovery succeeded.",
        labels: &[],
        samples: Source::Fleet(|snapshot, _, out| {
            if let Some(up) = snapshot.discovery.as_ref().and_then(|one| one.up) {
                out.put(&[], f64::from(u8::from(up)));
            }
        }),
    },
    Metric {
        name: "avepoint_discovery_last_success_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the last successful discovery ended.",
        labels: &[],
        samples: Source::Fleet(|snapshot, _, out| {
            let discovery = snapshot.discovery.as_ref();
            if let Some(found) = discovery.and_then(|one| one.found.as_ref()) {
                out.put(&[], found.at.as_secs_f64());
            }
        }),
    },
    Metric {
        name: "avepoint_discovery_polls_total",
        kind: Kind::Counter,
        help: "Readings of the customers that ended, be it well or badly.",
        labels: &[],
        samples: Source::Fleet(|snapshot, _, out| {
            if let Some(discovery) = &snapshot.discovery {
                out.count(&[], discovery.polls);
            }
        }),
    },
    Metric {
        name: "avepoint_discovery_failures_total",
        kind: Kind::Counter,
        help: "Readings of the customers that failed.",
        labels: &["reason"],
        samples: Source::Fleet(|snapshot, _, out| {
            let Some(discovery) = &snapshot.discovery else {
                return;
            };
            for reason in Reason::ALL {
                let failures = discovery.failures.get(reason).copied();
                out.count(&[reason.as_str()], failures.unwrap_or_default());
            }
        }),
    },
    // Security users.
    Metric {
        name: "avepoint_security_users",
        kind: Kind::Gauge,
        help: "Distinct users in the listing of security users. From the last successful poll.",
        labels: &[],
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
        samples: Source::Tenant(|tenant, now, out| {
            for (reference, users) in tenant.missing(now) {
                out.count(&[reference.as_str()], users);
            }
        }),
    },
    // Directory.
    Metric {
        name: "avepoint_directory_users",
        kind: Kind::Gauge,
        help: "Distinct users in the tenant's directory. From the last successful poll.",
        labels: &[],
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
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(figures) = tenant.directory(now) {
                for (band, users) in Ending::ALL.iter().zip(figures.ending) {
                    out.count(&[band.as_str()], users);
                }
            }
        }),
    },
    // Partner Center.
    Metric {
        name: "avepoint_partner_center_users",
        kind: Kind::Gauge,
        help: "Distinct active users in Partner Center. From the last successful poll.",
        labels: &[],
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
        samples: Source::Tenant(|tenant, now, out| {
            if let Some(at) = tenant
                .partner_center(now)
                .and_then(|figures| figures.next_purge)
            {
                out.put(&[], at as f64);
            }
        }),
    },
    // Collection health: these stay while the figures are stale.
    Metric {
        name: "avepoint_collector_up",
        kind: Kind::Gauge,
        help: "Whether the last poll succeeded.",
        labels: &["collector"],
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
        samples: Source::Collector(|collector, name, out| {
            out.put(&[name], collector.config.interval.as_secs_f64());
        }),
    },
    Metric {
        name: "avepoint_collector_stale_after_seconds",
        kind: Kind::Gauge,
        help: "The age at which figures are withdrawn, as configured for this tenant.",
        labels: &["collector"],
        samples: Source::Collector(|collector, name, out| {
            out.put(&[name], collector.config.stale_after.as_secs_f64());
        }),
    },
    Metric {
        name: "avepoint_collector_polls_total",
        kind: Kind::Counter,
        help: "Polls that ended, be it well or badly.",
        labels: &["collector"],
        samples: Source::Collector(|collector, name, out| out.count(&[name], collector.polls)),
    },
    Metric {
        name: "avepoint_collector_failures_total",
        kind: Kind::Counter,
        help: "Polls that failed.",
        labels: &["collector"],
        samples: Source::Collector(|collector, name, out| out.count(&[name], collector.failures)),
    },
    Metric {
        name: "avepoint_collector_skipped_polls_total",
        kind: Kind::Counter,
        help: "Polls that were left out since the one before took too long.",
        labels: &["collector"],
        samples: Source::Collector(|collector, name, out| out.count(&[name], collector.skipped)),
    },
    Metric {
        name: "avepoint_collector_failing",
        kind: Kind::Gauge,
        help: "Always 1: why the last poll failed; absent when it succeeded.",
        labels: &["collector", "reason"],
        samples: Source::Collector(|collector, name, out| {
            if let Some(reason) = collector.last_poll.and_then(|poll| poll.failure) {
                out.put(&[name, reason.as_str()], 1.0);
            }
        }),
    },
    Metric {
        name: "avepoint_collector_info",
        kind: Kind::Gauge,
        help: "Always 1: how the figures are made. A change of it changes what they mean.",
        labels: &["collector", "mode", "source_endpoint", "exclude_test_users"],
        samples: Source::Collector(|collector, name, out| {
            let [mode, endpoint, exclude] = how(collector.config.kind);
            out.put(&[name, mode, endpoint, exclude], 1.0);
        }),
    },
];

/// How figures are made: by which mode, of which form of the listing, and whether test users are left out.
const fn how(kind: CollectorKind) -> [&'static str; 3] {
    match kind {
        CollectorKind::SecurityUsers { endpoint, mode, .. } => {
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
        CollectorKind::Directory | CollectorKind::ProtectedUsers => ["scan", "v3", "false"],
        // Of Partner Center's API.
        CollectorKind::PartnerCenter { .. } => ["scan", "v1", "false"],
    }
}
