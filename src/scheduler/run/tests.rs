//! Ends of polls and what follows, with tasks that only pretend to poll.

use std::path::Path;

use super::*;
use crate::collectors::{Found, Totals, security_users};
use crate::config::Source;
use crate::domain::TenantId;
use crate::upstream::ListingSize;

const CONFIG: &str = "
elements: { client_id: a, client_secret: b }
tenants:
  - { customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-000000000002 }
  - { customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-000000000003 }
";

const FIRST: TargetId = TargetId::Tenant(TenantId::from_bits(2));
const SECOND: TargetId = TargetId::Tenant(TenantId::from_bits(3));

/// A scheduler for two tenants.
fn scheduler(clock: &Clock) -> (Scheduler, Snapshots) {
    scheduler_of(CONFIG, clock)
}

fn scheduler_of(text: &str, clock: &Clock) -> (Scheduler, Snapshots) {
    let source = Source {
        name: "test.yaml",
        base_dir: Path::new("."),
        env: &|_| None,
        now: Timestamp::default(),
    };
    let config = Config::parse(text, &source).unwrap();
    let registry = Registry::new();
    let stats = Stats::register(&registry).unwrap();
    let clients = Clients::of_elements(&config.elements, &stats, clock);
    let (_, changes) = watch::channel(Arc::new(InForce {
        config,
        clients,
        reloads: 0,
    }));
    Scheduler::new(changes, &Saved::default(), stats, clock.clone(), &registry).unwrap()
}

fn state(scheduler: &mut Scheduler, target: TargetId, collector: Collector) -> &mut State {
    let watched = scheduler.roster.get_mut(target).unwrap();
    &mut watched.of(collector).unwrap().1.state
}

/// Lets a task take the part of a poll of a tenant's security users.
fn pretend(
    scheduler: &mut Scheduler,
    target: TargetId,
    due: Timestamp,
    poll: fn() -> (Polled, Duration),
) {
    let collector = Collector::SecurityUsers;
    *state(scheduler, target, collector) = State::Running { due };
    let task = scheduler.running.spawn(async move { poll() });
    let poll = RunningPoll {
        target,
        collector,
        span: Span::none(),
        task,
    };
    scheduler.running_polls.insert(poll.task.id(), poll);
}

fn panics() -> (Polled, Duration) {
    panic!("a fault of ours, on purpose")
}

fn succeeds() -> (Polled, Duration) {
    let found = security_users::Figures {
        users: 1,
        by_status: std::collections::BTreeMap::new(),
    };
    let polled = Polled {
        size: ListingSize {
            rows: 1,
            pages: 1,
            unreadable_dates: 0,
        },
        outcome: Ok(Found {
            figures: Totals::SecurityUsers(found),
            users: None,
        }),
    };
    (polled, Duration::ZERO)
}

#[tokio::test]
async fn discovery_starts_even_where_other_listings_take_all_the_room() {
    let now = Timestamp::from_unix(Duration::from_secs(1_790_000_000));
    let clock = Clock::from_fn(move || now);
    let text = CONFIG.replace("b }", "b, rate_limit: { max_concurrent_requests: 1 } }");
    let (mut scheduler, _) = scheduler_of(&format!("{text}discovery: {{ enabled: true }}"), &clock);
    // Room for two listings: both are taken, and more are due.
    for target in [FIRST, SECOND] {
        pretend(&mut scheduler, target, now, succeeds);
    }
    scheduler.start_what_is_due();
    assert!(
        scheduler
            .roster
            .runs(TargetId::Partner, Collector::Customers)
    );
    assert_eq!(scheduler.running_polls.len(), 3);
    // Nor does it take a place from them.
    let ended = scheduler
        .running_polls
        .iter()
        .find(|(_, poll)| poll.target == FIRST);
    let ended = *ended.unwrap().0;
    scheduler.running_polls.remove(&ended);
    *state(&mut scheduler, FIRST, Collector::SecurityUsers) = State::Due(now);
    scheduler.start_what_is_due();
    assert_eq!(scheduler.running_polls.len(), 3);
}

#[tokio::test]
async fn what_a_listing_needs_is_told_by_its_last_success_and_not_by_a_failure_on_its_first_page() {
    let now = Timestamp::from_unix(Duration::from_secs(1_790_000_000));
    let clock = Clock::from_fn(move || now);
    let (mut scheduler, snapshots) = scheduler(&clock);
    for poll in [succeeds, panics] {
        pretend(&mut scheduler, FIRST, now, poll);
        let ended = scheduler.running.join_next_with_id().await.unwrap();
        scheduler.end(ended, false);
        let figures = snapshots.borrow().targets[0].collectors[0].figures.clone();
        assert_eq!(figures.unwrap().pages, 1);
    }
    assert_eq!(snapshots.borrow().targets[0].collectors[0].failed(), 1);
    // Those who waited are due, and say so.
    assert_eq!(
        snapshots.borrow().targets[0].collectors[1].next_poll,
        Some(now)
    );
}

#[tokio::test]
async fn a_panic_in_one_poll_fails_that_poll_and_no_other() {
    let now = Timestamp::from_unix(Duration::from_secs(1_790_000_000));
    let clock = Clock::from_fn(move || now);
    let (mut scheduler, snapshots) = scheduler(&clock);
    pretend(&mut scheduler, FIRST, now, panics);
    pretend(&mut scheduler, SECOND, now, succeeds);
    while let Some(ended) = scheduler.running.join_next_with_id().await {
        scheduler.end(ended, false);
    }

    let snapshot = Arc::clone(&snapshots.borrow());
    let failed = &snapshot.targets[0].collectors[0];
    assert_eq!((failed.polls, failed.failed()), (1, 1));
    assert_eq!(failed.last_poll.unwrap().failure, Some(Reason::Internal));
    assert!(failed.figures.is_none());
    let internal = scheduler
        .poll_failures
        .with_label_values(&["security_users", "internal"]);
    assert_eq!(internal.get(), 1);
    let other = &snapshot.targets[1].collectors[0];
    assert_eq!((other.polls, other.failed()), (1, 0));
    assert_eq!(
        snapshot.targets[1]
            .fresh::<security_users::SecurityUsers>(now)
            .unwrap()
            .users,
        1
    );

    // Both are planned again, and those who waited for them are due.
    for tenant in [FIRST, SECOND] {
        let security = *state(&mut scheduler, tenant, Collector::SecurityUsers);
        assert!(security.due().unwrap() > now);
        let protected = *state(&mut scheduler, tenant, Collector::ProtectedUsers);
        assert_eq!(protected, State::Due(now));
    }
}
