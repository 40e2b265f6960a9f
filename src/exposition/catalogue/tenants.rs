//! Tenants and customers, and how discovery fares.

use std::collections::BTreeSet;

use crate::domain::{BackupStatus, ManagementMode, Reason, Timestamp, name_or_id};
use crate::snapshot::Snapshot;
use crate::upstream::Customer;

use super::{Kind, Metric, Origin, Source};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "avepoint_tenants",
        kind: Kind::Gauge,
        help: "Tenants that this exporter knows, by whether it polls them.",
        labels: &["state"],
        from: &[Origin::Configuration, Origin::Customers],
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
        from: &[Origin::Configuration, Origin::Customers],
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
        from: &[Origin::Customers],
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
        from: &[Origin::Customers],
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
        from: &[Origin::Customers],
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
        from: &[Origin::Polls],
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
        from: &[Origin::Polls],
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
        from: &[Origin::Polls],
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
        from: &[Origin::Polls],
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
];

/// The customers that discovery let in.
fn customers(snapshot: &Snapshot, now: Timestamp) -> &[Customer] {
    snapshot
        .discovered(now)
        .map_or(&[], |found| &*found.customers)
}
