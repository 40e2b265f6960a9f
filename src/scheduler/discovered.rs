//! What the configuration makes of the customers that discovery found, and what the log has said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{CustomerId, TenantId, name_or_id};
use crate::fleet::Fleet;
use crate::snapshot::Discovered;

use super::roster::some;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    discovered: Option<Arc<Discovered>>,
    /// The tenants that several customers list.
    contested: BTreeMap<TenantId, CustomerId>,
    found: Option<Found>,
}

/// What a discovery of this process found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// By id, with their names or ids.
    customers: BTreeMap<CustomerId, String>,
    tenants: BTreeSet<TenantId>,
    excluded: u64,
}

impl Found {
    fn of(discovered: &Discovered) -> Self {
        let customers = discovered.customers.iter();
        let tenants = customers.clone().flat_map(|one| &one.tenants);
        Self {
            tenants: tenants.map(|one| one.id).collect(),
            customers: customers
                .map(|one| (one.id, name_or_id(one.name.as_deref(), one.id).into_owned()))
                .collect(),
            excluded: discovered.excluded,
        }
    }

    /// Whether the same customers and tenants were found, even if their names have changed.
    fn is_same(&self, other: &Self) -> bool {
        self.customers.keys().eq(other.customers.keys())
            && self.tenants == other.tenants
            && self.excluded == other.excluded
    }

    /// The names of the customers that the other does not have.
    fn customers_missing_in(&self, other: Option<&Self>) -> Vec<String> {
        let is_missing =
            |id: &CustomerId| other.is_none_or(|other| !other.customers.contains_key(id));
        let missing = self.customers.iter().filter(|(id, _)| is_missing(id));
        missing.map(|(_, name)| name.clone()).collect()
    }
}

impl Told {
    /// What discovery found before does not count any more: that all tenants are excluded is said after each success.
    pub(super) fn forget(&mut self) {
        self.discovered = None;
    }

    /// Takes in a fleet, and logs what is new and needs a look.
    pub(super) fn tell(&mut self, fleet: &Fleet) {
        let excluded = fleet.excluded.len() as u64;
        let was_excluded = self.discovered.as_ref().map_or(0, |before| before.excluded);
        if fleet.tenants().next().is_none() && excluded > 0 && was_excluded == 0 {
            tracing::warn!(
                excluded,
                "no tenants to poll: discovery.include and discovery.exclude exclude all of them"
            );
        }
        for (tenant_id, customer_id) in &fleet.contested {
            if self.contested.get(tenant_id) != Some(customer_id) {
                tracing::warn!(
                    %tenant_id,
                    %customer_id,
                    "several customers list this tenant; using the customer with the lowest id"
                );
            }
        }
        self.contested.clone_from(&fleet.contested);
        self.discovered = fleet.was_read.then(|| {
            Arc::new(Discovered {
                customers: fleet.customers.clone(),
                excluded,
            })
        });
    }

    /// Logs what a discovery that succeeded found, if it is the first one of this process or found others than before.
    pub(super) fn tell_found(&mut self) {
        let Some(found) = self.discovered.as_deref().map(Found::of) else {
            return;
        };
        let before = self.found.take();
        if before.as_ref().is_none_or(|before| !before.is_same(&found)) {
            let (customers, tenants) = (found.customers.len(), found.tenants.len());
            let came = found.customers_missing_in(before.as_ref());
            let went = before.map(|before| before.customers_missing_in(Some(&found)));
            tracing::info!(
                excluded = found.excluded,
                customers_added = some(&came),
                customers_removed = went.and_then(|went| some(&went)),
                "discovery found {customers} customers, {tenants} tenants"
            );
            if customers == 0 && found.excluded == 0 {
                tracing::warn!(
                    "discovery found no customer; check the customer scope of the app registration in Elements under \
                     Settings > API app registration"
                );
            }
        }
        self.found = Some(found);
    }

    /// What the configuration makes of the customers, if they were ever read.
    pub(super) fn discovered(&self) -> Option<Arc<Discovered>> {
        self.discovered.clone()
    }
}
