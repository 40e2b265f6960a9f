//! One target's polls, what each of them waits for, and what a change of the configuration does to them. Pure.

use std::sync::Arc;

use crate::collectors::{self, References};
use crate::config::CollectorKind;
use crate::domain::{Collector, Reason, TargetId, Timestamp};
use crate::fleet::TargetConfig;
use crate::snapshot::{CollectorSnapshot, TargetSnapshot};

use super::again::Again;
use super::quarantine::Quarantine;
use super::slots::Slots;

/// One target: what is known of it, and its polls.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) snapshot: Arc<TargetSnapshot>,
    /// One for each collector of the snapshot, in the same order.
    jobs: Vec<Job>,
    /// The users of its listings that another one is matched against.
    pub(super) references: References,
}

/// The polls of one collector of one target.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) slots: Slots,
    pub(super) state: State,
    pub(super) quarantine: Quarantine,
    again: Again,
    /// Whether there were fresh figures at the last look.
    was_fresh: bool,
}

/// What a job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A listing that is matched against others waits until each of the target's others was polled.
    WaitsForOthers,
    Due(Timestamp),
    Running {
        due: Timestamp,
    },
    /// The target is gone; it may come back.
    Paused,
    Done,
}

impl State {
    /// When the next poll is due, or the one that runs was.
    pub(super) fn due(self) -> Option<Timestamp> {
        match self {
            Self::Due(due) | Self::Running { due } => Some(due),
            Self::WaitsForOthers | Self::Paused | Self::Done => None,
        }
    }
}

impl Job {
    fn at_once(slots: Slots, now: Timestamp) -> Self {
        Self {
            slots,
            state: State::Due(now),
            quarantine: Quarantine::default(),
            again: Again::default(),
            was_fresh: false,
        }
    }

    /// Plans what comes after a poll of this collector that was due at `due` and has ended by `now`, like this and after
    /// it or another before it had succeeded or not. Returns how many polls were missed meanwhile.
    pub(super) fn plan(
        &mut self,
        collector: Collector,
        due: Timestamp,
        failure: Option<Reason>,
        has_succeeded: bool,
        now: Timestamp,
    ) -> u64 {
        // Everything else depends on discovery.
        if !collector.is_discovery() {
            self.quarantine = self.quarantine.after(failure);
        }
        let after = self.slots.after(due, now, self.every());
        let soon = self.again.after(failure, has_succeeded, collector);
        // Slots are level, and a retry is not: it is for those that would wait for longer.
        let soon = soon.filter(|wait| *wait < self.slots.interval() && !self.quarantine.is_on());
        let next = soon.map_or(after.next, |wait| now.after(wait).min(after.next));
        self.state = State::Due(next);
        after.skipped
    }

    /// Whether the figures of its collector have become stale since the last look.
    pub(super) fn has_become_stale(&mut self, known: &CollectorSnapshot, now: Timestamp) -> bool {
        let is_fresh = known.fresh(now).is_some();
        let was_fresh = std::mem::replace(&mut self.was_fresh, is_fresh);
        was_fresh && !is_fresh && known.figures.is_some()
    }

    /// When the poll is due that waits for its time.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<Timestamp> {
        let State::Due(due) = self.state else {
            return None;
        };
        // Further ahead than any slot: planned before the clock was set back.
        let due = due.min(self.slots.furthest(now, self.every()));
        self.state = State::Due(due);
        Some(due)
    }

    /// One of so many slots is used.
    fn every(&self) -> u32 {
        self.quarantine.intervals(self.slots.interval())
    }

    /// Another client asks from now on, or somebody who mended what was refused: a poll in quarantine need not wait any longer than its next slot.
    fn begin_again(&mut self, now: Timestamp) {
        if self.quarantine.is_on()
            && let State::Due(due) = &mut self.state
        {
            *due = self.slots.at_or_after(now).min(*due);
        }
        self.quarantine = self.quarantine.begun_again();
    }

    /// Goes on with these slots. What is overdue or runs is not put off, and discovery never is.
    fn go_on(self, collector: Collector, slots: Slots, now: Timestamp) -> Self {
        let next = slots.at_or_after(now);
        let state = match self.state {
            State::Paused => State::Due(next),
            State::Due(due) if due > now && slots != self.slots => {
                State::Due(if collector.is_discovery() {
                    next.min(due)
                } else {
                    next
                })
            }
            state => state,
        };
        Self {
            slots,
            state,
            ..self
        }
    }
}

impl Watched {
    /// A target that is new: everything is due at once, except a listing that is matched against the others.
    pub(super) fn new(config: TargetConfig, now: Timestamp) -> Self {
        let nothing = Self {
            snapshot: Arc::new(TargetSnapshot {
                target: config.target.clone(),
                collectors: Vec::new(),
            }),
            jobs: Vec::new(),
            references: References::new(),
        };
        nothing.renewed(config, now)
    }

    /// A target of which an earlier process knew this: all is due at once, whatever is to become of it. Of its users
    /// nothing is known.
    pub(super) fn restored(snapshot: Arc<TargetSnapshot>, now: Timestamp) -> Self {
        let jobs = snapshot.collectors.iter().map(|one| {
            let collector = one.collector();
            let slots = Slots::new(&snapshot.target, collector, one.config.interval);
            Job::at_once(slots, now)
        });
        Self {
            jobs: jobs.collect(),
            references: References::new(),
            snapshot,
        }
    }

    pub(super) fn id(&self) -> TargetId {
        self.snapshot.id()
    }

    /// The target by another configuration. A collector that stays what it was keeps its figures, its counters and
    /// its place in the schedule; one whose options changed keeps its counters, since its figures would mean
    /// something else; others start again or are gone.
    pub(super) fn renewed(self, config: TargetConfig, now: Timestamp) -> Self {
        let before = TargetSnapshot::clone(&self.snapshot).collectors;
        let now_on: Vec<_> = config.collectors.iter().map(|one| one.kind).collect();
        // Matched listings that are no more, or mean something else now.
        let lost: Vec<_> = before
            .iter()
            .map(|one| one.config.kind)
            .filter(|kind| {
                collectors::is_matched(*kind)
                    && !now_on
                        .iter()
                        .any(|one| collectors::finds_same_users(*one, *kind))
            })
            .map(CollectorKind::collector)
            .collect();
        let mut known: Vec<_> = before.into_iter().zip(self.jobs).collect();
        let (collectors, jobs) = config
            .collectors
            .into_iter()
            .map(|config_of_one| {
                let collector = config_of_one.kind.collector();
                let slots = Slots::new(&config.target, collector, config_of_one.interval);
                let is_it = |(one, _): &(CollectorSnapshot, _)| one.collector() == collector;
                let known = known.iter().position(is_it).map(|at| known.swap_remove(at));
                match known {
                    Some((known, job)) if known.config.kind == config_of_one.kind => {
                        let known = CollectorSnapshot {
                            config: config_of_one,
                            ..known
                        };
                        (known, job.go_on(collector, slots, now))
                    }
                    Some((known, _)) => {
                        let counted = CollectorSnapshot {
                            config: config_of_one,
                            last_poll: None,
                            failing_since: None,
                            last_failure: None,
                            quarantined: false,
                            figures: None,
                            ..known
                        };
                        (counted, Job::at_once(slots, now))
                    }
                    None => (
                        CollectorSnapshot::new(config_of_one),
                        Job::at_once(slots, now),
                    ),
                }
            })
            .unzip();
        let mut references = self.references;
        references.retain(|collector, _| !lost.contains(collector));
        let mut renewed = Self {
            snapshot: Arc::new(TargetSnapshot {
                target: config.target,
                collectors,
            }),
            jobs,
            references,
        };
        renewed.match_again(&lost);
        renewed.start_those_who_waited(now);
        for (snapshot, job) in renewed.collectors_mut() {
            snapshot.next_poll = job.state.due();
        }
        renewed
    }

    /// Forgets what came of matching a listing with these, and lets it wait for those of them that are still on, or
    /// for all when it was never polled.
    fn match_again(&mut self, lost: &[Collector]) {
        let mut others = self.snapshot.collectors.iter().filter(|one| {
            let collector = one.collector();
            !collector.comes_last() && !one.was_polled()
        });
        let waits_for_any = others.clone().next().is_some();
        let waits_for_lost = others.any(|one| lost.contains(&one.collector()));
        for (snapshot, job) in self.last_mut() {
            let never_polled = !snapshot.was_polled() && matches!(job.state, State::Due(_));
            if waits_for_lost || (never_polled && waits_for_any) {
                job.state = State::WaitsForOthers;
            }
            if !lost.is_empty()
                && let Some(figures) = &mut snapshot.figures
            {
                Arc::make_mut(&mut figures.totals).forget_joins(lost);
            }
        }
    }

    /// Makes a running poll due again, since it will be aborted.
    pub(super) fn begin_again(&mut self, collector: Collector) {
        if let Some((_, job)) = self.of(collector)
            && let State::Running { due } = job.state
        {
            job.state = State::Due(due);
        }
    }

    /// Another client asks for these collectors from now on, which may be given what was refused.
    pub(super) fn ask_again(&mut self, is_asked: impl Fn(Collector) -> bool, now: Timestamp) {
        for (known, job) in self.jobs_mut() {
            let collector = known.collector();
            if collector.is_discovery() && is_asked(collector) {
                job.state = State::Due(now);
            }
        }
        self.end_quarantine(is_asked, now);
    }

    /// What the API refused to these collectors may be given from now on.
    pub(super) fn end_quarantine(&mut self, is_given: impl Fn(Collector) -> bool, now: Timestamp) {
        for (snapshot, job) in self.collectors_mut() {
            if is_given(snapshot.collector()) {
                job.begin_again(now);
                snapshot.quarantined = job.quarantine.is_on();
                snapshot.next_poll = job.state.due();
            }
        }
    }

    /// Somebody wants to know how its listings are now: those that wait for their time are due, even in quarantine,
    /// which a success ends.
    pub(super) fn poll_now(&mut self, now: Timestamp) {
        for (snapshot, job) in self.collectors_mut() {
            if let State::Due(due) = &mut job.state {
                *due = now.min(*due);
            }
            snapshot.next_poll = job.state.due();
        }
    }

    /// After all others were polled, whether they failed or not, the listing that is matched against them is due.
    pub(super) fn start_those_who_waited(&mut self, now: Timestamp) {
        let collectors = self.snapshot.collectors.iter();
        let mut others = collectors.filter(|one| !one.collector().comes_last());
        if !others.all(CollectorSnapshot::was_polled) {
            return;
        }
        for (snapshot, job) in self.last_mut() {
            if job.state == State::WaitsForOthers {
                job.state = State::Due(now);
                snapshot.next_poll = job.state.due();
            }
        }
    }

    /// The target is gone: nothing of it is polled until it comes back.
    pub(super) fn pause(&mut self) {
        for (snapshot, job) in self.collectors_mut() {
            job.state = State::Paused;
            snapshot.next_poll = None;
        }
    }

    /// The jobs with what is known of their collectors.
    pub(super) fn jobs_mut(&mut self) -> impl Iterator<Item = (&CollectorSnapshot, &mut Job)> {
        self.snapshot.collectors.iter().zip(&mut self.jobs)
    }

    /// Whether a poll of this collector is meant to run.
    pub(super) fn runs(&self, collector: Collector) -> bool {
        let place = self.place(collector);
        place
            .and_then(|place| self.jobs.get(place))
            .is_some_and(|job| matches!(job.state, State::Running { .. }))
    }

    /// A collector and its job.
    pub(super) fn of(
        &mut self,
        collector: Collector,
    ) -> Option<(&mut CollectorSnapshot, &mut Job)> {
        let place = self.place(collector)?;
        self.collectors_mut().nth(place)
    }

    fn place(&self, collector: Collector) -> Option<usize> {
        let mut collectors = self.snapshot.collectors.iter();
        collectors.position(|one| one.collector() == collector)
    }

    /// The collectors whose listings are matched against those of the others.
    fn last_mut(&mut self) -> impl Iterator<Item = (&mut CollectorSnapshot, &mut Job)> {
        self.collectors_mut()
            .filter(|(snapshot, _)| snapshot.collector().comes_last())
    }

    fn collectors_mut(&mut self) -> impl Iterator<Item = (&mut CollectorSnapshot, &mut Job)> {
        let snapshot = Arc::make_mut(&mut self.snapshot);
        snapshot.collectors.iter_mut().zip(&mut self.jobs)
    }
}
