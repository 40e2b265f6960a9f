//! What the exporter does when the upstream misbehaves. `table` has one row for each fault of the simulated
//! upstream; the other modules go into what a row cannot say.

mod counts;
mod figures;
mod hostile;
mod listings;
mod odd;
mod partner_center;
mod retries;
mod rounds;
mod shapes;
mod table;
mod throttling;
mod tokens;

use std::sync::Arc;

use avepoint_exporter::collectors::{self, Earlier};
use avepoint_exporter::config::Config;
use avepoint_exporter::domain::{Clock, Target, TenantId, Timestamp};
use avepoint_exporter::simulator::{Fault, Listing, Options, Rule, Simulator, Tenant, When, World};
use avepoint_exporter::upstream::{ApiError, Client, Clients, Progress, Shared, Stats};
use prometheus::Registry;

use crate::support::{Exposition, simulator};

/// The page size that the exporter asks for.
const PAGE: usize = 100;

/// A world of three tenants whose listings take several pages.
fn world() -> World {
    World::seeded(1, 3, 700)
}

/// A simulated upstream with such a world that misbehaves in these ways.
async fn start(rules: &[Rule]) -> Simulator {
    simulator(options(world(), rules)).await
}

fn options(world: World, rules: &[Rule]) -> Options {
    let mut options = Options::new(world);
    options.rules = rules.to_vec();
    options
}

/// The tenant with the longest security listing: at least three pages.
fn largest(simulator: &Simulator) -> &Tenant {
    let tenants = simulator.world().tenants().iter();
    let tenant = tenants
        .max_by_key(|tenant| tenant.security_count(0))
        .unwrap();
    assert!(tenant.security_count(0) > 2 * PAGE);
    tenant
}

/// A fault in the security listing of this tenant.
fn in_security(tenant: &Tenant, fault: Fault, when: When) -> Rule {
    Rule::new(
        fault,
        when.for_tenant(tenant.tenant_id).on(Listing::Security),
    )
}

/// How many rows a listing has.
fn rows(tenant: &Tenant, listing: Listing) -> usize {
    match listing {
        Listing::Protected => tenant.protected_count(),
        _ => tenant.security_count(0),
    }
}

/// How many requests a listing takes when all goes well.
fn pages(tenant: &Tenant, listing: Listing) -> u64 {
    rows(tenant, listing).div_ceil(PAGE).max(1) as u64
}

/// How many requests there were for a listing.
fn requests(simulator: &Simulator, tenant: TenantId, listing: Listing) -> u64 {
    let requests = simulator.stats().requests;
    requests.get(&(listing, tenant)).copied().unwrap_or(0)
}

fn collector(listing: Listing) -> &'static str {
    match listing {
        Listing::Protected | Listing::Token => "protected_users",
        Listing::Directory => "directory",
        Listing::Partner | Listing::DeletedPartner | Listing::PartnerToken => "partner_center",
        _ => "security_users",
    }
}

/// What the last poll of a listing failed with; `None` when it succeeded. Holds the health series together.
#[track_caller]
fn failure(exposition: &Exposition, tenant: TenantId, listing: Listing) -> Option<String> {
    let labels = [("collector", collector(listing))];
    let up = exposition.of(tenant, "avepoint_collector_up", &labels);
    let id = tenant.to_string();
    let labels = [("m365_tenant_id", id.as_str()), labels[0]];
    let failing: Vec<String> = exposition
        .all("avepoint_collector_failing", &labels)
        .map(|(labels, _)| labels["reason"].clone())
        .collect();
    assert_eq!(up, Some(f64::from(u8::from(failing.is_empty()))));
    assert!(failing.len() <= 1, "{failing:?}");
    failing.into_iter().next()
}

/// The error of a poll of the first tenant, as the log has it.
async fn error_of(config: &Config, listing: Listing) -> ApiError {
    let stats = Stats::register(&Registry::new()).unwrap();
    let permissions = ["elements.um.user.read.all", "elements.cbprotected.read.all"];
    let shared = Shared::new(stats, Clock::system());
    let clients = Clients {
        elements: Client::elements(&config.elements, &permissions, &shared).unwrap(),
        partner_center: None,
        refresh_token: None,
    };
    let tenant = &config.tenants[0];
    let mut collectors = tenant.collectors.iter();
    let is_it = |kind: &str| kind == collector(listing);
    let polled = collectors.find(|one| is_it(one.kind.collector().as_str()));
    let target = Target::Tenant(Arc::clone(&tenant.tenant));
    let kind = polled.unwrap().kind;
    let progress = Progress::default();
    let poll = collectors::poll(
        &clients,
        &target,
        kind,
        Earlier::default(),
        Timestamp::default(),
        &progress,
    );
    poll.await.outcome.unwrap_err()
}
