//! What is polled less and less often since the API refuses it, and what ends that.

use std::fs;
use std::path::Path;
use std::time::Duration;

use avepoint_exporter::domain::{Collector, Reason, TargetId, Timestamp};
use avepoint_exporter::server::Reload;
use avepoint_exporter::simulator::{Fault, Listing, Options, Rule, When, World};
use avepoint_exporter::snapshot::CollectorSnapshot;

use super::held::{Held, Time};
use super::{SECURITY, tenants};
use crate::support::{Exposition, config_text, simulator};

const MINUTE: Duration = Duration::from_secs(60);

const SECURITY_ONLY: &str =
    "collectors:\n  security_users: { interval: 60s }\n  protected_users: { enabled: false }\n";

/// An exporter that reads one listing of several pages, and one that is refused like this.
async fn refused(rules: Vec<Rule>) -> Held {
    let mut options = Options::new(World::seeded(1, 1, 700));
    options.rules = rules;
    let mut held = Held::start(options, "", SECURITY_ONLY).await;
    held.until(|snapshot| snapshot.first_round_ended()).await;
    held
}

/// How often the listing was asked for.
fn requests(held: &Held) -> u64 {
    let tenant = held.upstream.world().tenants()[0].tenant_id;
    held.upstream.stats().requests[&(Listing::Security, tenant)]
}

/// Waits for the next poll, and says how many intervals after it the one after it is planned.
async fn next_distance(held: &mut Held) -> u32 {
    let due = held.collector(SECURITY).next_poll.unwrap();
    held.next_poll().await;
    let next = held.collector(SECURITY).next_poll.unwrap();
    let distance = next.since(due);
    let intervals = u32::try_from(distance.as_secs() / 60).unwrap();
    assert_eq!(distance, MINUTE * intervals, "it keeps its slots");
    intervals
}

fn is_quarantined(held: &Held) -> bool {
    let labels = [("collector", "security_users")];
    let shown = Exposition::read(&held.exposition());
    let shown = shown
        .get("avepoint_collector_quarantined", &labels)
        .unwrap()
        > 0.0;
    assert_eq!(held.collector(SECURITY).quarantined, shown);
    shown
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_refused_is_asked_for_less_and_less_often_by_one_request_each_time() {
    let rule = |fault, when: When| Rule::new(fault, when.on(Listing::Security));
    let mut held = refused(vec![
        rule(Fault::Forbidden, When::first(4)),
        rule(Fault::NotFound, When::first(3).after(4)),
    ])
    .await;
    assert!(!is_quarantined(&held), "once may be a mishap");
    for (polls, distance) in [(2, 2), (3, 4), (4, 8), (5, 16), (6, 16), (7, 16)] {
        assert_eq!(next_distance(&mut held).await, distance);
        assert!(is_quarantined(&held));
        assert_eq!(
            (held.collector(SECURITY).polls, requests(&held)),
            (polls, polls)
        );
    }

    assert_eq!(
        next_distance(&mut held).await,
        1,
        "the first success ends it"
    );
    assert!(!is_quarantined(&held));
    assert!(requests(&held) > 8, "the whole listing was read");
    let collector = held.collector(SECURITY);
    assert_eq!((collector.polls, collector.failed()), (8, 7));
    assert_eq!(collector.skipped, 0, "what was left out was meant to be");
    let last = collector.last_failure.unwrap();
    assert_eq!(last.reason, Reason::NotFound);
    assert!(
        last.message.contains("no such customer or tenant"),
        "{}",
        last.message
    );
    assert_eq!(next_distance(&mut held).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_another_kind_keeps_the_distance() {
    let rule = |fault, when: When| Rule::new(fault, when.on(Listing::Security));
    let mut held = refused(vec![
        rule(Fault::Forbidden, When::first(3)),
        rule(Fault::BadRequest, When::first(2).after(3)),
        rule(Fault::Forbidden, When::first(1).after(5)),
    ])
    .await;
    for distance in [2, 4, 4, 4, 8] {
        assert_eq!(next_distance(&mut held).await, distance);
        assert!(is_quarantined(&held));
    }
    assert_eq!(next_distance(&mut held).await, 1);
}

#[tokio::test(start_paused = true)]
async fn failures_of_another_kind_alone_put_nobody_in_quarantine() {
    let rule = Rule::new(Fault::BadRequest, When::always().on(Listing::Security));
    let mut held = refused(vec![rule]).await;
    for _ in 0..4 {
        assert_eq!(next_distance(&mut held).await, 1);
        assert!(!is_quarantined(&held));
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_listing_that_is_refused_is_in_quarantine() {
    let world = World::seeded(2, 3, 20);
    let refused = world.tenants()[0].tenant_id;
    let mut options = Options::new(world);
    options.rules = vec![Rule::new(
        Fault::Forbidden,
        When::always().for_tenant(refused).on(Listing::Security),
    )];
    let sections =
        "collectors:\n  security_users: { interval: 60s }\n  protected_users: { interval: 60s }\n";
    let mut held = Held::start(options, "", sections).await;
    held.until(|snapshot| snapshot.first_round_ended()).await;
    let polls = 8;
    for poll in 2..=polls {
        // All but the first, which is refused.
        let snapshot = held.snapshot();
        let others = snapshot.collectors().skip(1);
        held.pass_until(others.filter_map(|one| one.next_poll).max().unwrap())
            .await;
        held.until(|snapshot| snapshot.collectors().skip(1).all(|one| one.polls >= poll))
            .await;
    }
    let snapshot = held.snapshot();
    for tenant in tenants(&snapshot) {
        for collector in &tenant.collectors {
            let is_refused = tenant.id() == TargetId::Tenant(refused)
                && collector.config.kind.collector() == Collector::SecurityUsers;
            assert_eq!(collector.quarantined, is_refused);
            assert_eq!(collector.polls < polls, is_refused, "{}", collector.polls);
        }
    }
}

/// An exporter whose configuration is in this file, in quarantine at a distance of eight intervals.
async fn in_quarantine(path: &Path) -> (Held, Reload) {
    let time = Time::hold();
    let mut options = Options::new(World::seeded(1, 1, 20));
    options.clock = time.clock();
    options.token_lifetime = Duration::from_secs(24 * 3600);
    options.rules = vec![Rule::new(
        Fault::Forbidden,
        When::always().on(Listing::Security),
    )];
    let simulator = simulator(options).await;
    fs::write(path, config_text(&simulator, "", SECURITY_ONLY)).unwrap();
    let (mut held, reload) = Held::from_file(time, simulator, path);
    held.until(|snapshot| snapshot.first_round_ended()).await;
    for distance in [2, 4, 8] {
        assert_eq!(next_distance(&mut held).await, distance);
    }
    (held, reload)
}

/// Puts another text in force, and waits until what is published comes of it.
async fn put_in_force(
    held: &mut Held,
    reload: &Reload,
    path: &Path,
    (from, to): (&str, &str),
) -> CollectorSnapshot {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from));
    fs::write(path, text.replace(from, to)).unwrap();
    let before = held.snapshot();
    reload.ask().await.unwrap();
    held.until(|now| !std::sync::Arc::ptr_eq(now, &before))
        .await;
    held.collector(SECURITY)
}

fn within_an_interval(held: &Held, next: Option<Timestamp>) -> bool {
    let next = next.unwrap();
    next > held.clock.now() && next.since(held.clock.now()) <= MINUTE
}

#[tokio::test(start_paused = true)]
async fn whoever_reloads_has_a_quarantined_listing_tried_at_its_next_slot_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let (mut held, reload) = in_quarantine(&path).await;
    // Nothing that concerns it, and nothing at all the second time: somebody granted a permission.
    let stale_after = ("interval: 60s", "interval: 60s, stale_after: 1h");
    for change in [stale_after, ("60s", "60s")] {
        let after = put_in_force(&mut held, &reload, &path, change).await;
        assert_eq!(after.config.stale_after, MINUTE * 60);
        assert!(!after.quarantined);
        assert!(within_an_interval(&held, after.next_poll));
        assert_eq!(next_distance(&mut held).await, 2, "it is refused still");
        assert!(is_quarantined(&held));
    }
}

#[tokio::test(start_paused = true)]
async fn another_client_tries_a_quarantined_listing_at_its_next_slot_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let (mut held, reload) = in_quarantine(&path).await;
    let before = held.collector(SECURITY).next_poll;
    assert!(!within_an_interval(&held, before));
    let client = ("  client_id:", "  timeout: 29s\n  client_id:");
    let after = put_in_force(&mut held, &reload, &path, client).await;
    assert!(!after.quarantined);
    assert!(within_an_interval(&held, after.next_poll));
    assert_eq!(next_distance(&mut held).await, 2, "it is refused still");
    assert!(is_quarantined(&held));
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_read_in_another_way_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let (mut held, reload) = in_quarantine(&path).await;
    let mode = ("interval: 60s", "interval: 60s, exclude_test_users: true");
    let after = put_in_force(&mut held, &reload, &path, mode).await;
    assert!(!after.quarantined && after.last_failure.is_none());
    held.until(|now| now.collectors().all(|one| one.polls == 5))
        .await;
    assert!(!is_quarantined(&held));
    assert_eq!(next_distance(&mut held).await, 2);
}
