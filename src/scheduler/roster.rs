//! All tenants that are watched, and what becomes of them when others are to be. Pure.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use crate::discovery::Fleet;
use crate::domain::{Collector, TenantId, Timestamp};
use crate::state::Saved;

use super::jobs::Watched;

/// The tenants that are watched.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Those that are polled.
    pub(super) tenants: Vec<Watched>,
    /// Those that the API lists no more, by id: shown until their last figures are stale.
    pub(super) gone: Vec<Watched>,
    /// Where in `tenants` each of them is.
    places: Places,
}

/// Places in a list, by the tenants that are there.
type Places = HashMap<TenantId, usize>;

/// How many tenants came and went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) came: usize,
    pub(super) went: usize,
}

impl Change {
    pub(super) fn log(&self) {
        let Self { came, went } = self;
        if came + went > 0 {
            tracing::info!(came, went, "the tenants that are polled have changed");
        }
    }
}

impl Roster {
    /// The tenants that an earlier process knew, for the first change to make of them what is in force now.
    pub(super) fn restored(saved: &Saved, now: Timestamp) -> Self {
        let tenants = saved.tenants.iter();
        Self {
            tenants: tenants
                .map(|one| Watched::restored(Arc::clone(one), now))
                .collect(),
            ..Self::default()
        }
    }

    /// Watches these tenants from now on. One that was watched before goes on as it was. One that is missing goes
    /// at once, unless it has only disappeared from the API: then it is polled no more, and goes with its figures.
    pub(super) fn change(&mut self, fleet: &Fleet, now: Timestamp) -> Change {
        let before = mem::take(&mut self.places);
        let known = self.tenants.drain(..).chain(mem::take(&mut self.gone));
        let mut known: HashMap<TenantId, Watched> = known.map(|one| (one.id(), one)).collect();
        for config in &fleet.tenants {
            let config = config.clone();
            let tenant = match known.remove(&config.tenant.tenant_id) {
                Some(known) => known.renewed(config, now),
                None => Watched::new(config, now),
            };
            self.tenants.push(tenant);
        }
        self.gone = known
            .into_values()
            .filter(|one| fleet.only_misses(&one.snapshot.tenant))
            .collect();
        self.gone.iter_mut().for_each(Watched::pause);
        self.gone.sort_unstable_by_key(Watched::id);
        self.drop_stale(now);
        let places = self.tenants.iter().enumerate();
        self.places = places.map(|(place, one)| (one.id(), place)).collect();
        let missing_in = |others: &Places, ids: &Places| {
            ids.keys().filter(|id| !others.contains_key(*id)).count()
        };
        Change {
            came: missing_in(&before, &self.places),
            went: missing_in(&self.places, &before),
        }
    }

    /// Forgets the tenants that are gone and have no fresh figures any more. Returns whether there were such.
    pub(super) fn drop_stale(&mut self, now: Timestamp) -> bool {
        let before = self.gone.len();
        self.gone
            .retain(|one| one.snapshot.stale_at().is_some_and(|at| at > now));
        self.gone.len() < before
    }

    /// When the next tenant that is gone will have no fresh figures any more.
    pub(super) fn next_stale(&self) -> Option<Timestamp> {
        self.gone
            .iter()
            .filter_map(|one| one.snapshot.stale_at())
            .min()
    }

    /// The tenants that are polled, and those that are gone.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Watched> {
        self.tenants.iter_mut().chain(&mut self.gone)
    }

    /// A tenant that is polled.
    pub(super) fn get_mut(&mut self, id: TenantId) -> Option<&mut Watched> {
        let place = self.place(id)?;
        self.tenants.get_mut(place)
    }

    /// Where among those that are polled a tenant is.
    pub(super) fn place(&self, id: TenantId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// Whether a poll of this collector of this tenant is meant to run.
    pub(super) fn runs(&self, id: TenantId, collector: Collector) -> bool {
        let tenant = self.place(id).and_then(|place| self.tenants.get(place));
        tenant.is_some_and(|one| one.runs(collector))
    }
}

#[cfg(test)]
mod tests;
