//! Pages in parallel, and what an API that answers 429 is spared.

use std::time::Duration;

use avepoint_exporter::simulator::{Fault, Listing, Moment, Rule, Tenant, When, World};

use super::figures::{self, shown};
use super::{failure, options, pages, requests};
use crate::support::{Exposition, config, poll, simulator};

/// The rate that is configured here.
const RATE: f64 = 10000.0;

fn limits(max_concurrent_requests: usize) -> String {
    format!(
        "  rate_limit: {{ requests_per_second: {RATE}, burst: 1000, max_concurrent_requests: {max_concurrent_requests} }}\n"
    )
}

fn rate(exposition: &Exposition) -> f64 {
    let labels = [("api", "elements")];
    let name = "avepoint_api_rate_limit_requests_per_second";
    exposition.get(name, &labels).unwrap()
}

fn all_is_right(exposition: &Exposition, tenant: &Tenant) {
    for listing in [Listing::Security, Listing::Protected] {
        assert_eq!(
            shown(exposition, tenant.tenant_id, listing),
            figures::of(tenant, listing)
        );
        assert_eq!(failure(exposition, tenant.tenant_id, listing), None);
    }
}

#[tokio::test]
async fn up_to_four_pages_of_a_listing_are_under_way_at_once_and_none_is_asked_for_twice() {
    for (allowed, most) in [(1, 1), (2, 1), (4, 2), (8, 4), (100, 4)] {
        let mut options = options(World::seeded(1, 1, 1500), &[]);
        options.latency = Duration::from_millis(20);
        let simulator = simulator(options).await;
        let exposition = poll(&config(&simulator, &limits(allowed), "")).await;
        let tenant = &simulator.world().tenants()[0];
        all_is_right(&exposition, tenant);
        for listing in [Listing::Security, Listing::Protected] {
            let asked = requests(&simulator, tenant.tenant_id, listing);
            assert_eq!(asked, pages(tenant, listing));
        }
        assert_eq!(simulator.stats().peak_in_flight, most, "of {allowed}");
    }
}

#[tokio::test]
async fn tenants_take_turns_so_that_a_large_one_does_not_starve_small_ones() {
    let mut tenants = World::seeded(1, 1, 20_000).tenants().to_vec();
    tenants.extend_from_slice(World::seeded(2, 5, 10).tenants());
    let large = tenants[0].tenant_id;
    let simulator = simulator(options(World::given(tenants), &[])).await;
    let exposition = poll(&config(&simulator, &limits(2), "")).await;
    for tenant in simulator.world().tenants() {
        all_is_right(&exposition, tenant);
    }
    let log = simulator.stats().log;
    let of_small = |(moment, _, tenant): &(_, _, _)| *moment == Moment::Ended && *tenant != large;
    let last = log.iter().rposition(of_small).unwrap();
    let meanwhile = log[..last].iter().filter(|(.., tenant)| *tenant == large);
    // Ten requests of the small ones; two moments for each of the large one's.
    let meanwhile = meanwhile.count() / 2;
    assert!(
        meanwhile <= 20,
        "{meanwhile} pages of the large one went before"
    );
    let asked = requests(&simulator, large, Listing::Protected);
    assert!(asked > 100, "{asked}");
}

#[tokio::test]
async fn one_tenant_that_is_throttled_does_not_slow_down_the_api() {
    let world = World::seeded(1, 3, 250);
    let when = When::first(3).for_tenant(world.tenants()[1].tenant_id);
    let simulator = simulator(options(world, &[Rule::new(Fault::Throttle, when)])).await;
    let exposition = poll(&config(&simulator, &limits(8), "")).await;
    for tenant in simulator.world().tenants() {
        all_is_right(&exposition, tenant);
    }
    assert_eq!(simulator.stats().struck[&Fault::Throttle], 3);
    assert!(rate(&exposition) >= RATE);
}

#[tokio::test]
async fn several_tenants_that_are_throttled_slow_down_the_api_and_all_is_read_in_the_end() {
    let world = World::seeded(1, 3, 250);
    let rules = [0, 2].map(|place| {
        let when = When::first(2).for_tenant(world.tenants()[place].tenant_id);
        Rule::new(Fault::Throttle, when)
    });
    let simulator = simulator(options(world, &rules)).await;
    let exposition = poll(&config(&simulator, &limits(8), "")).await;
    for tenant in simulator.world().tenants() {
        all_is_right(&exposition, tenant);
    }
    assert_eq!(simulator.stats().struck[&Fault::Throttle], 4);
    let rate = rate(&exposition);
    assert!((RATE / 16.0..RATE).contains(&rate), "{rate}");
}

#[tokio::test]
async fn a_tenant_that_is_to_be_left_alone_is_not_asked_for_its_other_listings_either() {
    let world = World::seeded(1, 2, 250);
    let left_alone = world.tenants()[0].tenant_id;
    let when = When::always().for_tenant(left_alone);
    let mut options = options(world, &[Rule::new(Fault::Throttle, when)]);
    options.retry_after = Duration::from_secs(200);
    let simulator = simulator(options).await;
    let exposition = poll(&config(&simulator, &limits(8), "")).await;
    for listing in [Listing::Security, Listing::Protected] {
        let failure = failure(&exposition, left_alone, listing);
        assert_eq!(failure.as_deref(), Some("throttled"), "{listing:?}");
    }
    assert_eq!(requests(&simulator, left_alone, Listing::Security), 1);
    assert_eq!(requests(&simulator, left_alone, Listing::Protected), 0);
    all_is_right(&exposition, &simulator.world().tenants()[1]);
}
