//! Discovery: when the API's customers are read, and what is known of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tracing::Instrument as _;

use crate::config::{Config, Discovery};
use crate::discovery::{Fleet, check_plausible};
use crate::domain::{CustomerId, Reason, TenantId, Timestamp};
use crate::snapshot::{Discovered, DiscoverySnapshot, LastFailure};
use crate::state::SavedDiscovery;
use crate::upstream::{ApiError, Client, Customer, ListingSize};

use super::jobs::State;
use super::outcome::PANICKED;
use super::slots::Slots;

/// As long as it has not succeeded it is tried again after so long, if the interval is not shorter.
const FIRST_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// What a reading of the customers came to, with its size.
pub(super) type Listed = Result<(Vec<Customer>, ListingSize), ApiError>;

/// Discovery, where it is on.
#[derive(Debug)]
pub(super) struct Discovering {
    slots: Slots,
    state: State,
    /// One at most.
    pub(super) running: JoinSet<Listed>,
    /// The customers of the last success.
    listed: Arc<[Customer]>,
    /// How many pages they took; one at least, before the first success too.
    pages: u64,
    snapshot: Arc<DiscoverySnapshot>,
    /// The tenants that several customers list, as far as the log says so.
    contested: BTreeMap<TenantId, CustomerId>,
}

impl Discovering {
    /// Discovery as it is configured: due at once where it was off before.
    pub(super) fn renewed(known: Option<Self>, config: &Config, now: Timestamp) -> Option<Self> {
        let settings = config.discovery.as_ref()?;
        let interval = settings.collector.interval;
        let slots = Slots::of_discovery(&config.elements.client_id, interval);
        let Some(mut known) = known else {
            return Some(Self::new(settings, slots, now));
        };
        if known.slots != slots {
            known.slots = slots;
            if let State::Due(due) = &mut known.state {
                *due = slots.at_or_after(now).min(*due);
            }
        }
        Arc::make_mut(&mut known.snapshot).stale_after = settings.collector.stale_after;
        Some(known)
    }

    fn new(settings: &Discovery, slots: Slots, now: Timestamp) -> Self {
        Self {
            slots,
            state: State::Due(now),
            running: JoinSet::new(),
            listed: Arc::default(),
            pages: 1,
            snapshot: Arc::new(DiscoverySnapshot {
                stale_after: settings.collector.stale_after,
                polls: 0,
                failures: BTreeMap::new(),
                up: None,
                last_failure: None,
                found: None,
            }),
            contested: BTreeMap::new(),
        }
    }

    /// Goes on from what an earlier process had found. It is due at once all the same.
    pub(super) fn restore(&mut self, saved: &SavedDiscovery) {
        self.listed = Arc::clone(&saved.customers);
        let snapshot = Arc::make_mut(&mut self.snapshot);
        snapshot.up = Some(saved.up);
        // As after a reading.
        snapshot.found = Some(Discovered {
            at: saved.at,
            listed: Arc::clone(&self.listed),
            customers: Vec::new(),
            excluded: 0,
        });
    }

    /// Begins at once, whatever runs: the API, or what the exporter may ask of it, is another.
    pub(super) fn begin_anew(&mut self, now: Timestamp) {
        self.running = JoinSet::new();
        self.state = State::Due(now);
    }

    /// Starts when it is due. Returns when it will be, unless it runs.
    pub(super) fn start_if_due(
        &mut self,
        client: &Arc<Client>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let State::Due(due) = self.state else {
            return None;
        };
        // Further ahead than any slot: planned before the clock was set back.
        let due = due.min(self.slots.furthest(now, 1));
        self.state = State::Due(due);
        if due > now {
            return Some(due);
        }
        self.state = State::Running { due };
        let client = Arc::clone(client);
        let reading = async move {
            let mut size = ListingSize::default();
            let customers = client.customers(&mut size).await?;
            Ok((customers, size))
        };
        self.running
            .spawn(reading.instrument(tracing::error_span!("discovery")));
        None
    }

    /// Takes in what a reading came to. A failure changes nothing of what is known.
    pub(super) fn end(&mut self, ended: Result<Listed, JoinError>, once: bool, now: Timestamp) {
        let _in_span = tracing::error_span!("discovery").entered();
        let was_failing = self.snapshot.up == Some(false);
        let outcome = self
            .conclude(ended)
            .map_err(|(reason, message)| LastFailure {
                at: now,
                reason,
                message: message.into(),
            });
        let snapshot = Arc::make_mut(&mut self.snapshot);
        snapshot.polls += 1;
        snapshot.up = Some(outcome.is_ok());
        match outcome {
            Ok((listed, size)) => {
                let customers = listed.len();
                if was_failing {
                    tracing::info!(customers, "discovery succeeded again");
                } else {
                    tracing::debug!(customers, "discovery succeeded");
                }
                self.listed = listed.into();
                self.pages = size.pages;
                // What the patterns make of it is filled in with the next fleet.
                snapshot.found = Some(Discovered {
                    at: now,
                    listed: Arc::clone(&self.listed),
                    customers: Vec::new(),
                    excluded: 0,
                });
            }
            Err(failure) => {
                *snapshot.failures.entry(failure.reason).or_default() += 1;
                snapshot.last_failure = Some(failure);
            }
        }
        if let State::Running { due } = self.state {
            let next = self.slots.after(due, now, 1).next;
            self.state = if once {
                State::Done
            } else if self.snapshot.found.is_none() {
                // Nothing may be polled until it succeeds.
                State::Due(next.min(now.after(FIRST_AGAIN_AFTER)))
            } else {
                State::Due(next)
            };
        }
    }

    /// Says what came of a reading, and logs a failure.
    fn conclude(
        &self,
        ended: Result<Listed, JoinError>,
    ) -> Result<(Vec<Customer>, ListingSize), (Reason, String)> {
        let Ok(listed) = ended else {
            // The panic itself was logged where it happened.
            tracing::error!(reason = %Reason::Internal, "discovery failed by a fault of the exporter; please report it");
            return Err((Reason::Internal, PANICKED.to_owned()));
        };
        match listed {
            Ok((listed, size)) => match check_plausible(&self.listed, &listed) {
                Ok(()) => Ok((listed, size)),
                Err(cause) => {
                    let reason = cause.reason();
                    tracing::warn!(%reason, error = %cause, "discovery failed");
                    Err((reason, cause.to_string()))
                }
            },
            // Said once, where the token was asked for, and not by all that share it.
            Err(error) if error.reason() == Reason::Credential => {
                tracing::debug!("discovery failed for want of an access token");
                Err((Reason::Credential, error.to_string()))
            }
            Err(error) => {
                let reason = error.reason();
                tracing::warn!(
                    %reason,
                    %error,
                    request_id = error.request_id.as_ref().map(tracing::field::display),
                    "discovery failed"
                );
                Err((reason, error.to_string()))
            }
        }
    }

    /// The customers of the last success; `None` before the first.
    pub(super) fn listed(&self) -> Option<&[Customer]> {
        self.snapshot.found.as_ref().map(|_| &*self.listed)
    }

    /// How many requests in a second it needs to keep its interval.
    pub(super) fn required(&self) -> f64 {
        self.pages as f64 / self.slots.interval().as_secs_f64()
    }

    /// What is known, for the snapshot.
    pub(super) fn snapshot(&self) -> Arc<DiscoverySnapshot> {
        Arc::clone(&self.snapshot)
    }

    /// Takes in what the configuration's patterns make of the customers.
    pub(super) fn show(&mut self, fleet: &Fleet) {
        if let Some(found) = &mut Arc::make_mut(&mut self.snapshot).found {
            found.customers.clone_from(&fleet.customers);
            let excluded = fleet.excluded.len() as u64;
            if fleet.tenants.is_empty() && excluded > 0 && found.excluded == 0 {
                tracing::warn!(
                    excluded,
                    "no tenant is watched: the patterns of discovery.include and discovery.exclude leave out all"
                );
            }
            found.excluded = excluded;
        }
        for (tenant_id, customer_id) in &fleet.contested {
            if self.contested.get(tenant_id) != Some(customer_id) {
                tracing::warn!(
                    %tenant_id,
                    %customer_id,
                    "several customers list this tenant; it stays with the one named here, which has the lowest id"
                );
            }
        }
        self.contested.clone_from(&fleet.contested);
    }
}
