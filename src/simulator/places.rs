//! Which customers and tenants a made-up world has: ids, names, sizes. Knows nothing of users.

use crate::domain::{CustomerId, TenantId};

use super::chance::{below, bits, mix, pick};
use super::names;
use super::rows::Customer;

/// Where a tenant stands in a made-up world.
pub(super) struct Place {
    pub(super) customer_id: CustomerId,
    pub(super) tenant_id: TenantId,
    pub(super) customer_name: String,
    pub(super) tenant_name: String,
    /// The name in the tenant's mail domains.
    pub(super) domain: String,
    /// What the tenant's rows are made up from.
    pub(super) seed: u64,
}

/// Ids and names of tenant `n`; every fifth belongs to the customer before it.
pub(super) fn place(seed: u64, n: usize) -> Place {
    let second = n % 5 == 4;
    let customer = n - (n + 1) / 5;
    let name = pick(names::CUSTOMERS, customer as u64);
    let round = customer / names::CUSTOMERS.len() + 1;
    let mut customer_name = name.to_owned();
    let mut domain = name.replace(' ', "").to_ascii_lowercase();
    if round > 1 {
        customer_name = format!("{customer_name} {round}");
        domain = format!("{domain}{round}");
    }
    if second {
        domain.push_str("-lab");
    }
    Place {
        customer_id: CustomerId::from_bits(bits(mix(seed, 1), customer)),
        tenant_id: TenantId::from_bits(bits(mix(seed, 2), n)),
        customer_name,
        tenant_name: format!("{domain}.onmicrosoft.com"),
        domain,
        seed: mix(mix(seed, 3), n),
    }
}

/// How many users tenant `n` of `tenants` has; see [`super::World::seeded`].
pub(super) fn users_of(seed: u64, n: usize, tenants: usize, users: usize) -> usize {
    let more = below(mix(mix(seed, 4), n / 2), users / 2 + 1);
    match n % 2 {
        0 if n + 1 == tenants => users,
        0 => users + more,
        _ => users - more,
    }
}

/// Adds what is known of customer `n` beside its name and its tenants.
pub(super) fn describe(customer: &mut Customer, seed: u64, n: usize) {
    let hash = mix(mix(seed, 5), n);
    let domain = customer.organization.as_deref().unwrap_or_default();
    let domain = domain.replace(' ', "").to_ascii_lowercase();
    customer.owner_email = Some(format!("owner@{domain}.example"));
    // Most work, and most are managed by the partner.
    customer.job_status = Some(match hash % 16 {
        0..10 => 1,
        10 | 11 => 2,
        12 => 3,
        13 => 4,
        14 => 5,
        _ => 6,
    });
    customer.country_or_region = Some(pick(names::COUNTRIES, hash >> 8).to_owned());
    customer.management_mode = Some(i64::from(hash >> 16 & 3 != 0));
}

/// The customer after customer `n`: it has not got as far as a tenant.
pub(super) fn customer_without_tenant(seed: u64, n: usize) -> Customer {
    let id = CustomerId::from_bits(bits(mix(seed, 6), n));
    let mut customer = Customer {
        id: Some(id.to_string()),
        organization: Some(format!("Newcomer {}", n / 5 + 1)),
        tenants: Some(Vec::new()),
        ..Customer::default()
    };
    describe(&mut customer, !seed, n);
    customer.job_status = Some(0);
    customer.management_mode = Some(2);
    customer
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_mean_number_of_users_is_exact() {
        for tenants in [1, 2, 5, 10] {
            let all: Vec<usize> = (0..tenants)
                .map(|n| super::users_of(3, n, tenants, 1_000))
                .collect();
            assert_eq!(all.iter().sum::<usize>(), tenants * 1_000);
        }
        assert_eq!(super::users_of(3, 0, 1, 1_000), 1_000);
    }
}
