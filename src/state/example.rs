//! A fleet for tests: every collector, with codes and words that nobody knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::collectors::customers::{self, ListedCustomer, ListedTenant};
use crate::collectors::protected_users::{self, Coverage, Joins, Protection};
use crate::collectors::{Exposure, Totals, directory, partner_center, security_users};
use crate::config::{
    CollectorConfig, CollectorKind, NoOptions, PartnerCenterOptions, SecurityEndpoint,
    SecurityMode, SecurityOptions, StatusEncoding,
};
use crate::domain::{
    BackupStatus, Collector, Country, Customer, CustomerId, DomainType, ManagementMode, Reason,
    Target, Tenant, TenantId, TenantSource, Timestamp, UserState,
};
use crate::snapshot::{CollectorSnapshot, Discovered, Figures, LastPoll, Snapshot, TargetSnapshot};

/// Seconds after the tests begin, on 2026-09-21.
pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(1_790_000_000 + seconds))
}

/// The partner, a customer, two tenants and one that is gone, as they are known at second 1000.
pub(super) fn snapshot() -> Snapshot {
    let all = vec![
        collector(
            security(true),
            Some(Reason::Throttled),
            some_security_users(),
        ),
        collector(CollectorKind::Directory(NoOptions), None, some_directory()),
        collector(
            CollectorKind::PartnerCenter(PartnerCenterOptions {
                top_usage_locations: 2,
            }),
            None,
            some_partner_center(),
        ),
        collector(
            CollectorKind::ProtectedUsers(NoOptions),
            None,
            some_protected_users(),
        ),
    ];
    let never_well = CollectorSnapshot {
        figures: None,
        ..collector(
            CollectorKind::SecurityUsers(SecurityOptions {
                endpoint: SecurityEndpoint::Batch,
                encoding: StatusEncoding::Flags,
                mode: SecurityMode::Counts,
            }),
            Some(Reason::Internal),
            some_security_users(),
        )
    };
    let unmatched = Totals::ProtectedUsers(protected_users::Figures {
        protection: protection(),
        joins: Joins::default(),
    });
    let discovery = CollectorSnapshot {
        failures: [(Reason::Timeout, 1)].into(),
        ..collector(
            CollectorKind::Customers(NoOptions),
            Some(Reason::Timeout),
            Totals::Customers(customers::Figures {
                nameless: 0,
                customers: listed(),
            }),
        )
    };
    let fabrikam = Customer {
        id: CustomerId::from_bits(2),
        name: Some("Fabrikam".to_owned()),
    };
    Snapshot {
        targets: vec![
            target(Target::Partner("a".into()), vec![discovery]),
            // There is no collector of customers yet.
            target(Target::Customer(Arc::new(fabrikam)), Vec::new()),
            tenant(10, TenantSource::Config, Some("Contoso"), all),
            tenant(11, TenantSource::Discovery, None, vec![never_well]),
        ],
        gone: vec![tenant(
            12,
            TenantSource::Discovery,
            Some("Fabrikam"),
            vec![collector(
                CollectorKind::ProtectedUsers(NoOptions),
                None,
                unmatched,
            )],
        )],
        discovered: Some(Arc::new(Discovered {
            customers: listed(),
            excluded: 3,
        })),
    }
}

fn security(exclude_test_users: bool) -> CollectorKind {
    CollectorKind::SecurityUsers(SecurityOptions {
        endpoint: SecurityEndpoint::V3,
        encoding: StatusEncoding::Codes,
        mode: SecurityMode::Scan { exclude_test_users },
    })
}

fn tenant(
    id: u128,
    source: TenantSource,
    name: Option<&str>,
    collectors: Vec<CollectorSnapshot>,
) -> Arc<TargetSnapshot> {
    let tenant = Tenant {
        customer_name: name.map(str::to_owned),
        tenant_name: name.map(|name| format!("{name}.example \"ä\"")),
        labels: [("sla".to_owned(), "gold".to_owned())].into(),
        source,
        ..Tenant::bare(1, id)
    };
    target(Target::Tenant(Arc::new(tenant)), collectors)
}

fn target(target: Target, collectors: Vec<CollectorSnapshot>) -> Arc<TargetSnapshot> {
    Arc::new(TargetSnapshot { target, collectors })
}

fn collector(kind: CollectorKind, failure: Option<Reason>, totals: Totals) -> CollectorSnapshot {
    let mut known = CollectorSnapshot::new(CollectorConfig {
        interval: Duration::from_secs(300),
        stale_after: Duration::from_secs(900),
        kind,
    });
    (known.polls, known.skipped) = (3, 1);
    known.failures = [(Reason::Throttled, 1)].into();
    known.next_poll = Some(at(1200));
    known.last_poll = Some(LastPoll {
        duration: Duration::from_millis(1500),
        rows: 17,
        failure,
    });
    known.figures = Some(Figures {
        unreadable_dates: 0,
        at: at(900).after(Duration::from_nanos(123_456_789)),
        pages: 2,
        totals: Arc::new(totals),
        is_restored: false,
    });
    known
}

fn codes<T: From<i64> + Ord>(users: [(i64, u64); 2]) -> BTreeMap<T, u64> {
    let users = users.into_iter();
    users.map(|(code, users)| (code.into(), users)).collect()
}

fn some_security_users() -> Totals {
    Totals::SecurityUsers(security_users::Figures {
        users: 4,
        by_status: codes([(3, 4), (-77, 1)]),
    })
}

fn some_directory() -> Totals {
    Totals::Directory(directory::Figures {
        users: 28,
        by_status: codes([(0, 5), (4711, 6)]),
        test_users: 2,
        by_password_age: [1, 2, 3, 4, 5, 6, 7],
        ending: [8, 9],
    })
}

fn some_partner_center() -> Totals {
    let country = |text| Country::new(text).unwrap();
    Totals::PartnerCenter(partner_center::Figures {
        users: 40,
        by_state: [
            ((UserState::Active, DomainType::Federated), 30),
            ((UserState::Active, DomainType::Number(-3)), 1),
            ((UserState::Number(7), DomainType::Unknown), 2),
            ((UserState::Unknown, DomainType::None), 3),
            ((UserState::Inactive, DomainType::Managed), 4),
        ]
        .into(),
        by_location: [(country("DE"), 20), (country("US"), 0)].into(),
        other_location: 5,
        unset_location: 6,
        must_change_password: 7,
        synced: 8,
        last_sync: Some(-1),
        next_purge: None,
    })
}

fn protection() -> Protection {
    Protection {
        users: 6,
        protected: codes([(0, 3), (99, 1)]),
        unprotected: codes([(2, 1), (0, 2)]),
        coverage: Coverage {
            full: 1,
            partial: 2,
            none: 3,
        },
    }
}

fn some_protected_users() -> Totals {
    let joins = Joins {
        exposure: Some(Exposure {
            users: codes([(3, 2), (-77, 0)]),
            by_module: [
                ((3.into(), 0.into()), 1),
                ((3.into(), 99.into()), 2),
                (((-77).into(), 0.into()), 0),
            ]
            .into(),
            unlisted: codes([(3, 1), (-77, 1)]),
        }),
        missing: [(Collector::Directory, 9), (Collector::PartnerCenter, 0)].into(),
    };
    Totals::ProtectedUsers(protected_users::Figures {
        protection: protection(),
        joins,
    })
}

/// The customers that discovery found.
fn listed() -> Vec<ListedCustomer> {
    let tenants = [(10, Some("contoso.example")), (11, None)].into_iter();
    let tenants = tenants.map(|(id, name)| ListedTenant {
        id: TenantId::from_bits(id),
        name: name.map(str::to_owned),
    });
    let contoso = ListedCustomer {
        unsupported: 0,
        id: CustomerId::from_bits(1),
        name: Some("Contoso".to_owned()),
        backup_status: Some(BackupStatus::from(77)),
        country: Some("Germany".to_owned()),
        management_mode: Some(ManagementMode::from(1)),
        tenants: tenants.collect(),
    };
    vec![contoso, ListedCustomer::bare(2)]
}
