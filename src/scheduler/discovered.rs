//! What the configuration makes of the customers that discovery found, and what the log has said of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{CustomerId, TenantId};
use crate::fleet::Fleet;
use crate::snapshot::Discovered;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    discovered: Option<Arc<Discovered>>,
    /// The tenants that several customers list.
    contested: BTreeMap<TenantId, CustomerId>,
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

    /// What the configuration makes of the customers, if they were ever read.
    pub(super) fn discovered(&self) -> Option<Arc<Discovered>> {
        self.discovered.clone()
    }
}
