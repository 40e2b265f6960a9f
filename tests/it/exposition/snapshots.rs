//! Snapshots made by hand, and random ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use avepoint_exporter::collectors::customers::{self, ListedCustomer, ListedTenant};
use avepoint_exporter::collectors::protected_users::{self, Coverage, Joins, Protection};
use avepoint_exporter::collectors::{Exposure, Totals, directory, partner_center, security_users};
use avepoint_exporter::config::{
    CollectorConfig, CollectorKind, NoOptions, PartnerCenterOptions, SecurityEndpoint,
    SecurityMode, SecurityOptions, StatusEncoding,
};
use avepoint_exporter::domain::{
    BackupModule, BackupStatus, Collector, Country, CustomerId, DomainType, ManagementMode, Reason,
    SecurityStatus, Target, Tenant, TenantId, TenantSource, Timestamp, UserState,
};
use avepoint_exporter::snapshot::{
    CollectorSnapshot, Discovered, Figures, LastFailure, LastPoll, Snapshot, TargetSnapshot,
    UnderWay,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) const SECURITY: CollectorKind = scan(false);

const DISCOVERY: CollectorKind = CollectorKind::Customers(NoOptions);

const PARTNER_CENTER: CollectorKind = CollectorKind::PartnerCenter(PartnerCenterOptions {
    top_usage_locations: 2,
});

const fn scan(exclude_test_users: bool) -> CollectorKind {
    CollectorKind::SecurityUsers(SecurityOptions {
        endpoint: SecurityEndpoint::V3,
        encoding: StatusEncoding::Codes,
        mode: SecurityMode::Scan { exclude_test_users },
    })
}

pub(crate) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs_f64(seconds))
}

/// The time at which the golden snapshot is rendered.
pub(crate) const NOW: f64 = 1_790_000_000.25;

/// A small fleet with all there can be: hostile names, operator's labels, unknown codes, and listings that
/// are fresh, stale, failing, never read, or off.
pub(crate) fn golden() -> Snapshot {
    let quoted = TargetSnapshot {
        target: tenant(
            1,
            "He said \"hi\" \\ and\nleft",
            "Café 😀 {a=\"b\"} # HELP",
            [("sla", "gold, \"24/7\""), ("zone", "C:\\temp\n")],
        ),
        collectors: vec![
            CollectorSnapshot {
                config: config(scan(true), 300),
                polls: 7,
                failures: failed(1),
                skipped: 2,
                last_poll: Some(last_poll(1.5, 120, None)),
                figures: Some(figures(
                    NOW - 10.0,
                    Totals::SecurityUsers(security(120, &[(0, 100), (3, 7), (4113, 1), (-1, 2)])),
                )),
                ..never(SECURITY)
            },
            CollectorSnapshot {
                polls: 1,
                last_poll: Some(last_poll(2.0, 130, None)),
                figures: Some(figures(NOW - 20.0, Totals::Directory(directory()))),
                ..never(CollectorKind::Directory(NoOptions))
            },
            CollectorSnapshot {
                polls: 1,
                last_poll: Some(last_poll(0.5, 131, None)),
                figures: Some(figures(NOW - 30.0, Totals::PartnerCenter(partner_center()))),
                ..never(PARTNER_CENTER)
            },
            CollectorSnapshot {
                next_poll: Some(at(NOW + 890.0)),
                polls: 3,
                last_poll: Some(last_poll(0.000_125, 4_000_000_000, None)),
                figures: Some(figures(NOW - 1.0, protected_users())),
                ..never(CollectorKind::ProtectedUsers(NoOptions))
            },
        ],
    };
    let stale = TargetSnapshot {
        target: tenant(2, "Fabrikam", "Fabrikam", []),
        collectors: vec![
            CollectorSnapshot {
                next_poll: Some(at(NOW + 1.0)),
                polls: 10,
                failures: failed(4),
                quarantined: true,
                last_poll: Some(last_poll(60.25, 0, Some(Reason::Throttled))),
                last_failure: Some(last_failure(NOW - 5.5, Reason::Throttled)),
                figures: Some(figures(
                    NOW - 900.0,
                    Totals::SecurityUsers(security(5, &[(3, 5)])),
                )),
                ..never(SECURITY)
            },
            CollectorSnapshot {
                polls: 1,
                last_poll: Some(last_poll(2.0, 130, None)),
                figures: Some(figures(NOW - 10_800.0, Totals::Directory(directory()))),
                ..never(CollectorKind::Directory(NoOptions))
            },
            CollectorSnapshot {
                next_poll: Some(at(NOW + 2.0)),
                polls: 2,
                failures: failed(1),
                last_poll: Some(last_poll(3.0, 200, Some(Reason::Decode))),
                figures: Some(figures(NOW - 2699.0, protected_users())),
                ..never(CollectorKind::ProtectedUsers(NoOptions))
            },
        ],
    };
    let failing = failing();
    let mut gone = failing.clone();
    gone.target = Target::Tenant(Arc::new(Tenant {
        source: TenantSource::Discovery,
        customer_name: None,
        ..Tenant::clone(tenant(5, "gone", "", []).tenant().unwrap())
    }));
    let (discovery, discovered) = discovery();
    let targets = [partner(discovery), quoted, stale, unread(), failing];
    Snapshot {
        targets: targets.map(Arc::new).into(),
        gone: vec![Arc::new(gone)],
        discovered: Some(Arc::new(discovered)),
    }
}

/// The partner with this collector.
fn partner(discovery: CollectorSnapshot) -> TargetSnapshot {
    TargetSnapshot {
        target: Target::Partner("a".into()),
        collectors: vec![discovery],
    }
}

/// This many polls that failed, for a reason that does not matter.
fn failed(polls: u64) -> BTreeMap<Reason, u64> {
    [(Reason::Timeout, polls)].into()
}

/// A tenant of which nothing could be read yet.
fn failing() -> TargetSnapshot {
    TargetSnapshot {
        target: tenant(4, "Only backup", "Contoso", []),
        collectors: vec![CollectorSnapshot {
            next_poll: Some(at(NOW + 600.0)),
            polls: 1,
            failures: failed(1),
            last_poll: Some(last_poll(0.0, 0, Some(Reason::Internal))),
            last_failure: Some(last_failure(NOW - 2.0, Reason::Internal)),
            ..never(CollectorKind::ProtectedUsers(NoOptions))
        }],
    }
}

/// A tenant of which nothing was read yet.
fn unread() -> TargetSnapshot {
    TargetSnapshot {
        target: tenant(3, "", "Contoso", []),
        collectors: vec![
            CollectorSnapshot {
                next_poll: Some(at(NOW)),
                ..never(SECURITY)
            },
            never(CollectorKind::ProtectedUsers(NoOptions)),
        ],
    }
}

/// What was found an hour ago, and could not be read again since.
fn discovery() -> (CollectorSnapshot, Discovered) {
    let customers = vec![
        ListedCustomer {
            name: Some("Contoso \"Ltd\"".to_owned()),
            backup_status: Some(BackupStatus::from(4)),
            country: Some("Germany".to_owned()),
            management_mode: Some(ManagementMode::from(1)),
            ..customer(1)
        },
        customer(2),
        ListedCustomer {
            backup_status: Some(BackupStatus::from(77)),
            management_mode: Some(ManagementMode::from(9)),
            tenants: vec![ListedTenant {
                id: TenantId::from_bits(5),
                name: None,
            }],
            ..customer(3)
        },
    ];
    let listed = customers::Figures {
        customers: customers.clone(),
        nameless: 2,
    };
    let discovery = CollectorSnapshot {
        polls: 7,
        failures: [(Reason::Implausible, 1)].into(),
        last_poll: Some(last_poll(1.0, 3, Some(Reason::Implausible))),
        last_failure: Some(last_failure(NOW - 60.0, Reason::Implausible)),
        figures: Some(figures(NOW - 3600.0, Totals::Customers(listed))),
        ..never(DISCOVERY)
    };
    let discovered = Discovered {
        customers,
        excluded: 11,
    };
    (discovery, discovered)
}

/// A customer of which nothing is known.
fn customer(id: u128) -> ListedCustomer {
    ListedCustomer {
        unsupported: 1,
        ..ListedCustomer::bare(id)
    }
}

/// A collector that was not polled yet.
pub(crate) fn never(kind: CollectorKind) -> CollectorSnapshot {
    CollectorSnapshot::new(config(kind, kind.collector().default_interval().as_secs()))
}

fn config(kind: CollectorKind, seconds: u64) -> CollectorConfig {
    CollectorConfig {
        interval: Duration::from_secs(seconds),
        stale_after: Duration::from_secs(3 * seconds),
        kind,
    }
}

pub(crate) fn last_poll(seconds: f64, rows: u64, failure: Option<Reason>) -> LastPoll {
    LastPoll {
        duration: Duration::from_secs_f64(seconds),
        rows,
        failure,
    }
}

pub(crate) fn last_failure(seconds: f64, reason: Reason) -> LastFailure {
    LastFailure {
        at: at(seconds),
        reason,
        message: format!("\"{reason}\" \\ for\na test").into(),
    }
}

pub(crate) fn figures(seconds: f64, totals: Totals) -> Figures {
    Figures {
        pages: 1,
        unreadable_dates: 3,
        at: at(seconds),
        totals: Arc::new(totals),
        is_restored: false,
    }
}

pub(crate) fn tenant<const N: usize>(
    id: u128,
    tenant_name: &str,
    customer_name: &str,
    labels: [(&str, &str); N],
) -> Target {
    Target::Tenant(Arc::new(Tenant {
        customer_id: CustomerId::from_bits(id << 64),
        tenant_id: TenantId::from_bits(id),
        customer_name: Some(customer_name.to_owned()),
        tenant_name: Some(tenant_name.to_owned()),
        labels: labels
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        source: TenantSource::Config,
    }))
}

pub(crate) fn security(users: u64, by_status: &[(i64, u64)]) -> security_users::Figures {
    security_users::Figures {
        users,
        by_status: counts(by_status),
    }
}

fn protection() -> Protection {
    Protection {
        users: 90,
        protected: counts(&[(0, 80), (2, 0), (99, 1)]),
        unprotected: counts(&[(0, 3), (2, 70), (99, 0)]),
        coverage: Coverage {
            full: 10,
            partial: 73,
            none: 7,
        },
    }
}

fn protected_users() -> Totals {
    Totals::ProtectedUsers(protected_users::Figures {
        protection: protection(),
        joins: joins(),
    })
}

fn joins() -> Joins {
    let others = [(Collector::Directory, 11), (Collector::PartnerCenter, 0)];
    Joins {
        exposure: Some(exposure()),
        missing: others.into(),
    }
}

fn directory() -> directory::Figures {
    directory::Figures {
        users: 130,
        by_status: counts(&[(0, 110), (7, 0), (77, 1)]),
        test_users: 4,
        by_password_age: [1, 2, 3, 4, 5, 6, 109],
        ending: [1, 0],
    }
}

fn partner_center() -> partner_center::Figures {
    let country = |text| Country::new(text).unwrap();
    partner_center::Figures {
        users: 125,
        by_state: [
            ((UserState::Active, DomainType::Managed), 120),
            ((UserState::Inactive, DomainType::None), 6),
            ((UserState::Number(3), DomainType::Unknown), 5),
        ]
        .into(),
        by_location: [(country("US"), 90), (country("DE"), 0)].into(),
        other_location: 30,
        unset_location: 5,
        must_change_password: 7,
        synced: 100,
        last_sync: Some(1_789_999_000),
        next_purge: Some(1_791_000_000),
    }
}

fn exposure() -> Exposure {
    let known: [(SecurityStatus, u64); 3] = [(0, 0), (3, 6), (4113, 1)].map(code);
    let modules: [(BackupModule, u64); 2] = [(0, 1), (2, 4)].map(code);
    Exposure {
        users: known.into(),
        by_module: known
            .iter()
            .flat_map(|(status, _)| modules.map(|(module, n)| ((*status, module), n)))
            .collect(),
        unlisted: counts(&[(0, 0), (3, 2), (4113, 0)]),
    }
}

fn code<C: From<i64>>((code, users): (i64, u64)) -> (C, u64) {
    (C::from(code), users)
}

fn counts<C: From<i64> + Ord>(counts: &[(i64, u64)]) -> BTreeMap<C, u64> {
    counts.iter().copied().map(code).collect()
}

/// A fleet of which all is random that can be; rendered at the second 0, so that nothing is stale.
pub(super) fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let tenants = || {
        vec(any_tenant(), 0..4)
            .prop_map(|tenants| tenants.into_iter().map(Arc::new).collect::<Vec<_>>())
    };
    (tenants(), tenants(), option::of(any_discovery())).prop_map(|(tenants, gone, discovery)| {
        let (discovery, discovered) = discovery.unzip();
        let partner = discovery.into_iter().map(|one| Arc::new(partner(one)));
        Snapshot {
            targets: partner.chain(tenants).collect(),
            gone,
            discovered: discovered.map(Arc::new),
        }
    })
}

fn any_discovery() -> impl Strategy<Value = (CollectorSnapshot, Discovered)> {
    let customer = (
        any::<u128>(),
        option::of(any_text()),
        option::of(any_text()),
        option::of(0..10_i64),
        option::of(any::<i64>()),
    )
        .prop_map(|(id, name, country, status, mode)| ListedCustomer {
            name,
            country,
            backup_status: status.map(BackupStatus::from),
            management_mode: mode.map(ManagementMode::from),
            ..customer(id)
        });
    let listed = Totals::Customers(customers::Figures::default());
    (
        any_collector(DISCOVERY, Just(listed).boxed()),
        vec(customer, 0..4),
        any::<u64>(),
    )
        .prop_map(|(discovery, customers, excluded)| {
            let discovered = Discovered {
                customers,
                excluded,
            };
            (discovery, discovered)
        })
}

fn any_tenant() -> impl Strategy<Value = TargetSnapshot> {
    let tenant = (
        any::<u128>(),
        any_text(),
        any_text(),
        btree_map("_?[a-zA-Z][a-zA-Z0-9_]{0,8}", any_text(), 0..3),
    )
        .prop_map(|(id, tenant_name, customer_name, labels)| Tenant {
            customer_id: CustomerId::from_bits(id),
            tenant_id: TenantId::from_bits(!id),
            customer_name: Some(customer_name),
            tenant_name: Some(tenant_name),
            labels,
            source: TenantSource::Config,
        });
    let security = (any::<u64>(), any_counts()).prop_map(|(users, by_status)| {
        Totals::SecurityUsers(security_users::Figures { users, by_status })
    });
    let exposure = (any_counts(), any_counts()).prop_map(|(users, unlisted)| Exposure {
        by_module: users
            .iter()
            .map(|(status, n)| ((*status, BackupModule::from(2)), *n))
            .collect(),
        users,
        unlisted,
    });
    let protected = (
        any::<[u64; 4]>(),
        any_counts(),
        any_counts(),
        option::of(exposure),
    )
        .prop_map(
            |([users, full, partial, none], protected, unprotected, exposure)| {
                let protection = Protection {
                    users,
                    protected,
                    unprotected,
                    coverage: Coverage {
                        full,
                        partial,
                        none,
                    },
                };
                let missing = [(Collector::Directory, full)].into();
                let joins = Joins { exposure, missing };
                Totals::ProtectedUsers(protected_users::Figures { protection, joins })
            },
        );
    let directory = (any::<[u64; 11]>(), any_counts()).prop_map(|(n, by_status)| {
        Totals::Directory(directory::Figures {
            users: n[0],
            by_status,
            test_users: n[1],
            by_password_age: [n[2], n[3], n[4], n[5], n[6], n[7], n[8]],
            ending: [n[9], n[10]],
        })
    });
    (
        tenant,
        any_collector(SECURITY, security.boxed()),
        any_collector(CollectorKind::Directory(NoOptions), directory.boxed()),
        any_collector(PARTNER_CENTER, any_partner_center().boxed()),
        any_collector(CollectorKind::ProtectedUsers(NoOptions), protected.boxed()),
    )
        .prop_map(
            |(tenant, security, directory, partner_center, protected)| TargetSnapshot {
                target: Target::Tenant(Arc::new(tenant)),
                collectors: vec![security, directory, partner_center, protected],
            },
        )
}

fn any_partner_center() -> impl Strategy<Value = Totals> {
    let state = prop_oneof![
        select(UserState::KNOWN),
        any::<i64>().prop_map(UserState::Number),
        Just(UserState::Unknown)
    ];
    let country = "[A-Z]{2}".prop_map(|text| Country::new(&text).unwrap());
    (
        any::<[u64; 5]>(),
        btree_map((state, select(DomainType::KNOWN)), any::<u64>(), 0..5),
        btree_map(country, any::<u64>(), 0..5),
        any::<[Option<i64>; 2]>(),
    )
        .prop_map(|(n, by_state, by_location, [last_sync, next_purge])| {
            Totals::PartnerCenter(partner_center::Figures {
                users: n[0],
                by_state,
                by_location,
                other_location: n[1],
                unset_location: n[2],
                must_change_password: n[3],
                synced: n[4],
                last_sync,
                next_purge,
            })
        })
}

fn any_collector(
    kind: CollectorKind,
    totals: BoxedStrategy<Totals>,
) -> impl Strategy<Value = CollectorSnapshot> {
    let last_poll = (
        any_duration(),
        any::<u64>(),
        option::of(select(Reason::ALL)),
    )
        .prop_map(|(duration, rows, failure)| LastPoll {
            duration,
            rows,
            failure,
        });
    let figures = (any_duration(), totals).prop_map(|(at, totals)| Figures {
        at: Timestamp::from_unix(at),
        pages: 1,
        unreadable_dates: 0,
        totals: Arc::new(totals),
        is_restored: false,
    });
    (
        (any_duration(), any_duration()),
        option::of(any_duration().prop_map(Timestamp::from_unix)),
        (any::<[u64; 3]>(), any::<bool>()),
        option::of(last_poll),
        option::of(figures),
    )
        .prop_map(
            move |(
                (interval, stale_after),
                next_poll,
                ([polls, failures, skipped], quarantined),
                last_poll,
                figures,
            )| {
                CollectorSnapshot {
                    config: CollectorConfig {
                        interval,
                        stale_after: stale_after + Duration::from_nanos(1),
                        kind,
                    },
                    next_poll,
                    polls,
                    failures: failed(failures),
                    skipped,
                    quarantined,
                    last_poll,
                    failing_since: None,
                    last_failure: None,
                    figures,
                    under_way: UnderWay::default(),
                }
            },
        )
}

/// From nothing to more than all time, in steps of any size.
fn any_duration() -> impl Strategy<Value = Duration> {
    (
        prop_oneof![0..10_u64, 1_700_000_000..1_900_000_000_u64, 0..1_u64 << 60],
        prop_oneof![Just(0), 0..1_000_000_000_u32],
    )
        .prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn any_counts<C: From<i64> + Ord + std::fmt::Debug>() -> impl Strategy<Value = BTreeMap<C, u64>> {
    let code = prop_oneof![0..10_i64, any::<i64>()].prop_map(C::from);
    btree_map(code, prop_oneof![0..100_u64, any::<u64>()], 0..5)
}

/// Any text, with much of what could be taken for syntax.
pub(super) fn any_text() -> impl Strategy<Value = String> {
    let syntax = select(vec![
        '"', '\\', '\n', '\r', '\t', '\0', '{', '}', ',', '=', ' ', '#', 'n', '\u{2028}', '\u{85}',
        '😀',
    ]);
    vec(prop_oneof![syntax, any::<char>()], 0..10).prop_map(String::from_iter)
}
