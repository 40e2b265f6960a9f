//! How often one API host is asked: a rate, a cap on requests under way, and turns between the
//! targets, and between the listings of each.

mod rate;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::RateLimit;
use crate::domain::TargetId;

use self::rate::Rate;

/// How often a waiting request looks at the rate, which may have risen meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Keeps the requests to one host within its rate limit. At most one request of each target waits in the common
/// queue, which is served in order: so the targets take turns, and one with many pages under way does not hold up
/// one with few. In the same way, at most one request of each listing waits in its target's lane.
#[derive(Debug)]
pub(super) struct Limiter {
    /// Less than a kilobyte for each target that was ever asked for.
    lanes: Mutex<HashMap<TargetId, Arc<Lane>>>,
    queue: tokio::sync::Mutex<()>,
    under_way: Arc<Semaphore>,
    most_of_one_target: usize,
    rate: Mutex<Rate>,
    longest_pause: Mutex<Duration>,
}

/// Where the requests of one target wait for their turn.
#[derive(Debug)]
struct Lane {
    /// By route: where the requests of one listing wait to enter the lane.
    listings: Mutex<HashMap<&'static str, Arc<tokio::sync::Mutex<()>>>>,
    turn: tokio::sync::Mutex<()>,
    /// Half of the requests that may be under way, so that a host that hangs on one target does not hang on all.
    under_way: Arc<Semaphore>,
    /// The host has asked for no requests about this target until then.
    paused_until: Mutex<Option<Instant>>,
}

/// The leave to send one request. It is under way until this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _under_way: [OwnedSemaphorePermit; 2],
}

/// The host wants no requests about this target for this long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Paused(pub(super) Duration);

/// The host's rate after an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RateNow {
    pub(super) per_second: f64,
    pub(super) turn: Option<Turn>,
}

/// A change of the host's rate that people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is less than it was.
    Fell,
    /// It is the configured one again.
    Recovered,
}

impl Limiter {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self {
            lanes: Mutex::default(),
            queue: tokio::sync::Mutex::default(),
            under_way: Arc::new(Semaphore::new(limit.max_concurrent_requests)),
            most_of_one_target: limit.of_one_target(),
            rate: Mutex::new(Rate::new(limit, Instant::now())),
            longest_pause: Mutex::new(Duration::MAX),
        }
    }

    /// No target is paused for longer than this, even if the host asks for more.
    pub(super) fn pause_at_most(&self, longest: Duration) {
        *locked(&self.longest_pause) = longest;
    }

    /// Waits until a request for this target's listing at `route` may be sent.
    ///
    /// # Errors
    /// When the target is paused for longer than `patience`.
    pub(super) async fn slot(
        &self,
        target: TargetId,
        route: &'static str,
        patience: Duration,
    ) -> Result<Slot, Paused> {
        let lane = self.lane(target);
        let listing = lane.listing(route);
        // Before the permit, which others of the same listing would take one after the other.
        let _turn_of_listing = listing.lock().await;
        let of_lane = permit(&lane.under_way).await;
        let _turn = lane.turn.lock().await;
        loop {
            // Before the queue, so that a paused target does not hold up others.
            while let Some(left) = lane.pause_left() {
                if left > patience {
                    return Err(Paused(left));
                }
                tokio::time::sleep(left).await;
            }
            if let Some(of_all) = self.permit_in_order(&lane).await {
                return Ok(Slot {
                    _under_way: [of_lane, of_all],
                });
            }
        }
    }

    /// Waits in the common queue. Returns nothing when the lane is paused meanwhile.
    async fn permit_in_order(&self, lane: &Lane) -> Option<OwnedSemaphorePermit> {
        // Waiting with the queue locked keeps the order, and costs nothing when the waiter is cancelled.
        let _place = self.queue.lock().await;
        let under_way = permit(&self.under_way).await;
        loop {
            if lane.pause_left().is_some() {
                return None;
            }
            let taken = locked(&self.rate).take(Instant::now());
            match taken {
                Ok(()) => return Some(under_way),
                Err(wait) => tokio::time::sleep(wait.min(LONGEST_SLEEP)).await,
            }
        }
    }

    /// Takes in that a request was throttled: its target is paused for as long as the answer asked for, and the rate
    /// falls if that tells of the host.
    pub(super) fn throttled(&self, target: TargetId, pause: Duration) -> RateNow {
        let now = Instant::now();
        let pause = pause.min(*locked(&self.longest_pause));
        self.lane(target).pause(now, pause);
        // The partner's own listings are always there, and say little of how many others are.
        let is_other = |id: &&TargetId| **id != TargetId::Partner;
        let others = locked(&self.lanes).keys().filter(is_other).count();
        self.change(|rate| rate.throttled(target, others <= 1, now))
    }

    /// Takes in that a request succeeded.
    pub(super) fn succeeded(&self) -> RateNow {
        self.change(|rate| rate.succeeded(Instant::now()))
    }

    fn change(&self, change: impl FnOnce(&mut Rate)) -> RateNow {
        let mut rate = locked(&self.rate);
        let (before, was_lowered) = (rate.per_second(), rate.is_lowered());
        change(&mut rate);
        let per_second = rate.per_second();
        let turn = if per_second < before {
            Some(Turn::Fell)
        } else if was_lowered && !rate.is_lowered() {
            Some(Turn::Recovered)
        } else {
            None
        };
        RateNow { per_second, turn }
    }

    fn lane(&self, target: TargetId) -> Arc<Lane> {
        let mut lanes = locked(&self.lanes);
        let lane = lanes.entry(target).or_insert_with(|| {
            Arc::new(Lane {
                listings: Mutex::default(),
                turn: tokio::sync::Mutex::default(),
                under_way: Arc::new(Semaphore::new(self.most_of_one_target)),
                paused_until: Mutex::default(),
            })
        });
        Arc::clone(lane)
    }
}

impl Lane {
    fn listing(&self, route: &'static str) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(locked(&self.listings).entry(route).or_default())
    }

    fn pause(&self, now: Instant, pause: Duration) {
        let Some(until) = now.checked_add(pause) else {
            return;
        };
        let mut paused = locked(&self.paused_until);
        *paused = paused.max(Some(until));
    }

    fn pause_left(&self) -> Option<Duration> {
        let paused_until = *locked(&self.paused_until);
        let left = paused_until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

async fn permit(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let Ok(permit) = Arc::clone(semaphore).acquire_owned().await else {
        unreachable!("the semaphore is never closed")
    };
    permit
}

/// The values are consistent at any moment, so a panic of another holder does no harm.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
