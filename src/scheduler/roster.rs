//! All targets that are polled, and what becomes of them when others are to be. Pure.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use crate::collectors::customers::ListedCustomer;
use crate::domain::{Collector, Target, TargetId, Timestamp};
use crate::fleet::Fleet;
use crate::state::Saved;

use super::jobs::Watched;

/// The targets that are polled.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Those that are polled.
    pub(super) targets: Vec<Watched>,
    /// Those that the API lists no more, by id: shown until their last figures are stale.
    pub(super) gone: Vec<Watched>,
    /// Where in `targets` each of them is.
    places: Places,
}

/// Places in a list, by the targets that are there.
type Places = HashMap<TargetId, usize>;

/// The tenants that came and went, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) came: Vec<String>,
    pub(super) went: Vec<String>,
}

/// The most names in one line of the log.
const MOST_NAMES: usize = 20;

impl Change {
    pub(super) fn log(&self) {
        let Self { came, went } = self;
        if came.len() + went.len() > 0 {
            tracing::info!(
                added = came.len(),
                removed = went.len(),
                names_added = some(came),
                names_removed = some(went),
                "polled tenants changed"
            );
        }
    }
}

/// The first names, and how many more there are; `None` where there are none.
pub(super) fn some(names: &[String]) -> Option<String> {
    let (first, more) = names.split_at(names.len().min(MOST_NAMES));
    let text = first.join(", ");
    match more.len() {
        0 if first.is_empty() => None,
        0 => Some(text),
        more => Some(format!("{text} and {more} more")),
    }
}

/// The name of a target that is a tenant.
fn name(target: &Target) -> Option<String> {
    target.tenant().map(|_| target.name())
}

impl Roster {
    /// The targets that an earlier process knew, for the first change to make of them what is in force now.
    pub(super) fn restored(saved: &Saved, now: Timestamp) -> Self {
        let targets = saved.targets.iter();
        Self {
            targets: targets
                .map(|one| Watched::restored(Arc::clone(one), now))
                .collect(),
            ..Self::default()
        }
    }

    /// Polls these targets from now on. One that was polled before goes on as it was. One that is missing goes
    /// at once, unless it has only disappeared from the API: then it is polled no more, and goes with its figures.
    pub(super) fn change(&mut self, fleet: &Fleet, now: Timestamp) -> Change {
        let before = mem::take(&mut self.places);
        let known = self.targets.drain(..).chain(mem::take(&mut self.gone));
        let mut known: HashMap<TargetId, Watched> = known.map(|one| (one.id(), one)).collect();
        for config in &fleet.targets {
            let config = config.clone();
            let target = match known.remove(&config.target.id()) {
                Some(known) => known.renewed(config, now),
                None => Watched::new(config, now),
            };
            self.targets.push(target);
        }
        let went = known.values().filter(|one| before.contains_key(&one.id()));
        let mut went: Vec<_> = went.map(|one| one.snapshot.target.clone()).collect();
        went.sort_unstable_by_key(Target::id);
        self.gone = known
            .into_values()
            .filter(|one| fleet.only_misses(&one.snapshot.target))
            .collect();
        self.gone.iter_mut().for_each(Watched::pause);
        self.gone.sort_unstable_by_key(Watched::id);
        self.drop_stale(now);
        let places = self.targets.iter().enumerate();
        self.places = places.map(|(place, one)| (one.id(), place)).collect();
        let came = self.targets.iter();
        let came = came.filter(|one| !before.contains_key(&one.id()));
        Change {
            came: came.filter_map(|one| name(&one.snapshot.target)).collect(),
            went: went.iter().filter_map(name).collect(),
        }
    }

    /// Forgets the targets that are gone and have no fresh figures any more. Returns whether there were such.
    pub(super) fn drop_stale(&mut self, now: Timestamp) -> bool {
        let before = self.gone.len();
        self.gone
            .retain(|one| one.snapshot.stale_at().is_some_and(|at| at > now));
        self.gone.len() < before
    }

    /// When the next target that is gone will have no fresh figures any more.
    pub(super) fn next_stale(&self) -> Option<Timestamp> {
        self.gone
            .iter()
            .filter_map(|one| one.snapshot.stale_at())
            .min()
    }

    /// The targets that are polled, and those that are gone.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Watched> {
        self.targets.iter_mut().chain(&mut self.gone)
    }

    /// The customers that discovery found last; `None` if it never did, or is off.
    pub(super) fn customers(&self) -> Option<&[ListedCustomer]> {
        let mut partner = self
            .targets
            .iter()
            .filter(|one| one.id() == TargetId::Partner);
        let discovery = partner.find_map(|one| one.snapshot.collector(Collector::Customers))?;
        discovery.customers()
    }

    /// A target that is polled.
    pub(super) fn get_mut(&mut self, id: TargetId) -> Option<&mut Watched> {
        let place = self.place(id)?;
        self.targets.get_mut(place)
    }

    /// Where among those that are polled a target is.
    pub(super) fn place(&self, id: TargetId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// Whether a poll of this collector of this target is meant to run.
    pub(super) fn runs(&self, id: TargetId, collector: Collector) -> bool {
        let target = self.place(id).and_then(|place| self.targets.get(place));
        target.is_some_and(|one| one.runs(collector))
    }
}

#[cfg(test)]
mod tests;
