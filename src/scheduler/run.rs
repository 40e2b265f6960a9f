//! The loop that starts polls and publishes what they found.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntCounterVec, Registry, opts};
use tokio::sync::watch;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::collectors::{self, Polled, References};
use crate::config::{CollectorKind, Config, RateLimit};
use crate::domain::{Clock, Collector, Reason, Timestamp};
use crate::snapshot::{Figures, Snapshot, Snapshots};
use crate::upstream::{Clients, Stats};

use super::jobs::{self, Job, State};
use super::outcome::{Found, conclude};
use super::slots::After;

/// Listings that are read at once, for each request that may be under way. Above one, so that a listing
/// that waits for its next try leaves no slot of the rate limiter unused; not much above, since each
/// listing that is being read holds a key for each of its rows.
const LISTINGS_PER_REQUEST: usize = 2;

/// The longest sleep between two looks at the clock, should it be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Decides what is polled when, and publishes what is found.
#[derive(Debug)]
pub struct Scheduler {
    clients: Clients,
    clock: Clock,
    published: watch::Sender<Arc<Snapshot>>,
    snapshot: Snapshot,
    jobs: Vec<Job>,
    /// The users of each tenant's listings that the protected users are matched against, by place in the snapshot.
    references: Vec<References>,
    running: JoinSet<(Polled, Duration)>,
    /// The places of the jobs whose polls run, and what log lines say of them.
    running_jobs: HashMap<task::Id, (usize, Span)>,
    most_running: usize,
    poll_failures: IntCounterVec,
    rate_limit: RateLimit,
    stats: Stats,
}

impl Scheduler {
    /// Plans the polls of these tenants: the first round at once. Nothing runs yet.
    ///
    /// # Errors
    /// When the registry holds the scheduler's counter already.
    pub fn new(
        config: &Config,
        clients: Clients,
        stats: Stats,
        clock: Clock,
        registry: &Registry,
    ) -> prometheus::Result<(Self, Snapshots)> {
        let poll_failures = IntCounterVec::new(
            opts!(
                "avepoint_poll_failures_total",
                "Polls of all tenants that failed."
            ),
            &["collector", "reason"],
        )?;
        registry.register(Box::new(poll_failures.clone()))?;
        for collector in Collector::ALL {
            for reason in Reason::ALL {
                poll_failures.with_label_values(&[collector.as_str(), reason.as_str()]);
            }
        }
        let jobs = jobs::plan(config, clock.now());
        let mut snapshot = Snapshot::new(config);
        for job in &jobs {
            if let Some(tenant) = snapshot.tenants.get_mut(job.tenant).map(Arc::make_mut)
                && let Some(collector) = tenant.collectors.get_mut(job.collector)
            {
                collector.next_poll = job.state.due();
            }
        }
        let (published, snapshots) = watch::channel(Arc::new(snapshot.clone()));
        let scheduler = Self {
            clients,
            clock,
            published,
            jobs,
            references: vec![References::new(); snapshot.tenants.len()],
            snapshot,
            running: JoinSet::new(),
            running_jobs: HashMap::new(),
            most_running: config
                .elements
                .rate_limit
                .max_concurrent_requests
                .saturating_mul(LISTINGS_PER_REQUEST),
            poll_failures,
            rate_limit: config.elements.rate_limit,
            stats,
        };
        Ok((scheduler, snapshots))
    }

    /// Polls until the shutdown; polls that are under way then are cancelled and count nowhere.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let sleep = self.start_due_polls();
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(ended) = self.running.join_next_with_id() => self.end(ended, |after| State::Due(after.next)),
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Polls everything once. Returns how many polls failed.
    pub async fn run_once(mut self) -> u64 {
        loop {
            self.start_due_polls();
            match self.running.join_next_with_id().await {
                Some(ended) => self.end(ended, |_| State::Done),
                None => {
                    return self
                        .snapshot
                        .collectors()
                        .map(|collector| collector.failures)
                        .sum();
                }
            }
        }
    }

    /// Starts what is due, the longest due first, as far as there is room. Returns how long to sleep until
    /// there is something to start, should nothing end before.
    fn start_due_polls(&mut self) -> Duration {
        let now = self.clock.now();
        let mut waiting: Vec<(Timestamp, usize)> = Vec::new();
        for (place, job) in self.jobs.iter_mut().enumerate() {
            if let State::Due(due) = &mut job.state {
                // Further ahead than any slot: planned before the clock was set back.
                *due = (*due).min(job.slots.furthest(now));
                waiting.push((*due, place));
            }
        }
        waiting.sort_unstable();
        let (due, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(due, _)| *due <= now);
        let room = self.most_running.saturating_sub(self.running.len());
        for (due, place) in due.into_iter().take(room) {
            self.start(place, due);
        }
        // When there is no room, the next look comes with the end of a poll.
        later
            .first()
            .map_or(LONGEST_SLEEP, |(due, _)| due.since(now).min(LONGEST_SLEEP))
    }

    fn start(&mut self, place: usize, due: Timestamp) {
        let Some(job) = self.jobs.get_mut(place) else {
            return;
        };
        job.state = State::Running { due };
        let Some(snapshot) = self.snapshot.tenants.get(job.tenant) else {
            return;
        };
        let tenant = Arc::clone(&snapshot.tenant);
        let kind = job.kind;
        let now = self.clock.now();
        let mut references = References::new();
        if kind == CollectorKind::ProtectedUsers
            && let Some(all) = self.references.get(job.tenant)
        {
            references.clone_from(all);
            // A stale listing is not matched against: its join would not be shown now, and must not be later.
            references.retain(|collector, _| {
                let listing = snapshot.collector(*collector);
                listing.is_some_and(|listing| listing.fresh(now).is_some())
            });
        }
        let clients = self.clients.clone();
        // At the gravest level, so that it is there whatever lines are written.
        let span = tracing::error_span!(
            "poll",
            tenant_id = %tenant.tenant_id,
            tenant_name = &*tenant.tenant_name(),
            collector = kind.collector().as_str(),
        );
        let poll = async move {
            let start = Instant::now();
            let polled = collectors::poll(&clients, &tenant, kind, references).await;
            (polled, start.elapsed())
        };
        let poll = self.running.spawn(poll.instrument(span.clone()));
        self.running_jobs.insert(poll.id(), (place, span));
    }

    /// Takes in what a poll found, plans what comes next, and publishes.
    fn end(
        &mut self,
        ended: Result<(task::Id, (Polled, Duration)), JoinError>,
        then: fn(After) -> State,
    ) {
        let (id, ended) = match ended {
            Ok((id, polled)) => (id, Ok(polled)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some((place, span)) = self.running_jobs.remove(&id) else {
            return;
        };
        let Some(job) = self.jobs.get_mut(place) else {
            return;
        };
        let State::Running { due } = job.state else {
            return;
        };
        let Some(tenant) = self.snapshot.tenants.get_mut(job.tenant).map(Arc::make_mut) else {
            return;
        };
        let Some(collector) = tenant.collectors.get_mut(job.collector) else {
            return;
        };
        let now = self.clock.now();
        let after = job.slots.after(due, now);
        job.state = then(after);

        let _in_span = span.enter();
        let was_failing = collector
            .last_poll
            .is_some_and(|poll| poll.failure.is_some());
        let (last_poll, found) = conclude(ended, was_failing);
        collector.next_poll = job.state.due();
        collector.polls += 1;
        collector.skipped += after.skipped;
        if let Some(reason) = last_poll.failure {
            collector.failures += 1;
            self.poll_failures
                .with_label_values(&[job.kind.collector().as_str(), reason.as_str()])
                .inc();
        }
        collector.last_poll = Some(last_poll);
        if let Some(Found {
            totals,
            users,
            pages,
        }) = found
        {
            collector.figures = Some(Figures {
                at: now,
                pages,
                totals: Arc::new(totals),
            });
            if let (Some(users), Some(all)) = (users, self.references.get_mut(job.tenant)) {
                all.insert(job.kind.collector(), users);
            }
        }
        let tenant = job.tenant;
        self.start_those_who_waited(tenant, now);
        self.publish();
    }

    /// After the tenant's other listings were read, well or badly, the protected users are due.
    fn start_those_who_waited(&mut self, tenant: usize, now: Timestamp) {
        let Some(snapshot) = self.snapshot.tenants.get_mut(tenant).map(Arc::make_mut) else {
            return;
        };
        let collectors = &mut snapshot.collectors;
        let waits = |job: &Job| job.tenant == tenant && job.state == State::WaitsForOthers;
        let all_others_were_polled = self
            .jobs
            .iter()
            .filter(|job| job.tenant == tenant && !waits(job))
            .all(|job| {
                collectors
                    .get(job.collector)
                    .is_some_and(|one| one.last_poll.is_some())
            });
        if !all_others_were_polled {
            return;
        }
        for job in self.jobs.iter_mut().filter(|job| waits(job)) {
            job.state = State::Due(now);
            if let Some(collector) = collectors.get_mut(job.collector) {
                collector.next_poll = job.state.due();
            }
        }
    }

    fn publish(&mut self) {
        // By the last poll that succeeded: one that failed may have ended at its first page. A listing that was
        // never read takes one request at least.
        let rates = self.snapshot.collectors().map(|collector| {
            let pages = collector
                .figures
                .as_ref()
                .map_or(1, |figures| figures.pages);
            pages as f64 / collector.config.interval.as_secs_f64()
        });
        self.stats.forecast(rates.sum(), self.rate_limit);
        self.published.send_replace(Arc::new(self.snapshot.clone()));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::collectors::{SecurityUsers, Totals};
    use crate::config::Source;
    use crate::upstream::Client;
    use crate::upstream::ListingSize;

    const CONFIG: &str = "
elements: { client_id: a, client_secret: b }
tenants:
  - { customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-000000000002 }
  - { customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-000000000003 }
";

    /// A scheduler for two tenants. Its jobs are theirs: 0 and 1 of the first, 2 and 3 of the second.
    fn scheduler(clock: &Clock) -> (Scheduler, Snapshots) {
        let source = Source {
            name: "test.yaml",
            base_dir: Path::new("."),
            env: &|_| None,
        };
        let config = Config::parse(CONFIG, &source).unwrap();
        let registry = Registry::new();
        let stats = Stats::register(&registry).unwrap();
        let elements = Client::new(&config.elements, &["a"], &stats, clock).unwrap();
        let clients = Clients {
            elements,
            partner_center: None,
        };
        Scheduler::new(&config, clients, stats, clock.clone(), &registry).unwrap()
    }

    /// Lets a task take the part of a job's poll.
    fn pretend(
        scheduler: &mut Scheduler,
        place: usize,
        due: Timestamp,
        poll: fn() -> (Polled, Duration),
    ) {
        scheduler.jobs[place].state = State::Running { due };
        let poll = scheduler.running.spawn(async move { poll() });
        let span = Span::none();
        scheduler.running_jobs.insert(poll.id(), (place, span));
    }

    fn panics() -> (Polled, Duration) {
        panic!("a fault of ours, on purpose")
    }

    fn succeeds() -> (Polled, Duration) {
        let found = SecurityUsers {
            users: 1,
            by_status: std::collections::BTreeMap::new(),
        };
        let polled = Polled {
            size: ListingSize { rows: 1, pages: 1 },
            outcome: Ok((Totals::SecurityUsers(found), None)),
        };
        (polled, Duration::ZERO)
    }

    #[tokio::test]
    async fn what_a_listing_needs_is_told_by_its_last_success_and_not_by_a_failure_on_its_first_page()
     {
        let now = Timestamp::from_unix(Duration::from_secs(1_790_000_000));
        let clock = Clock::from_fn(move || now);
        let (mut scheduler, snapshots) = scheduler(&clock);
        for poll in [succeeds, panics] {
            pretend(&mut scheduler, 0, now, poll);
            let ended = scheduler.running.join_next_with_id().await.unwrap();
            scheduler.end(ended, |after| State::Due(after.next));
            let figures = snapshots.borrow().tenants[0].collectors[0].figures.clone();
            assert_eq!(figures.unwrap().pages, 1);
        }
        assert_eq!(snapshots.borrow().tenants[0].collectors[0].failures, 1);
        // Those who waited are due, and say so.
        assert_eq!(
            snapshots.borrow().tenants[0].collectors[1].next_poll,
            Some(now)
        );
    }

    #[tokio::test]
    async fn a_panic_in_one_poll_fails_that_poll_and_no_other() {
        let now = Timestamp::from_unix(Duration::from_secs(1_790_000_000));
        let clock = Clock::from_fn(move || now);
        let (mut scheduler, snapshots) = scheduler(&clock);
        pretend(&mut scheduler, 0, now, panics);
        pretend(&mut scheduler, 2, now, succeeds);
        while let Some(ended) = scheduler.running.join_next_with_id().await {
            scheduler.end(ended, |after| State::Due(after.next));
        }

        let snapshot = Arc::clone(&snapshots.borrow());
        let failed = &snapshot.tenants[0].collectors[0];
        assert_eq!((failed.polls, failed.failures), (1, 1));
        assert_eq!(failed.last_poll.unwrap().failure, Some(Reason::Internal));
        assert!(failed.figures.is_none());
        let internal = scheduler
            .poll_failures
            .with_label_values(&["security_users", "internal"]);
        assert_eq!(internal.get(), 1);
        let other = &snapshot.tenants[1].collectors[0];
        assert_eq!((other.polls, other.failures), (1, 0));
        assert_eq!(snapshot.tenants[1].security_users(now).unwrap().users, 1);

        // Both are planned again, and those who waited for them are due.
        for place in [0, 2] {
            assert!(scheduler.jobs[place].state.due().unwrap() > now);
            assert_eq!(scheduler.jobs[place + 1].state, State::Due(now));
        }
    }
}
