//! The figures are right: what the exporter shows is compared, series by series, with what an oracle counts
//! by itself in the simulated service's plain rows.

pub(crate) mod figures;
mod worlds;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use avepoint_exporter::domain::{Clock, CustomerId, TenantId, Timestamp};
use avepoint_exporter::simulator::{
    Fault, Options, ProtectedUser, Rule, SecurityUser, Simulator, Statuses, Tenant, When, World,
};
use proptest::test_runner::{TestCaseError, TestRunner};
use tokio::runtime::Runtime;

use self::figures::{Circumstances, NAMES, Security, Series, expected};
use self::worlds::case;
use crate::support::{Exposition, PartnerSignIn, cases, config_for, poll_by, simulator};

/// When everything is polled, in seconds since the epoch: some minutes after a midnight.
pub(crate) const NOW: u64 = 1_790_000_000;

/// A clock that stands still.
pub(crate) fn now() -> Clock {
    Clock::from_fn(|| Timestamp::from_unix(Duration::from_secs(NOW)))
}

/// The sections that switch the collectors on, and the tenants that the configuration names.
pub(crate) fn sections(how: &Circumstances, sign_in: &PartnerSignIn) -> String {
    let mut text = match how.security {
        Security::Counts => "collectors:\n  security_users: { mode: counts }\n".to_owned(),
        Security::Scan {
            endpoint,
            status_encoding,
            exclude_test_users,
        } => format!(
            "collectors:\n  security_users: {{ endpoint: {endpoint}, status_encoding: {status_encoding}, \
             exclude_test_users: {exclude_test_users} }}\n"
        ),
    };
    writeln!(text, "  directory: {{ enabled: {} }}", how.directory).unwrap();
    if let Some(top) = how.partner_center {
        let keys = format!("enabled: true, top_usage_locations: {top}");
        writeln!(text, "  partner_center: {{ {keys} }}\n{}", sign_in.section).unwrap();
    }
    if how.discovery {
        text.push_str("discovery: { enabled: true }\n");
    }
    text
}

/// Says which series are not as the oracle counts them.
pub(crate) fn judge(
    simulator: &Simulator,
    exposition: &Exposition,
    how: &Circumstances,
) -> Result<(), String> {
    let mut shown = Series::new();
    for name in NAMES {
        for (labels, value) in exposition.all(name, &[]) {
            shown.insert(((*name).to_owned(), labels.clone()), value);
        }
    }
    difference(&shown, &expected(simulator.world(), how, NOW.cast_signed()))
}

/// Polls a service once, and compares.
async fn compare(options: Options, how: &Circumstances) -> Result<(), String> {
    let options = Options {
        page_limit: how.page_limit,
        partner_page_limit: how.partner_page_limit,
        rules: how
            .faults
            .iter()
            .map(|fault| Rule::new(*fault, When::always()))
            .collect(),
        ..options
    };
    let simulator = simulator(options).await;
    let sign_in = PartnerSignIn::to(&simulator);
    let tenants = if how.discovery {
        &[]
    } else {
        simulator.world().tenants()
    };
    let config = config_for(&simulator, tenants, "", &sections(how, &sign_in));
    let exposition = poll_by(&config, now()).await;
    judge(&simulator, &exposition, how)
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

/// All collectors, and discovery.
pub(crate) fn everything() -> Circumstances {
    Circumstances {
        directory: true,
        partner_center: Some(3),
        discovery: true,
        ..Circumstances::default()
    }
}

fn scan(endpoint: &'static str, exclude_test_users: bool) -> Security {
    Security::Scan {
        endpoint,
        status_encoding: "auto",
        exclude_test_users,
    }
}

fn options(world: World) -> Options {
    Options {
        clock: now(),
        ..Options::new(world)
    }
}

fn one_tenant(security: Vec<SecurityUser>, protected: Vec<ProtectedUser>) -> World {
    let (customer, tenant) = (CustomerId::from_bits(1), TenantId::from_bits(2));
    World::given(vec![Tenant::given(customer, tenant, security, protected)])
}

#[test]
fn figures_of_random_worlds_are_those_that_an_oracle_counts() {
    let runtime = Runtime::new().unwrap();
    let result = TestRunner::new(cases(80)).run(&case(), |case| {
        let options = Options {
            gzip: case.gzip,
            ..options(case.world())
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
    for (seed, tenants, users) in [(1, 1, 1), (2, 3, 40), (3, 1, 1000), (4, 12, 50)] {
        for security in [
            scan("v3", false),
            scan("v3", true),
            scan("batch", false),
            Security::Counts,
        ] {
            let how = Circumstances {
                security,
                ..everything()
            };
            compare(options(World::seeded(seed, tenants, users)), &how)
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn figures_of_a_misbehaving_service_are_those_that_an_oracle_counts() {
    for endpoint in ["v3", "batch"] {
        let how = Circumstances {
            faults: vec![
                Fault::MoveRows,
                Fault::Clamp,
                Fault::UnknownCodes,
                Fault::NullFields,
            ],
            partner_page_limit: 150,
            security: scan(endpoint, false),
            ..everything()
        };
        let world = World::seeded(5, 12, 400);
        compare(options(world), &how).await.unwrap();
    }
}

#[tokio::test]
async fn figures_of_an_evolving_world_are_those_of_its_moment() {
    for tick in [1, 25, 77, 400] {
        // The service counts its ticks from its start, when its clock is asked first.
        let asked = std::sync::atomic::AtomicBool::new(false);
        let clock = Clock::from_fn(move || {
            let later = asked.swap(true, std::sync::atomic::Ordering::Relaxed);
            let ticks = if later { tick } else { 0 };
            Timestamp::from_unix(Duration::from_secs(NOW + ticks))
        });
        let options = Options {
            evolve: Some(Duration::from_secs(1)),
            token_lifetime: Duration::from_hours(1),
            clock,
            ..Options::new(World::seeded(6, 3, 300))
        };
        let how = Circumstances {
            tick,
            ..everything()
        };
        compare(options, &how).await.unwrap();
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
    let how = Circumstances::default();
    compare(options(world), &how).await.unwrap();

    rows.push(user(8, vec![3]));
    let world = one_tenant(rows, Vec::new());
    let expected = expected(&world, &how, NOW.cast_signed());
    let down: BTreeMap<_, _> = expected
        .iter()
        .filter(|(_, value)| **value == 0.0)
        .collect();
    assert!(!down.is_empty(), "{expected:?}");
    compare(options(world), &how).await.unwrap();
}
