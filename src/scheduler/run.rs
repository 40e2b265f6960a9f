//! The loop that starts polls and publishes what they found.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntCounterVec, Registry, opts};
use tokio::sync::{mpsc, watch};
use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::collectors::{self, Earlier, Polled};
use crate::config::{Config, RateLimit};
use crate::domain::{
    Api, Clock, Collector, PromDuration, Reason, Target, TargetId, TenantId, Timestamp,
};
use crate::fleet::{Fleet, Names};
use crate::snapshot::{CollectorSnapshot, Snapshot, Snapshots, TargetSnapshot};
use crate::state::Saved;
use crate::troubles::Trouble;
use crate::upstream::{Clients, Stats};

use super::demand::{Demand, Wanted};
use super::discovered::Told;
use super::forecast::{Forecast, Need};
use super::jobs::{State, Watched};
use super::outcome::{conclude, log_quarantine};
use super::roster::{Change, Roster};

/// Listings that are read at once, for each request that may be under way. Above one, so that a listing
/// that waits for its next try leaves no slot of the rate limiter unused; not much above, since each
/// listing that is being read holds a key for each of its rows.
const LISTINGS_PER_REQUEST: usize = 2;

/// The longest sleep between two looks at the clock, should it be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// The forecast is made again after polls, but at most once in this time.
const FORECAST_PAUSE: Duration = Duration::from_secs(1);

/// What the scheduler goes by. It changes as a whole when the configuration is read again.
#[derive(Debug)]
pub struct InForce {
    /// Whom to poll, and how often.
    pub config: Config,
    /// Who is asked.
    pub clients: Clients,
    /// How often a person has asked for a reload so far, who may have mended what the API refused.
    pub reloads: u64,
}

impl InForce {
    /// How often each API may be asked.
    fn rate_limits(&self) -> impl Iterator<Item = (Api, RateLimit)> {
        let partner_center = self.config.partner_center.as_ref();
        let partner_center = partner_center.filter(|_| self.clients.partner_center.is_some());
        [
            Some((Api::Elements, self.config.elements.rate_limit)),
            partner_center.map(|settings| (Api::PartnerCenter, settings.rate_limit)),
        ]
        .into_iter()
        .flatten()
    }
}

/// Decides what is polled when, and publishes what is found.
#[derive(Debug)]
pub struct Scheduler {
    changes: watch::Receiver<Arc<InForce>>,
    in_force: Arc<InForce>,
    clock: Clock,
    published: watch::Sender<Arc<Snapshot>>,
    /// The names that an earlier process knew.
    names: Names,
    roster: Roster,
    /// What the log has said of discovery.
    told: Told,
    running: JoinSet<(Polled, Duration)>,
    /// Of the polls that run and whose end is of interest.
    running_polls: HashMap<task::Id, RunningPoll>,
    poll_failures: IntCounterVec,
    stats: Stats,
    forecast: Forecast,
    /// Whether it polls on, so that the log says what its intervals need.
    runs: bool,
    /// When the forecast is due next; `None` while nothing has changed.
    forecast_due: Option<Instant>,
    demand: Demand,
    wanted: mpsc::Receiver<Wanted>,
}

/// A poll that runs.
#[derive(Debug)]
struct RunningPoll {
    target: TargetId,
    collector: Collector,
    /// What log lines say of it.
    span: Span,
    task: AbortHandle,
}

impl Scheduler {
    /// Plans the polls of the tenants of the configuration: the first round at once. Nothing runs yet. What is in
    /// force may change while it runs. What an earlier process `saved` is shown until something newer is known.
    ///
    /// # Errors
    /// When the registry holds the scheduler's counter already.
    pub fn new(
        mut changes: watch::Receiver<Arc<InForce>>,
        saved: &Saved,
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
        for collector in Collector::configured() {
            for reason in Reason::ALL {
                poll_failures.with_label_values(&[collector.as_str(), reason.as_str()]);
            }
        }
        let (published, snapshots) = watch::channel(Arc::default());
        let in_force = Arc::clone(&changes.borrow_and_update());
        let now = clock.now();
        let (demand, wanted) = Demand::new();
        let mut scheduler = Self {
            changes,
            in_force,
            clock,
            published,
            names: Names::of(saved.tenants()),
            roster: Roster::restored(saved, now),
            told: Told::default(),
            running: JoinSet::new(),
            running_polls: HashMap::new(),
            poll_failures,
            stats,
            forecast: Forecast::default(),
            runs: false,
            forecast_due: None,
            demand,
            wanted,
        };
        scheduler.change_roster();
        Ok((scheduler, snapshots))
    }

    /// Polls until the shutdown; polls that are under way then are cancelled and count nowhere.
    pub async fn run(mut self, shutdown: CancellationToken) {
        self.runs = true;
        self.forecast();
        loop {
            let sleep = self.start_what_is_due().min(self.forecast_if_due());
            tokio::select! {
                () = shutdown.cancelled() => return,
                Ok(()) = self.changes.changed() => self.take_in_change(),
                Some(wanted) = self.wanted.recv() => self.answer(wanted),
                Some(ended) = self.running.join_next_with_id() => self.end(ended, false),
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Who has this asks for the polls of one tenant, or for a sign of life, while the scheduler runs.
    pub fn demand(&self) -> Demand {
        self.demand.clone()
    }

    fn answer(&mut self, wanted: Wanted) {
        // Whoever asked may be gone by now.
        match wanted {
            Wanted::Poll { tenant, is_known } => {
                let _ = is_known.send(self.poll_now(tenant));
            }
            Wanted::Sign(sign) => {
                let _ = sign.send(());
            }
        }
    }

    /// Lets the polls of a tenant begin that wait for their time. Returns whether this tenant is polled at all.
    fn poll_now(&mut self, tenant: TenantId) -> bool {
        let target = TargetId::Tenant(tenant);
        let now = self.clock.now();
        let known = self.roster.get_mut(target).map(|watched| {
            watched.poll_now(now);
            tracing::info!(tenant_id = %tenant, "polling the tenant now, as requested");
            Arc::clone(&watched.snapshot)
        });
        let is_known = known.is_some();
        if let Some(known) = known {
            self.publish_one(target, known);
        }
        is_known
    }

    /// Polls everything once, and what discovery finds too. Returns how many polls failed, discovery among them.
    pub async fn run_once(mut self) -> u64 {
        loop {
            self.start_what_is_due();
            tokio::select! {
                Some(ended) = self.running.join_next_with_id() => self.end(ended, true),
                else => {
                    self.forecast();
                    let snapshot = self.published.borrow();
                    return snapshot.collectors().map(CollectorSnapshot::failed).sum();
                }
            }
        }
    }

    /// Goes by what is in force now.
    fn take_in_change(&mut self) {
        let in_force = Arc::clone(&self.changes.borrow_and_update());
        let now = self.clock.now();
        let before = std::mem::replace(&mut self.in_force, in_force);
        let is_asked_for = self.in_force.reloads != before.reloads;
        let before = before.clients.clone();
        let clients = &self.in_force.clients;
        let is_other_client = !Arc::ptr_eq(&clients.elements, &before.elements);
        let stays = |api| match (api, &clients.partner_center, &before.partner_center) {
            (Api::PartnerCenter, Some(client), Some(before)) => Arc::ptr_eq(client, before),
            (Api::PartnerCenter, ..) => false,
            _ => !is_other_client,
        };
        // What a client that is not in force any more would find is not wanted, nor is what it would still ask.
        for poll in self.running_polls.values() {
            if !stays(poll.collector.api())
                && let Some(watched) = self.roster.get_mut(poll.target)
            {
                watched.begin_again(poll.collector);
            }
        }
        for watched in self.roster.all_mut() {
            watched.ask_again(|collector| !stays(collector.api()), now);
            watched.end_quarantine(|_| is_asked_for, now);
        }
        self.change_roster().log();
    }

    /// Polls the targets of the configuration in force and those that the API lists, and no others.
    fn change_roster(&mut self) -> Change {
        let listed = self.roster.customers();
        let fleet = Fleet::new(&self.in_force.config, listed, &self.names);
        self.told.tell(&fleet);
        let change = self.roster.change(&fleet, self.clock.now());
        let roster = &self.roster;
        self.running_polls.retain(|_, poll| {
            let goes_on = roster.runs(poll.target, poll.collector);
            if !goes_on {
                poll.task.abort();
            }
            goes_on
        });
        self.publish();
        change
    }

    /// Starts what is due, the longest due first, as far as there is room. Returns how long to sleep until
    /// there is something to do, should nothing end before.
    fn start_what_is_due(&mut self) -> Duration {
        let now = self.clock.now();
        if self.roster.drop_stale(now) {
            self.publish();
        }
        let mut due: Vec<(Timestamp, TargetId, Collector)> = Vec::new();
        let mut later = None;
        for target in &mut self.roster.targets {
            let id = target.id();
            let whose = target.snapshot.target.clone();
            for (known, job) in target.jobs_mut() {
                let collector = known.collector();
                if job.has_become_stale(known, now) {
                    let _span = span(&whose, collector).entered();
                    let stale_after = PromDuration(known.config.stale_after);
                    tracing::warn!(%stale_after, "figures are stale, and withdrawn until a poll succeeds");
                }
                match job.due(now) {
                    Some(at) if at <= now => due.push((at, id, collector)),
                    Some(at) => later = Some(later.map_or(at, |later| at.min(later))),
                    None => {}
                }
            }
        }
        // By the order of the targets where they are due at the same time.
        due.sort_by_key(|(due, ..)| *due);
        // Discovery needs no room, since all others depend on it.
        for (due, target, collector) in &due {
            if collector.is_discovery() {
                self.start(*target, *collector, *due);
            }
        }
        // Of each API its own, so that one that hangs does not hold up the polls of the other.
        let in_force = Arc::clone(&self.in_force);
        for (api, limit) in in_force.rate_limits() {
            let asks = |one: &Collector| one.api() == api && !one.is_discovery();
            let running = self.running_polls.values().map(|poll| &poll.collector);
            let most = limit
                .max_concurrent_requests
                .saturating_mul(LISTINGS_PER_REQUEST);
            let room = most.saturating_sub(running.filter(|one| asks(one)).count());
            let due = due.iter().filter(|(.., collector)| asks(collector));
            for (due, target, collector) in due.take(room) {
                self.start(*target, *collector, *due);
            }
        }
        // When there is no room, the next look comes with the end of a poll.
        let next = [later, self.roster.next_stale()];
        let next = next.into_iter().flatten().min();
        next.map_or(LONGEST_SLEEP, |next| next.since(now).min(LONGEST_SLEEP))
    }

    fn start(&mut self, id: TargetId, collector: Collector, due: Timestamp) {
        let now = self.clock.now();
        let Some(watched) = self.roster.get_mut(id) else {
            return;
        };
        let mut earlier = Earlier::default();
        if collector.comes_last() {
            earlier.references.clone_from(&watched.references);
            // A stale listing is not matched against: its join would not be shown now, and must not be later.
            earlier.references.retain(|collector, _| {
                let listing = watched.snapshot.collector(*collector);
                listing.is_some_and(|listing| listing.fresh(now).is_some())
            });
        }
        let Some((snapshot, job)) = watched.of(collector) else {
            return;
        };
        job.state = State::Running { due };
        let progress = snapshot.under_way.begin(now);
        let kind = snapshot.config.kind;
        let figures = snapshot.figures.as_ref();
        earlier.totals = figures.map(|figures| (Arc::clone(&figures.totals), figures.is_restored));
        let target = watched.snapshot.target.clone();
        let clients = self.in_force.clients.clone();
        let span = span(&target, collector);
        let poll = async move {
            let start = Instant::now();
            let polled = collectors::poll(&clients, &target, kind, earlier, now, &progress).await;
            (polled, start.elapsed())
        };
        let task = self.running.spawn(poll.instrument(span.clone()));
        let poll = RunningPoll {
            target: id,
            collector,
            span,
            task,
        };
        self.running_polls.insert(poll.task.id(), poll);
    }

    /// Takes in what a poll found, plans what comes next unless it is to be the only one, and publishes.
    fn end(&mut self, ended: Result<(task::Id, (Polled, Duration)), JoinError>, once: bool) {
        let (id, ended) = match ended {
            Ok((id, polled)) => (id, Ok(polled)),
            Err(error) => (error.id(), Err(error)),
        };
        // Those are not among them that were cancelled: nobody wants to know how they ended.
        let Some(poll) = self.running_polls.remove(&id) else {
            return;
        };
        let Some(watched) = self.roster.get_mut(poll.target) else {
            return;
        };
        let Some((snapshot, job)) = watched.of(poll.collector) else {
            return;
        };
        let State::Running { due } = job.state else {
            return;
        };
        let now = self.clock.now();
        let in_span = poll.span.enter();
        let was_failing = snapshot
            .last_poll
            .is_some_and(|poll| poll.failure.is_some());
        let is_discovery = poll.collector.is_discovery();
        let (last_poll, outcome) = conclude(ended, poll.collector, was_failing, now);
        let has_succeeded = outcome.is_ok() || snapshot.figures.is_some();
        snapshot.skipped += job.plan(poll.collector, due, last_poll.failure, has_succeeded, now);
        if once {
            job.state = State::Done;
        }
        snapshot.next_poll = job.state.due();
        let quarantined = job.quarantine.is_on();
        if quarantined != snapshot.quarantined
            && let Some(next_poll) = snapshot.next_poll
        {
            log_quarantine(quarantined, last_poll.failure, next_poll);
        }
        snapshot.quarantined = quarantined;
        snapshot.polls += 1;
        snapshot.last_poll = Some(last_poll);
        match outcome {
            Ok((figures, users)) => {
                snapshot.failing_since = None;
                snapshot.figures = Some(figures);
                if is_discovery {
                    self.told.forget();
                }
                if let Some(users) = users {
                    watched.references.insert(poll.collector, users);
                }
            }
            Err(failure) => {
                *snapshot.failures.entry(failure.reason).or_default() += 1;
                // Those of discovery have a metric of their own.
                if !is_discovery {
                    self.poll_failures
                        .with_label_values(&[poll.collector.as_str(), failure.reason.as_str()])
                        .inc();
                }
                snapshot.failing_since.get_or_insert(now);
                snapshot.last_failure = Some(failure);
            }
        }
        watched.start_those_who_waited(now);
        let known = Arc::clone(&watched.snapshot);
        // What follows is not of this poll.
        drop(in_span);
        if is_discovery {
            let change = self.change_roster();
            if last_poll.failure.is_none() {
                self.told.tell_found();
            }
            change.log();
        } else {
            self.publish_one(poll.target, known);
        }
        self.forecast_due
            .get_or_insert_with(|| Instant::now() + FORECAST_PAUSE);
    }

    /// Publishes what is known now of one target. The snapshot is copied only where somebody looks at it meanwhile.
    fn publish_one(&self, id: TargetId, known: Arc<TargetSnapshot>) {
        self.published.send_modify(|published| {
            let targets = &mut Arc::make_mut(published).targets;
            let place = self.roster.place(id);
            if let Some(shown) = place.and_then(|place| targets.get_mut(place)) {
                *shown = known;
            }
        });
    }

    /// Publishes what is known of all targets, which may be others than before.
    fn publish(&mut self) {
        let snapshots = |watched: &[Watched]| {
            let snapshots = watched.iter().map(|one| Arc::clone(&one.snapshot));
            snapshots.collect()
        };
        let snapshot = Snapshot {
            targets: snapshots(&self.roster.targets),
            gone: snapshots(&self.roster.gone),
            discovered: self.told.discovered(),
        };
        self.published.send_replace(Arc::new(snapshot));
        self.forecast();
    }

    /// Makes the forecast when it is time to. Returns how long to sleep until then.
    fn forecast_if_due(&mut self) -> Duration {
        let Some(due) = self.forecast_due else {
            return Duration::MAX;
        };
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.forecast();
            return Duration::MAX;
        }
        left
    }

    /// Says whether the tenants fit into their intervals: by metrics always, and in the log while it runs. Nobody knows how
    /// long a listing is until it is read: the metrics take one request for it, the log what `check` takes, until each
    /// poll was tried.
    fn forecast(&mut self) {
        self.forecast_due = None;
        let snapshot = Arc::clone(&self.published.borrow());
        let is_tried = snapshot.first_round_ended();
        let needs = self.in_force.rate_limits().map(|(api, limit)| {
            let required = snapshot.required(api);
            let capacity = self.stats.forecast(api, required, limit);
            let (required, assumed) = if is_tried {
                (required, 0)
            } else {
                snapshot.expected(api)
            };
            Need {
                api,
                required,
                capacity,
                limit,
                assumed,
            }
        });
        let needs: Vec<_> = needs.collect();
        if self.runs {
            for news in self.forecast.judge(&needs) {
                news.log();
            }
            for need in &needs {
                let (troubles, api) = (&self.stats.troubles, need.api.as_str());
                if self.forecast.is_short(need.api) {
                    let (trouble, cause) = (Trouble::RateLimitTooLow, need.to_string());
                    troubles.begin(trouble, api, "", cause, self.clock.now());
                } else {
                    troubles.end(Trouble::RateLimitTooLow, api);
                }
            }
        }
    }
}

/// What the log lines of a poll say of it. At the highest level, so that it is there whatever lines are written.
fn span(target: &Target, collector: Collector) -> Span {
    let name = collector.as_str();
    match target {
        Target::Partner(_) if collector.is_discovery() => tracing::error_span!("discovery"),
        Target::Partner(_) => tracing::error_span!("poll", collector = name),
        Target::Customer(customer) => tracing::error_span!(
            "poll",
            customer_id = %customer.id,
            customer_name = &*customer.name(),
            collector = name,
        ),
        Target::Tenant(tenant) => tracing::error_span!(
            "poll",
            tenant_id = %tenant.tenant_id,
            tenant_name = &*tenant.tenant_name(),
            collector = name,
        ),
    }
}

#[cfg(test)]
mod tests;
