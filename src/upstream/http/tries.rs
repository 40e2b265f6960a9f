//! The tries of one request: keeps their history, asks the policy, waits.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{Api, PromDuration};

use super::request_id::RequestId;
use super::retry::{self, Decision, Failure, History, Policy};
use super::stats::Stats;

/// A try that failed: what it means for the policy, and for people.
#[derive(Debug)]
pub(crate) struct Failed<P> {
    pub(crate) failure: Failure,
    pub(crate) problem: P,
    pub(crate) request_id: Option<RequestId>,
}

impl<P> Failed<P> {
    /// The same failure with another problem.
    pub(crate) fn map<Q>(self, say: impl FnOnce(P) -> Q) -> Failed<Q> {
        Failed {
            failure: self.failure,
            problem: say(self.problem),
            request_id: self.request_id,
        }
    }
}

/// The tries so far of a request that has not succeeded yet.
#[derive(Debug)]
pub(crate) struct Tries<'a> {
    policy: &'a Policy,
    stats: &'a Stats,
    api: Api,
    route: &'static str,
    history: History,
    first_sent: Option<Instant>,
}

impl<'a> Tries<'a> {
    pub(crate) fn new(policy: &'a Policy, stats: &'a Stats, api: Api, route: &'static str) -> Self {
        Self {
            policy,
            stats,
            api,
            route,
            history: History::default(),
            first_sent: None,
        }
    }

    /// Call it right before sending: starts the deadline at the first try, and says how long this try may
    /// take: at most `timeout`, and at most the time left until the deadline. A try that the rate limiter held back
    /// until then still gets a second, so that its failure tells of the API and not of the waiting.
    pub(crate) fn begin(&mut self, timeout: Duration) -> Duration {
        let start = *self.first_sent.get_or_insert_with(Instant::now);
        let left = self.policy.deadline.saturating_sub(start.elapsed());
        timeout.min(left.max(Duration::from_secs(1)))
    }

    /// Call it after a try that failed: returns when the next one is due, or hands the failure back when it
    /// is final. `reason` is the value of the label in the metrics.
    pub(crate) async fn failed<P: Display>(
        &mut self,
        failed: Failed<P>,
        reason: &'static str,
    ) -> Result<(), Failed<P>> {
        self.history.failures += 1;
        self.history.cut_bodies += u32::from(failed.failure == Failure::CutBody);
        self.history.elapsed = self
            .first_sent
            .map(|start| start.elapsed())
            .unwrap_or_default();
        let wait = match retry::decide(self.policy, &self.history, failed.failure, fastrand::f64())
        {
            Decision::GiveUp => return Err(failed),
            Decision::RenewToken => {
                self.history.renewed = true;
                Duration::ZERO
            }
            Decision::Wait(wait) => wait,
        };
        if self.api.is_identity() && self.history.failures == 1 {
            // All polls wait for it, and it may take until the deadline.
            tracing::info!(parent: None, api = self.api.as_str(), reason, error = %failed.problem, "token request \
                                                                                                    failed, retrying");
        }
        tracing::debug!(
            route = self.route,
            reason,
            request_id = failed.request_id.as_ref().map(tracing::field::display),
            wait = %PromDuration(wait),
            error = %failed.problem,
            "request failed, retrying"
        );
        self.stats
            .retries
            .with_label_values(&[self.api.as_str(), reason])
            .inc();
        tokio::time::sleep(wait).await;
        Ok(())
    }
}
