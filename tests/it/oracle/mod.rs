//! The figures are right: what the exporter shows is compared, series by series, with what an oracle counts
//! by itself in the simulated service's plain rows.

mod figures;
mod worlds;

use std::collections::BTreeMap;
use std::time::Duration;

use avepoint_exporter::domain::{Clock, CustomerId, TenantId, Timestamp};
use avepoint_exporter::simulator::{
    Fault, Options, ProtectedUser, Rule, SecurityUser, Statuses, Tenant, When, World,
};
use proptest::test_runner::{TestCaseError, TestRunner};
use tokio::runtime::Runtime;

use self::figures::{Circumstances, NAMES, Series, expected};
use self::worlds::case;
use crate::support::{cases, config, poll, simulator};

/// Polls a service once, and compares.
async fn compare(options: Options, how: &Circumstances) -> Result<(), String> {
    let options = Options {
        page_limit: how.page_limit,
        rules: how
            .faults
            .iter()
            .map(|fault| Rule::new(*fault, When::always()))
            .collect(),
        ..options
    };
    let simulator = simulator(options).await;
    let collectors = format!(
        "collectors:\n  security_users: {{ exclude_test_users: {} }}\n",
        how.exclude_test_users
    );
    let exposition = poll(&config(&simulator, "", &collectors)).await;
    let mut shown = Series::new();
    for name in NAMES {
        for (labels, value) in exposition.all(name, &[]) {
            shown.insert(((*name).to_owned(), labels.clone()), value);
        }
    }
    let mut right = Series::new();
    for tenant in simulator.world().tenants() {
        right.extend(expected(tenant, how));
    }
    difference(&shown, &right)
}

fn difference(shown: &Series, right: &Series) -> Result<(), String> {
    let mut lines = Vec::new();
    for (series, value) in right {
        if shown.get(series) != Some(value) {
            lines.push(format!(
                "{series:?} should be {value}, is {:?}",
                shown.get(series)
            ));
        }
    }
    for (series, value) in shown {
        if !right.contains_key(series) {
            lines.push(format!("{series:?} is {value}, should not be there"));
        }
    }
    if lines.is_empty() {
        Ok(())
    } else {
        Err(lines.join("\n"))
    }
}

fn plain() -> Circumstances {
    Circumstances {
        page_limit: 100,
        faults: Vec::new(),
        exclude_test_users: false,
        tick: 0,
    }
}

fn one_tenant(security: Vec<SecurityUser>, protected: Vec<ProtectedUser>) -> World {
    let (customer, tenant) = (CustomerId::from_bits(1), TenantId::from_bits(2));
    World::given(vec![Tenant::given(customer, tenant, security, protected)])
}

#[test]
fn figures_of_random_worlds_are_those_that_an_oracle_counts() {
    let runtime = Runtime::new().unwrap();
    let result = TestRunner::new(cases(120)).run(&case(), |case| {
        let options = Options {
            gzip: case.gzip,
            ..Options::new(World::given(case.tenants()))
        };
        runtime
            .block_on(compare(options, &case.how))
            .map_err(TestCaseError::fail)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[tokio::test]
async fn figures_of_seeded_worlds_are_those_that_an_oracle_counts() {
    for (seed, tenants, users) in [(1, 1, 1), (2, 3, 40), (3, 2, 1000), (4, 12, 150)] {
        for exclude_test_users in [false, true] {
            let options = Options::new(World::seeded(seed, tenants, users));
            let how = Circumstances {
                exclude_test_users,
                ..plain()
            };
            compare(options, &how).await.unwrap();
        }
    }
}

#[tokio::test]
async fn figures_of_a_misbehaving_service_are_those_that_an_oracle_counts() {
    let faults = vec![
        Fault::MoveRows,
        Fault::Clamp,
        Fault::UnknownCodes,
        Fault::NullFields,
    ];
    let how = Circumstances { faults, ..plain() };
    let world = World::seeded(5, 4, 700);
    compare(Options::new(world), &how).await.unwrap();
}

#[tokio::test]
async fn figures_of_an_evolving_world_are_those_of_its_moment() {
    for tick in [1, 25, 77, 400] {
        // The service counts its ticks from its start, when its clock is asked first.
        let asked = std::sync::atomic::AtomicBool::new(false);
        let clock = Clock::from_fn(move || {
            let later = asked.swap(true, std::sync::atomic::Ordering::Relaxed);
            let ticks = if later { tick } else { 0 };
            Timestamp::from_unix(Duration::from_secs(1_000_000 + ticks))
        });
        let options = Options {
            evolve: Some(Duration::from_secs(1)),
            token_lifetime: Duration::from_hours(1),
            clock,
            ..Options::new(World::seeded(6, 3, 300))
        };
        compare(options, &Circumstances { tick, ..plain() })
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_listing_of_64_codes_is_shown_and_one_of_65_fails() {
    let user = |id: i64, codes: Vec<i64>| SecurityUser {
        id: Some(id.to_string()),
        statuses: Some(Statuses::Codes(codes)),
        ..SecurityUser::default()
    };
    let mut rows: Vec<_> = (0..8)
        .map(|n| user(n, (n * 8 + 100..n * 8 + 108).collect()))
        .collect();
    let world = one_tenant(rows.clone(), Vec::new());
    compare(Options::new(world), &plain()).await.unwrap();

    rows.push(user(8, vec![3]));
    let world = one_tenant(rows, Vec::new());
    let how = plain();
    let expected = expected(&world.tenants()[0], &how);
    let down: BTreeMap<_, _> = expected
        .iter()
        .filter(|(_, value)| **value == 0.0)
        .collect();
    assert!(!down.is_empty(), "{expected:?}");
    compare(Options::new(world), &how).await.unwrap();
}
