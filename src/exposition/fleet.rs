//! Tenants and customers, and the health of discovery.

use std::collections::BTreeSet;

use crate::collectors::customers::ListedCustomer;
use crate::domain::{BackupStatus, ManagementMode, Reason, Tenant, Timestamp, Unit, name_or_id};
use crate::metric::{Metric, Origin, Samples};
use crate::snapshot::{CollectorSnapshot, Snapshot};

use super::health::flag;

/// Where a metric's samples come from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// Everything together.
    Fleet(fn(&Snapshot, Timestamp, &mut Samples<'_>)),
    /// Each tenant: its id and name come first among the labels.
    Tenant(fn(&Tenant, &mut Samples<'_>)),
}

pub(super) const METRICS: &[Metric<Source>] = &[
    Metric {
        from: &[Origin::Configuration, Origin::Customers],
        ..Metric::gauge(
            "avepoint_tenants",
            "Tenants by state: active (polled), excluded by the patterns of discovery, or unsupported (no id of Microsoft 365).",
            &["state"],
            Source::Fleet(|snapshot, now, out| {
                out.count(&["active"], snapshot.polled(Unit::Tenant).count() as u64);
                if let Some(found) = snapshot.discovered(now) {
                    out.count(&["excluded"], found.excluded);
                }
                if let Some(found) = snapshot.listed(now) {
                    out.count(&["unsupported"], found.unsupported());
                }
            }),
        )
    },
    Metric {
        from: &[Origin::Configuration, Origin::Customers],
        ..Metric::gauge(
            "avepoint_tenant_info",
            "Always 1: ids, names and labels of a tenant, to join to its other series.",
            &["customer_id", "customer_name", "source"],
            Source::Tenant(|tenant, out| {
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
        )
    },
    Metric {
        from: &[Origin::Customers],
        ..Metric::gauge(
            "avepoint_customer_info",
            "Always 1: name, country and management mode of a customer. From the last successful discovery.",
            &["customer_id", "customer_name", "country", "management_mode"],
            Source::Fleet(|snapshot, now, out| {
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
        )
    },
    Metric {
        from: &[Origin::Customers],
        ..Metric::gauge(
            "avepoint_customer_backup_status",
            "1 for the customer's current backup status, 0 for the others. From the last successful discovery.",
            &["customer_id", "customer_name", "status"],
            Source::Fleet(|snapshot, now, out| {
                for customer in customers(snapshot, now) {
                    // Nothing is said of a customer without a status: no state is true of it, and none false.
                    let Some(status) = customer.backup_status else {
                        continue;
                    };
                    let id = customer.id.to_string();
                    let name = name_or_id(customer.name.as_deref(), customer.id);
                    let states: BTreeSet<_> = BackupStatus::KNOWN.iter().chain([&status]).collect();
                    for state in states {
                        out.put(&[&id, &name, &state.label()], flag(*state == status));
                    }
                }
            }),
        )
    },
    Metric {
        from: &[Origin::Customers],
        ..Metric::gauge(
            "avepoint_customers_without_tenant",
            "Customers without any tenant. From the last successful discovery.",
            &[],
            Source::Fleet(|snapshot, now, out| {
                if let Some(found) = snapshot.discovered(now) {
                    let without = found.customers.iter().filter(|one| one.tenants.is_empty());
                    out.count(&[], without.count() as u64);
                }
            }),
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_discovery_up",
            "1 if the last discovery succeeded, 0 if it failed.",
            &[],
            Source::Fleet(|snapshot, _, out| {
                let up = snapshot.discovery().and_then(CollectorSnapshot::up);
                out.put_some(&[], up.map(flag));
            }),
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_discovery_failing",
            "Always 1, with the reason why the last discovery failed; absent if it succeeded.",
            &["reason"],
            Source::Fleet(|snapshot, _, out| {
                let last = snapshot.discovery().and_then(|one| one.last_poll);
                if let Some(reason) = last.and_then(|poll| poll.failure) {
                    out.put(&[reason.as_str()], 1.0);
                }
            }),
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::gauge(
            "avepoint_discovery_last_success_timestamp_seconds",
            "Time of the end of the last successful discovery, in seconds since the Unix epoch.",
            &[],
            Source::Fleet(|snapshot, _, out| {
                let found = snapshot.discovery().and_then(|one| one.figures.as_ref());
                out.put_some(&[], found.map(|found| found.at.as_secs_f64()));
            }),
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::counter(
            "avepoint_discovery_polls_total",
            "Discoveries completed, successful or not.",
            &[],
            Source::Fleet(|snapshot, _, out| {
                if let Some(discovery) = snapshot.discovery() {
                    out.count(&[], discovery.polls);
                }
            }),
        )
    },
    Metric {
        from: &[Origin::Polls],
        ..Metric::counter(
            "avepoint_discovery_failures_total",
            "Discoveries that failed.",
            &["reason"],
            Source::Fleet(|snapshot, _, out| {
                let Some(discovery) = snapshot.discovery() else {
                    return;
                };
                for reason in Reason::ALL {
                    let failures = discovery.failures.get(reason).copied();
                    out.count(&[reason.as_str()], failures.unwrap_or_default());
                }
            }),
        )
    },
];

/// The customers that discovery found and the patterns admit.
fn customers(snapshot: &Snapshot, now: Timestamp) -> &[ListedCustomer] {
    snapshot
        .discovered(now)
        .map_or(&[], |found| &*found.customers)
}
