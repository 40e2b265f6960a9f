//! What the simulated service knows: customers and tenants, as plain data that an oracle can count by
//! itself. Knows neither HTTP nor JSON nor faults.

use std::collections::HashMap;

use crate::domain::{CustomerId, TenantId, Timestamp};

use super::places;
use super::rows::{Customer, CustomerTenant};
use super::tenant::{CannotRise, Tenant};

/// All customers and tenants of the simulated service.
#[derive(Debug, Clone, Default)]
pub struct World {
    customers: Vec<Customer>,
    tenants: Vec<Tenant>,
    by_id: HashMap<TenantId, usize>,
}

impl World {
    /// A world of these tenants, and of the customers that they belong to. Of two tenants with one id the
    /// last is found.
    pub fn given(tenants: Vec<Tenant>) -> Self {
        Self::given_with(owners(&tenants), tenants)
    }

    /// A world of exactly these customers and tenants. A tenant is found under the customer that it names
    /// and under each that names it.
    pub fn given_with(customers: Vec<Customer>, tenants: Vec<Tenant>) -> Self {
        let by_id = tenants
            .iter()
            .enumerate()
            .map(|(n, tenant)| (tenant.tenant_id, n))
            .collect();
        Self {
            customers,
            tenants,
            by_id,
        }
    }

    /// A world made up from a seed; the rows of its tenants are generated when asked for and never stored.
    ///
    /// `users` is the mean number of users per tenant, and exact in sum: of each pair of neighbours one
    /// has up to half as many more and the other as many less; the last of an odd number of tenants
    /// (so also the only one) has exactly `users`. Every fifth tenant belongs to the customer of the
    /// tenant before it. After every fifth customer comes one that has no tenant at all.
    pub fn seeded(seed: u64, tenants: usize, users: usize) -> Self {
        let tenants: Vec<_> = (0..tenants)
            .map(|n| {
                let users = places::users_of(seed, n, tenants, users);
                Tenant::seeded(places::place(seed, n), users)
            })
            .collect();
        let mut customers = owners(&tenants);
        for (n, customer) in customers.iter_mut().enumerate() {
            places::describe(customer, seed, n);
        }
        let mut all = Vec::with_capacity(customers.len() + customers.len() / 5);
        for (n, customer) in customers.into_iter().enumerate() {
            all.push(customer);
            if n % 5 == 4 {
                all.push(places::customer_without_tenant(seed, n));
            }
        }
        Self::given_with(all, tenants)
    }

    /// The same world with its made-up dates around this day. The simulated service does this with its
    /// clock to each world that it is given, so that some accounts end soon.
    #[must_use]
    pub fn dated(mut self, now: Timestamp) -> Self {
        for tenant in &mut self.tenants {
            tenant.date(now);
        }
        self
    }

    /// All customers, with and without tenants.
    pub fn customers(&self) -> &[Customer] {
        &self.customers
    }

    /// All tenants.
    pub fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    /// The tenant with this id.
    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(*self.by_id.get(&id)?)
    }

    /// Makes so many more users of a tenant's security listing high risk, who were not at this tick. Returns how
    /// many now are.
    ///
    /// # Errors
    /// Why nobody was.
    pub fn raise_high_risk(
        &mut self,
        id: TenantId,
        tick: u64,
        users: usize,
    ) -> Result<usize, CannotRise> {
        let tenant = self.by_id.get(&id).and_then(|n| self.tenants.get_mut(*n));
        let tenant = tenant.ok_or(CannotRise::NoTenant(id))?;
        tenant.raise_high_risk(tick, users)
    }

    /// The tenant with this id, if it is one of this customer's.
    pub(super) fn tenant_of(&self, customer: CustomerId, id: TenantId) -> Option<&Tenant> {
        let named = |row: &Customer| {
            let mut tenants = row.tenants.iter().flatten();
            row.id.as_ref().and_then(|id| id.parse().ok()) == Some(customer)
                && tenants
                    .any(|tenant| tenant.id.as_ref().and_then(|id| id.parse().ok()) == Some(id))
        };
        self.tenant(id)
            .filter(|tenant| tenant.customer_id == customer || self.customers.iter().any(named))
    }
}

/// The customers that these tenants belong to, in the order of their first tenants.
fn owners(tenants: &[Tenant]) -> Vec<Customer> {
    let mut customers: Vec<Customer> = Vec::new();
    let mut places = HashMap::new();
    for tenant in tenants {
        let place = *places.entry(tenant.customer_id).or_insert(customers.len());
        if place == customers.len() {
            customers.push(Customer {
                id: Some(tenant.customer_id.to_string()),
                organization: Some(tenant.customer_name.clone()),
                ..Customer::default()
            });
        }
        if let Some(customer) = customers.get_mut(place) {
            customer
                .tenants
                .get_or_insert_default()
                .push(CustomerTenant {
                    id: Some(tenant.tenant_id.to_string()),
                    name: Some(tenant.tenant_name.clone()),
                });
        }
    }
    customers
}

#[cfg(test)]
mod tests;
