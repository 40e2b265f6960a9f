//! Faults that come and go while the exporter runs: what is kept, what is withdrawn, and when.

use std::sync::Arc;
use std::time::Duration;

use avepoint_exporter::app::{Exporter, Web};
use avepoint_exporter::config::Config;
use avepoint_exporter::domain::{Clock, Collector, TargetId, TenantId};
use avepoint_exporter::exposition::render;
use avepoint_exporter::simulator::{Fault, Listing, Rule, When, World};
use avepoint_exporter::snapshot::{CollectorSnapshot, Snapshot, Snapshots};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::figures::{self, Figures, shown};
use super::{failure, in_security, largest, options, pages, start};
use crate::support::{Exposition, config, poll, simulator};

/// The shortest interval that a config may ask for.
const FAST: &str = "collectors:
  security_users: { interval: 1s, stale_after: 10m }
  protected_users: { interval: 1s, stale_after: 20m }
";

/// Longer than any wait of these tests, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An exporter at work. It ends when this is dropped.
struct Running {
    snapshots: Snapshots,
    _shutdown: DropGuard,
}

impl Running {
    async fn start(config: &Config) -> Self {
        let exporter = Exporter::new(config, Clock::system()).unwrap();
        let snapshots = exporter.snapshots();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shutdown = CancellationToken::new();
        let web = Web {
            telemetry_path: "/metrics".to_owned(),
            max_requests: 4,
            reload: None,
            limits: avepoint_exporter::server::Limits::default(),
            lock: None,
        };
        tokio::spawn(exporter.run(vec![listener], web, Handle::current(), shutdown.clone()));
        Self {
            snapshots,
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// The next snapshot of this kind.
    async fn until(&mut self, is_it: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let wait = self.snapshots.wait_for(|snapshot| is_it(snapshot));
        let snapshot = tokio::time::timeout(PATIENCE, wait).await.unwrap().unwrap();
        Arc::clone(&snapshot)
    }
}

fn of(snapshot: &Snapshot, tenant: TenantId) -> &CollectorSnapshot {
    let mut targets = snapshot.targets.iter();
    let tenant = targets
        .find(|one| one.id() == TargetId::Tenant(tenant))
        .unwrap();
    tenant.collector(Collector::SecurityUsers).unwrap()
}

fn is_failing(collector: &CollectorSnapshot) -> bool {
    collector
        .last_poll
        .is_some_and(|poll| poll.failure.is_some())
}

fn read(snapshot: &Snapshot) -> Exposition {
    Exposition::read(&render(snapshot, Clock::system().now()))
}

#[tokio::test]
async fn a_first_poll_that_fails_on_its_third_page_publishes_nothing_of_the_first_two() {
    let mut simulator = start(&[]).await;
    let rule = in_security(
        largest(&simulator),
        Fault::Forbidden,
        When::first(1).after(2),
    );
    simulator = start(&[rule]).await;
    let exposition = poll(&config(&simulator, "", "")).await;
    let id = largest(&simulator).tenant_id;
    assert_eq!(shown(&exposition, id, Listing::Security), Figures::new());
    assert_eq!(
        failure(&exposition, id, Listing::Security).as_deref(),
        Some("forbidden")
    );
    let labels = [("collector", "security_users")];
    let rows = exposition.of(id, "avepoint_collector_last_rows", &labels);
    assert_eq!(rows, Some(200.0), "two pages were read");
    let since = "avepoint_collector_last_success_timestamp_seconds";
    assert_eq!(exposition.of(id, since, &labels), None);
    for name in ["avepoint_exposed_users", "avepoint_exposed_unlisted_users"] {
        assert_eq!(exposition.of(id, name, &[("status", "high_risk")]), None);
    }
    assert_eq!(
        shown(&exposition, id, Listing::Protected),
        figures::of(largest(&simulator), Listing::Protected)
    );
}

#[tokio::test]
async fn a_poll_that_fails_half_way_keeps_the_figures_before_it_and_the_next_one_renews_them() {
    let simulator = start(&[]).await;
    let tenant = largest(&simulator).clone();
    let id = tenant.tenant_id;
    let third_page = pages(&tenant, Listing::Security) + 2;
    let rule = in_security(&tenant, Fault::NotFound, When::first(1).after(third_page));
    // The world moves on, so that figures of another poll would be other figures.
    let mut options = options(simulator.world().clone(), &[rule]);
    options.evolve = Some(Duration::from_millis(50));
    let simulator = crate::support::simulator(options).await;
    // One page after another, so that it is known which of them fails.
    let slowly =
        "  rate_limit: { requests_per_second: 10000, burst: 1000, max_concurrent_requests: 1 }\n";
    let mut running = Running::start(&config(&simulator, slowly, FAST)).await;

    let good = running.until(|snapshot| of(snapshot, id).polls == 1).await;
    assert!(!is_failing(of(&good, id)));
    let before = of(&good, id).figures.clone().unwrap();

    let bad = running.until(|snapshot| is_failing(of(snapshot, id))).await;
    assert_eq!((of(&bad, id).polls, of(&bad, id).failed()), (2, 1));
    assert_eq!(of(&bad, id).last_poll.unwrap().rows, 200);
    let kept = of(&bad, id).figures.clone().unwrap();
    assert_eq!((kept.at, &kept.totals), (before.at, &before.totals));
    let exposition = read(&bad);
    assert_eq!(
        shown(&exposition, id, Listing::Security),
        shown(&read(&good), id, Listing::Security)
    );
    assert_eq!(
        failure(&exposition, id, Listing::Security).as_deref(),
        Some("not_found")
    );
    for other in simulator
        .world()
        .tenants()
        .iter()
        .filter(|other| other.tenant_id != id)
    {
        assert_eq!(
            failure(&exposition, other.tenant_id, Listing::Security),
            None
        );
    }

    let again = running.until(|snapshot| of(snapshot, id).polls == 3).await;
    assert!(of(&again, id).figures.as_ref().unwrap().at > before.at);
    assert_eq!(failure(&read(&again), id, Listing::Security), None);
    let labels = [("collector", "security_users")];
    let failures = read(&again).of(id, "avepoint_collector_failures_total", &labels);
    assert_eq!(failures, Some(1.0), "it stays counted");
}

#[tokio::test]
async fn figures_leave_when_they_are_stale_and_health_stays() {
    let simulator = start(&[]).await;
    let tenant = largest(&simulator).clone();
    let id = tenant.tenant_id;
    let second_poll = pages(&tenant, Listing::Security);
    let rule = in_security(
        &tenant,
        Fault::Unauthorized,
        When::always().after(second_poll),
    );
    let simulator = start(&[rule]).await;
    let mut running = Running::start(&config(&simulator, "", FAST)).await;
    let snapshot = running
        .until(|snapshot| is_failing(of(snapshot, id)) && snapshot.first_round_ended())
        .await;
    let stale_after = of(&snapshot, id).config.stale_after;
    let stale_at = of(&snapshot, id)
        .figures
        .as_ref()
        .unwrap()
        .at
        .after(stale_after);
    let just_before = of(&snapshot, id)
        .figures
        .as_ref()
        .unwrap()
        .at
        .after(stale_after.saturating_sub(Duration::from_nanos(1)));

    let fresh = Exposition::read(&render(&snapshot, just_before));
    assert_eq!(
        shown(&fresh, id, Listing::Security),
        figures::of(&tenant, Listing::Security)
    );
    let exposed = [("status", "high_risk")];
    assert!(fresh.of(id, "avepoint_exposed_users", &exposed).is_some());

    let stale = Exposition::read(&render(&snapshot, stale_at));
    assert_eq!(shown(&stale, id, Listing::Security), Figures::new());
    assert_eq!(
        stale.of(id, "avepoint_exposed_users", &exposed),
        None,
        "half of a join is stale"
    );
    assert_eq!(
        shown(&stale, id, Listing::Protected),
        figures::of(&tenant, Listing::Protected),
        "the other listing has an age of its own"
    );
    assert_eq!(
        failure(&stale, id, Listing::Security).as_deref(),
        Some("unauthorized")
    );
    let labels = [("collector", "security_users")];
    for name in [
        "avepoint_collector_last_success_timestamp_seconds",
        "avepoint_collector_last_rows",
        "avepoint_collector_next_poll_timestamp_seconds",
        "avepoint_collector_interval_seconds",
        "avepoint_collector_stale_after_seconds",
        "avepoint_collector_polls_total",
    ] {
        assert!(stale.of(id, name, &labels).is_some(), "{name}");
    }
    assert!(stale.of(id, "avepoint_tenant_info", &[]).is_some());
}

#[tokio::test]
async fn a_tenant_that_never_answers_does_not_hold_up_the_others() {
    let world = World::seeded(1, 4, 120);
    let id = world.tenants()[0].tenant_id;
    let rule = Rule::new(Fault::Hang, When::always().for_tenant(id));
    let simulator = simulator(options(world, &[rule])).await;
    let mut running = Running::start(&config(&simulator, "  timeout: 50s\n", FAST)).await;
    let polled_twice = |snapshot: &Snapshot| {
        let others = snapshot
            .targets
            .iter()
            .filter(|one| one.id() != TargetId::Tenant(id));
        others
            .flat_map(|one| &one.collectors)
            .all(|one| one.polls >= 2 && one.failed() == 0)
    };
    let snapshot = running.until(polled_twice).await;
    assert_eq!(
        of(&snapshot, id).polls,
        0,
        "its first poll is still under way"
    );
    let labels = [("collector", "security_users")];
    assert_eq!(
        read(&snapshot).of(id, "avepoint_collector_up", &labels),
        None
    );
}
