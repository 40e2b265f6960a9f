//! What the simulated service knows: tenants and their rows, as plain data that an oracle can count
//! by itself. Knows neither HTTP nor JSON nor faults.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::domain::{CustomerId, TenantId};

use super::places;
use super::rows::{ProtectedUser, SecurityUser};
use super::seeded::Seeded;

/// A tenant and its rows.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The customer that the tenant belongs to.
    pub customer_id: CustomerId,
    /// The tenant; unique in a world.
    pub tenant_id: TenantId,
    /// For people.
    pub customer_name: String,
    /// For people.
    pub tenant_name: String,
    rows: Rows,
}

#[derive(Debug, Clone)]
enum Rows {
    Given {
        security: Vec<SecurityUser>,
        protected: Vec<ProtectedUser>,
    },
    Seeded(Seeded),
}

impl Tenant {
    /// A tenant with exactly these rows, at every tick.
    pub fn given(
        customer_id: CustomerId,
        tenant_id: TenantId,
        security: Vec<SecurityUser>,
        protected: Vec<ProtectedUser>,
    ) -> Self {
        Self {
            customer_id,
            tenant_id,
            customer_name: customer_id.to_string(),
            tenant_name: tenant_id.to_string(),
            rows: Rows::Given {
                security,
                protected,
            },
        }
    }

    /// How many rows the security listing has.
    pub fn security_count(&self, tick: u64) -> usize {
        match &self.rows {
            Rows::Given { security, .. } => security.len(),
            Rows::Seeded(seeded) => seeded.security_count(tick),
        }
    }

    /// Row `k` of the security listing, counted from 0.
    pub fn security_user(&self, tick: u64, k: usize) -> Option<Cow<'_, SecurityUser>> {
        (k < self.security_count(tick))
            .then(|| self.endless_security_user(tick, k))
            .flatten()
    }

    /// All rows of the security listing.
    pub fn security_users(&self, tick: u64) -> impl Iterator<Item = Cow<'_, SecurityUser>> {
        (0..self.security_count(tick)).filter_map(move |k| self.security_user(tick, k))
    }

    /// How many rows the backup listing has; the same at every tick, only what they say changes.
    pub fn protected_count(&self) -> usize {
        match &self.rows {
            Rows::Given { protected, .. } => protected.len(),
            Rows::Seeded(seeded) => seeded.protected_count(),
        }
    }

    /// Row `k` of the backup listing, counted from 0.
    pub fn protected_user(&self, tick: u64, k: usize) -> Option<Cow<'_, ProtectedUser>> {
        (k < self.protected_count())
            .then(|| self.endless_protected_user(tick, k))
            .flatten()
    }

    /// All rows of the backup listing.
    pub fn protected_users(&self, tick: u64) -> impl Iterator<Item = Cow<'_, ProtectedUser>> {
        (0..self.protected_count()).filter_map(move |k| self.protected_user(tick, k))
    }

    /// Whether row `k` of the security listing has this code; found without making the row up.
    pub(super) fn has_status(&self, tick: u64, k: usize, code: i64) -> bool {
        match &self.rows {
            Rows::Given { security, .. } => security
                .get(k)
                .and_then(|row| row.statuses.as_ref())
                .is_some_and(|statuses| statuses.codes().contains(&code)),
            Rows::Seeded(seeded) => seeded.has_status(tick, k, code),
        }
    }

    /// Row `k` of a security listing that never ends: made-up rows go on, given rows start over.
    pub(super) fn endless_security_user(
        &self,
        tick: u64,
        k: usize,
    ) -> Option<Cow<'_, SecurityUser>> {
        match &self.rows {
            Rows::Given { security, .. } => again(security, k).map(Cow::Borrowed),
            Rows::Seeded(seeded) => Some(Cow::Owned(seeded.security_user(
                tick,
                k,
                &self.customer_name,
            ))),
        }
    }

    /// Row `k` of a backup listing that never ends.
    pub(super) fn endless_protected_user(
        &self,
        tick: u64,
        k: usize,
    ) -> Option<Cow<'_, ProtectedUser>> {
        match &self.rows {
            Rows::Given { protected, .. } => again(protected, k).map(Cow::Borrowed),
            Rows::Seeded(seeded) => Some(Cow::Owned(seeded.protected_user(tick, k))),
        }
    }
}

/// Row `k` of rows that start over at their end.
fn again<T>(rows: &[T], k: usize) -> Option<&T> {
    rows.get(k.checked_rem(rows.len())?)
}

/// All tenants of the simulated service.
#[derive(Debug, Clone, Default)]
pub struct World {
    tenants: Vec<Tenant>,
    by_id: HashMap<TenantId, usize>,
}

impl World {
    /// A world of these tenants. Of two with one id the last is found.
    pub fn given(tenants: Vec<Tenant>) -> Self {
        let by_id = tenants
            .iter()
            .enumerate()
            .map(|(n, tenant)| (tenant.tenant_id, n))
            .collect();
        Self { tenants, by_id }
    }

    /// A world made up from a seed; its rows are generated when asked for and never stored.
    ///
    /// `users` is the mean number of users per tenant, and exact in sum: of each pair of neighbours one
    /// has up to half as many more and the other as many less; the last of an odd number of tenants
    /// (so also the only one) has exactly `users`. Every fifth tenant belongs to the customer of the
    /// tenant before it.
    pub fn seeded(seed: u64, tenants: usize, users: usize) -> Self {
        let tenants = (0..tenants).map(|n| {
            let place = places::place(seed, n);
            Tenant {
                customer_id: place.customer_id,
                tenant_id: place.tenant_id,
                customer_name: place.customer_name,
                tenant_name: place.tenant_name,
                rows: Rows::Seeded(Seeded::new(
                    place.seed,
                    places::users_of(seed, n, tenants, users),
                    place.domain,
                )),
            }
        });
        Self::given(tenants.collect())
    }

    /// All tenants.
    pub fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    /// The tenant with this id.
    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(*self.by_id.get(&id)?)
    }
}

#[cfg(test)]
mod tests;
