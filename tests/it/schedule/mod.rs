//! What is polled when, what is shown meanwhile, and when the exporter calls itself ready.

mod apis;
mod held;
mod life;
mod quarantine;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use avepoint_exporter::config::{
    CollectorKind, NoOptions, SecurityEndpoint, SecurityMode, SecurityOptions, StatusEncoding,
};
use avepoint_exporter::domain::{
    Clock, Collector, CustomerId, Reason, Target, TargetId, Tenant, TenantId, TenantSource,
    Timestamp, Unit,
};
use avepoint_exporter::exposition::Body;
use avepoint_exporter::server::{Pages, Sources};
use avepoint_exporter::simulator::{Fault, Listing, Moment, Options, Rule, When, World};
use avepoint_exporter::snapshot::{CollectorSnapshot, Snapshot, TargetSnapshot};
use avepoint_exporter::upstream::Stats;
use http::{Request, StatusCode};
use prometheus::Registry;
use tokio::sync::watch;

use self::held::Held;
use crate::exposition::snapshots::{last_poll, never};
use crate::support::{config, poll, simulator};

const SECURITY: usize = 0;
const PROTECTED: usize = 1;

#[tokio::test(start_paused = true)]
async fn the_first_round_is_polled_at_once() {
    let mut held = Held::start(Options::new(World::seeded(1, 5, 250)), "", "").await;
    let start = held.clock.now();
    held.until(|snapshot| snapshot.first_round_ended()).await;
    assert_eq!(held.clock.now(), start);
    assert!(held.exposition().contains("avepoint_exposed_users{"));
    for collector in held.snapshot().collectors() {
        let next = collector.next_poll.unwrap().since(start);
        let interval = collector.config.interval;
        assert!(
            next >= interval / 2 && next <= interval * 3 / 2,
            "the second poll comes after {next:?}"
        );
    }
}

#[tokio::test]
async fn where_there_is_room_for_few_polls_the_one_that_is_due_longest_comes_first() {
    let simulator = simulator(Options::new(World::seeded(8, 12, 20))).await;
    let one_at_once =
        "  rate_limit: { requests_per_second: 10000, burst: 1000, max_concurrent_requests: 1 }\n";
    poll(&config(&simulator, one_at_once, "")).await;
    let log = simulator.stats().log;
    let arrived = log.iter().filter(|(moment, ..)| *moment == Moment::Arrived);
    let listings: Vec<_> = arrived.map(|(_, listing, _)| *listing).collect();
    // Each is one page. The protected users were due as soon as their tenant's other listing was read.
    let expected = [[Listing::Security; 12], [Listing::Protected; 12]].concat();
    assert_eq!(listings, expected);
}

#[tokio::test]
async fn the_protected_listing_is_read_after_the_security_listing_ended_well_or_badly() {
    let world = World::seeded(2, 4, 700);
    let refused = world.tenants()[2].tenant_id;
    let cut_off = world.tenants()[3].tenant_id;
    let mut options = Options::new(world);
    let on_security = |tenant| When::always().for_tenant(tenant).on(Listing::Security);
    options.rules = vec![
        Rule::new(Fault::Forbidden, on_security(refused)),
        // Fails on its second page.
        Rule::new(Fault::NotJson, on_security(cut_off).after(1)),
    ];
    let simulator = simulator(options).await;
    let exposition = poll(&config(&simulator, "", "")).await;
    let log = simulator.stats().log;
    for tenant in simulator.world().tenants() {
        let id = tenant.tenant_id;
        let first = log
            .iter()
            .position(|entry| *entry == (Moment::Arrived, Listing::Protected, id))
            .unwrap();
        let last = log
            .iter()
            .rposition(|entry| *entry == (Moment::Ended, Listing::Security, id))
            .unwrap();
        assert!(last < first, "tenant {id}: {log:?}");
        assert!(exposition.of(id, "avepoint_backup_users", &[]).is_some());
        let exposed = exposition.of(id, "avepoint_exposed_users", &[("status", "high_risk")]);
        assert_eq!(exposed.is_some(), id != refused && id != cut_off);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_whose_listing_hangs_keeps_no_other_from_being_polled() {
    let world = World::seeded(3, 3, 100);
    let hanging = world.tenants()[0].tenant_id;
    let mut options = Options::new(world);
    options.rules = vec![Rule::new(
        Fault::Hang,
        When::always().for_tenant(hanging).on(Listing::Security),
    )];
    let mut held = Held::start(options, "", "").await;
    let is_hanging = |tenant: &TargetSnapshot| tenant.id() == TargetId::Tenant(hanging);
    held.until(|snapshot| {
        tenants(snapshot)
            .into_iter()
            .filter(|tenant| !is_hanging(tenant))
            .flat_map(|tenant| &tenant.collectors)
            .all(|collector| collector.figures.is_some())
    })
    .await;
    held.settle().await;
    let asked = held.upstream.stats().requests;
    assert_eq!(asked.get(&(Listing::Security, hanging)), Some(&1));
    assert_eq!(asked.get(&(Listing::Protected, hanging)), None);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_is_left_alone_until_its_next_poll_however_often_customers_are_discovered() {
    let mut options = Options::new(World::seeded(3, 1, 100));
    let when = When::first(1).on(Listing::Security);
    options.rules = vec![Rule::new(Fault::Throttle, when)];
    options.retry_after = Duration::from_hours(24);
    let sections = "discovery: { enabled: true, interval: 10s }\n";
    let mut held = Held::start(options, "", sections).await;
    held.until(|snapshot| snapshot.first_round_ended()).await;
    let asked = held.upstream.stats().total_requests();
    // The shortest interval of its own collectors is 5 minutes.
    held.pass(Duration::from_secs(200)).await;
    held.settle().await;
    let stats = held.upstream.stats();
    let of_tenant = [Listing::Security, Listing::Protected].map(|listing| {
        let mut requests = stats.requests.iter();
        requests
            .find(|((one, _), _)| *one == listing)
            .map(|(_, n)| *n)
    });
    assert_eq!(of_tenant, [Some(1), None]);
    assert!(stats.total_requests() > asked, "discovery goes on");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_to_be_left_alone_for_a_day_is_asked_again_when_its_next_poll_is_due() {
    let mut options = Options::new(World::seeded(3, 1, 100));
    options.rules = vec![Rule::new(Fault::Throttle, When::first(1))];
    options.retry_after = Duration::from_hours(24);
    let mut held = Held::start(options, "", "").await;
    held.until(|snapshot| snapshot.first_round_ended()).await;
    let failure = |collector: CollectorSnapshot| collector.last_poll.unwrap().failure;
    for place in [SECURITY, PROTECTED] {
        assert_eq!(failure(held.collector(place)), Some(Reason::Throttled));
    }
    assert_eq!(held.upstream.stats().total_requests(), 1);
    let first = held.collector(SECURITY).next_poll.unwrap();
    // The first slot may be nearer than an interval; the second is not.
    held.pass_until(first).await;
    held.until(|snapshot| tenants(snapshot)[0].collectors[SECURITY].polls == 2)
        .await;
    held.pass_until(held.collector(SECURITY).next_poll.unwrap())
        .await;
    held.until(|snapshot| tenants(snapshot)[0].collectors[SECURITY].polls == 3)
        .await;
    assert_eq!(failure(held.collector(SECURITY)), None);
}

#[tokio::test(start_paused = true)]
async fn an_hourly_listing_is_tried_again_within_minutes_after_the_token_service_refused_a_token() {
    let mut options = Options::new(World::seeded(3, 1, 100));
    let when = When::first(2).on(Listing::Token);
    options.rules = vec![Rule::new(Fault::BadRequest, when)];
    let hourly =
        "collectors:\n  security_users: { interval: 1h }\n  protected_users: { enabled: false }\n";
    let mut held = Held::start(options, "", hourly).await;
    for (polls, wait) in [(1, 1), (2, 2)] {
        held.until(|snapshot| snapshot.collectors().all(|one| one.polls == polls))
            .await;
        let collector = held.collector(SECURITY);
        let failure = collector.last_poll.unwrap().failure;
        assert_eq!(failure, Some(Reason::Credential));
        let next = collector.next_poll.unwrap();
        let waits = next.since(held.clock.now()).as_secs_f64();
        assert!(
            waits.round() <= f64::from(wait * 60),
            "poll {polls}: {waits} s"
        );
        held.pass_until(next).await;
    }
    held.until(|snapshot| snapshot.collectors().all(|one| one.polls == 3))
        .await;
    let collector = held.collector(SECURITY);
    assert_eq!(collector.last_poll.unwrap().failure, None);
    assert_eq!(collector.skipped, 0);
    let next = collector.next_poll.unwrap().since(held.clock.now());
    assert!(
        next > Duration::from_mins(29),
        "{next:?}: back to its slots"
    );
}

#[tokio::test(start_paused = true)]
async fn polls_that_take_longer_than_their_interval_never_overlap_and_leave_slots_out() {
    const INTERVAL: Duration = Duration::from_secs(30);
    let mut options = Options::new(World::seeded(4, 1, 10));
    options.latency = Duration::from_secs(100);
    let mut held = Held::start(
        options,
        "  timeout: 10m\n  retry_deadline: 20m\n",
        "collectors:\n  security_users: { interval: 30s }\n  protected_users: { enabled: false }\n",
    )
    .await;
    held.until_asked(|simulator| simulator.stats().token_requests == 1)
        .await;
    held.pass(Duration::from_millis(100_001)).await;
    let mut before: Option<(Timestamp, u64)> = None;
    for poll in 1..=4 {
        held.until_asked(|simulator| simulator.stats().total_requests() == poll)
            .await;
        // Three slots pass meanwhile.
        for _ in 0..4 {
            held.settle().await;
            held.pass(Duration::from_millis(25_001)).await;
        }
        held.until(|snapshot| snapshot.collectors().all(|one| one.polls == poll))
            .await;
        let collector = held.collector(SECURITY);
        let next = collector.next_poll.unwrap();
        assert!(next > held.clock.now());
        if let Some((due, skipped)) = before {
            assert_eq!(next.since(due), INTERVAL * 4);
            assert_eq!(collector.skipped - skipped, 3);
        }
        before = Some((next, collector.skipped));
        held.pass_until(next).await;
    }
    let log = held.upstream.stats().log;
    let moments: Vec<Moment> = log.iter().map(|(moment, ..)| *moment).collect();
    for pair in moments.chunks(2).take(4) {
        assert_eq!(pair, [Moment::Arrived, Moment::Ended]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_is_made_with_a_fresh_listing_only_and_comes_back_at_the_next_protected_poll() {
    let stale_after = Duration::from_secs(60);
    let mut options = Options::new(World::seeded(5, 1, 60));
    // The security listing is had once, then refused five times.
    options.rules = vec![Rule::new(
        Fault::BadRequest,
        When::first(5).after(1).on(Listing::Security),
    )];
    let mut held = Held::start(
        options,
        "",
        "collectors:\n  security_users: { interval: 60s, stale_after: 60s }\n  \
         protected_users: { interval: 60s, stale_after: 10m }\n",
    )
    .await;
    held.until(|snapshot| snapshot.first_round_ended()).await;
    assert!(is_shown(&held, "avepoint_exposed_users"));

    let mut joined = true;
    let mut seen = Vec::new();
    for _ in 0..20 {
        let start = held.next_poll().await;
        let now = held.clock.now();
        let read_at = held.collector(SECURITY).figures.unwrap().at;
        let is_fresh = now.since(read_at) < stale_after;
        if start == PROTECTED {
            joined = is_fresh;
        }
        assert_eq!(is_shown(&held, "avepoint_security_users"), is_fresh);
        assert!(is_shown(&held, "avepoint_backup_users"));
        assert_eq!(
            is_shown(&held, "avepoint_exposed_users"),
            is_fresh && joined
        );
        seen.push((is_fresh, joined));
    }
    seen.dedup();
    let stale = (false, false);
    let recovered = (true, false);
    let whole = (true, true);
    assert!(
        seen.ends_with(&[stale, recovered, whole]),
        "the test saw only {seen:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn figures_that_cannot_be_read_again_stay_until_they_are_stale_and_their_join_with_them() {
    let mut options = Options::new(World::seeded(6, 1, 60));
    options.rules = vec![Rule::new(
        Fault::Forbidden,
        When::always().after(1).on(Listing::Protected),
    )];
    let mut held = Held::start(
        options,
        "",
        "collectors:\n  security_users: { interval: 60s }\n  \
         protected_users: { interval: 60s, stale_after: 150s }\n",
    )
    .await;
    held.until(|snapshot| snapshot.first_round_ended()).await;
    let read_at = held.collector(PROTECTED).figures.unwrap().at;
    let stale_at = read_at.after(Duration::from_secs(150));
    while held.snapshot().collectors().all(|one| one.polls < 3) {
        held.next_poll().await;
    }
    let failure = held.collector(PROTECTED).last_poll.unwrap().failure;
    assert_eq!(failure, Some(Reason::Forbidden));

    assert!(held.clock.now() < stale_at);
    assert!(is_shown(&held, "avepoint_backup_users"));
    assert!(is_shown(&held, "avepoint_exposed_users"));
    held.pass_until(stale_at).await;
    assert!(!is_shown(&held, "avepoint_backup_users"));
    assert!(!is_shown(&held, "avepoint_exposed_users"));
    assert!(is_shown(&held, "avepoint_security_users"));
    assert!(is_shown(&held, "avepoint_collector_failing"));
}

#[tokio::test(start_paused = true)]
async fn users_missing_in_the_backup_are_shown_while_the_listing_that_names_them_is_fresh() {
    let mut options = Options::new(World::seeded(6, 1, 60));
    options.rules = vec![Rule::new(
        Fault::Forbidden,
        When::always().after(1).on(Listing::Directory),
    )];
    let mut held = Held::start(
        options,
        "",
        "collectors:\n  security_users: { enabled: false }\n  \
         directory: { enabled: true, interval: 60s, stale_after: 150s }\n  \
         protected_users: { interval: 60s, stale_after: 10m }\n",
    )
    .await;
    held.until(|snapshot| snapshot.first_round_ended()).await;
    let tenant = tenants(&held.snapshot())[0].clone();
    let directory = tenant.collector(Collector::Directory).unwrap();
    let read_at = directory.figures.as_ref().unwrap().at;
    let stale_at = read_at.after(Duration::from_secs(150));
    while held.snapshot().collectors().any(|one| one.polls < 2) {
        held.next_poll().await;
    }
    assert!(held.clock.now() < stale_at);
    assert!(is_shown(&held, "avepoint_backup_missing_users"));
    assert!(is_shown(&held, "avepoint_collector_failing"));
    held.pass_until(stale_at).await;
    // The polls of the protected users after this match against nothing.
    for _ in 0..4 {
        assert!(!is_shown(&held, "avepoint_backup_missing_users"));
        assert!(!is_shown(&held, "avepoint_directory_users"));
        assert!(is_shown(&held, "avepoint_backup_users"));
        held.next_poll().await;
    }
}

/// The tenants that are polled.
fn tenants(snapshot: &Snapshot) -> Vec<&TargetSnapshot> {
    snapshot.polled(Unit::Tenant).map(|one| &**one).collect()
}

fn is_shown(held: &Held, name: &str) -> bool {
    held.exposition().contains(&format!("\n{name}{{"))
}

/// A fleet of one tenant whose collectors were polled, badly, or not yet.
fn fleet(polled: [bool; 2]) -> Arc<Snapshot> {
    let kinds = [
        CollectorKind::SecurityUsers(SecurityOptions {
            endpoint: SecurityEndpoint::V3,
            encoding: StatusEncoding::Codes,
            mode: SecurityMode::Scan {
                exclude_test_users: false,
            },
        }),
        CollectorKind::ProtectedUsers(NoOptions),
    ];
    let collectors = kinds
        .into_iter()
        .zip(polled)
        .map(|(kind, polled)| CollectorSnapshot {
            polls: u64::from(polled),
            last_poll: polled.then(|| last_poll(0.0, 0, Some(Reason::Connection))),
            ..never(kind)
        });
    let tenant = Tenant {
        customer_id: CustomerId::from_bits(1),
        tenant_id: TenantId::from_bits(2),
        customer_name: None,
        tenant_name: None,
        labels: BTreeMap::new(),
        source: TenantSource::Config,
    };
    Arc::new(Snapshot {
        targets: vec![Arc::new(TargetSnapshot {
            target: Target::Tenant(Arc::new(tenant)),
            collectors: collectors.collect(),
        })],
        ..Snapshot::default()
    })
}

/// Pages over a snapshot and a clock, in seconds, that the test sets.
struct Readiness {
    pages: Pages,
    shown: watch::Sender<Body>,
    seconds: Arc<AtomicU64>,
}

impl Readiness {
    fn new() -> Self {
        let (shown, tenants) = watch::channel(Body::default());
        let seconds = Arc::new(AtomicU64::new(1000));
        let now = Arc::clone(&seconds);
        let sources = Sources {
            tenants,
            snapshots: watch::channel(Arc::default()).1,
            storage: watch::channel(None).1,
            upstream: Stats::register(&Registry::new()).unwrap(),
            config: watch::channel(Arc::default()).1,
            read_at: watch::channel(Timestamp::default()).1,
            registry: Registry::new(),
            clock: Clock::from_fn(move || {
                Timestamp::from_unix(Duration::from_secs(now.load(Ordering::Relaxed)))
            }),
            reload: None,
            demand: None,
        };
        Self {
            pages: Pages::new(sources, "/metrics".to_owned(), 1).unwrap(),
            shown,
            seconds,
        }
    }

    async fn check(&self, polled: [bool; 2], seconds: u64, ready: bool) {
        self.seconds.store(seconds, Ordering::Relaxed);
        let now = Timestamp::from_unix(Duration::from_secs(seconds));
        self.shown.send_replace(Body::new(&fleet(polled), now));
        let request = Request::get("/-/ready").body(()).unwrap();
        let expected = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let answer = self.pages.answer(request).await;
        assert_eq!(answer.status(), expected, "at {seconds}");
    }
}

#[tokio::test]
async fn the_exporter_is_ready_once_each_poll_was_tried_however_badly_and_stays_so() {
    let readiness = Readiness::new();
    readiness.check([false, false], 1000, false).await;
    readiness.check([true, false], 1001, false).await;
    readiness.check([true, true], 1002, true).await;
    readiness.check([false, true], 1003, true).await;
}

#[tokio::test]
async fn the_exporter_is_ready_after_two_minutes_whatever_hangs_and_stays_so() {
    let readiness = Readiness::new();
    readiness.check([true, false], 1119, false).await;
    readiness.check([true, false], 1120, true).await;
    readiness.check([true, false], 1000, true).await;
}
