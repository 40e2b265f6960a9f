//! What a poll is about: the partner, one of its customers, or one tenant of a customer.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Customer, CustomerId, Tenant, TenantId};

/// The kinds of targets. Each collector reads listings of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// The partner that the app registration belongs to: all its customers in one listing.
    Partner,
    /// One customer of the partner.
    Customer,
    /// One Microsoft 365 tenant of a customer.
    Tenant,
}

/// Which target: the key of everything that is kept per target, such as lanes of the rate limiter and polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetId {
    /// The partner; there is one per exporter.
    Partner,
    /// A customer.
    Customer(CustomerId),
    /// A tenant.
    Tenant(TenantId),
}

impl TargetId {
    /// The kind of this target.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Partner => Unit::Partner,
            Self::Customer(_) => Unit::Customer,
            Self::Tenant(_) => Unit::Tenant,
        }
    }
}

/// A target with everything that requests, labels and log lines say about it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The partner, known by the client id of its app registration.
    Partner(Arc<str>),
    /// A customer.
    Customer(Arc<Customer>),
    /// A tenant.
    Tenant(Arc<Tenant>),
}

impl Target {
    /// The key of this target.
    pub fn id(&self) -> TargetId {
        match self {
            Self::Partner(_) => TargetId::Partner,
            Self::Customer(customer) => TargetId::Customer(customer.id),
            Self::Tenant(tenant) => TargetId::Tenant(tenant.tenant_id),
        }
    }

    /// The tenant, if this target is one.
    pub fn tenant(&self) -> Option<&Arc<Tenant>> {
        match self {
            Self::Tenant(tenant) => Some(tenant),
            Self::Partner(_) | Self::Customer(_) => None,
        }
    }

    /// The name for people, as `Contoso (contoso.example)`; ids where names are not known.
    pub fn name(&self) -> String {
        match self {
            Self::Partner(client_id) => client_id.to_string(),
            Self::Customer(customer) => customer.name().into_owned(),
            Self::Tenant(tenant) => {
                format!("{} ({})", tenant.customer_name(), tenant.tenant_name())
            }
        }
    }

    /// The labels that all series of this target carry, with their values.
    pub fn labels(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Partner(_) => Vec::new(),
            Self::Customer(customer) => vec![
                ("customer_id", customer.id.to_string()),
                ("customer_name", customer.name().into_owned()),
            ],
            Self::Tenant(tenant) => vec![
                ("m365_tenant_id", tenant.tenant_id.to_string()),
                ("m365_tenant_name", tenant.tenant_name().into_owned()),
            ],
        }
    }

    /// A route with this target's ids in place of `{customerId}` and `{tenantId}`.
    pub fn route(&self, route: &str) -> String {
        match self {
            Self::Partner(_) => route.to_owned(),
            Self::Customer(customer) => route.replace("{customerId}", &customer.id.to_string()),
            Self::Tenant(tenant) => route
                .replace("{customerId}", &tenant.customer_id.to_string())
                .replace("{tenantId}", &tenant.tenant_id.to_string()),
        }
    }

    /// Bytes that tell this target from others, the same in each process: they place its polls in their intervals.
    pub fn seed(&self) -> Vec<u8> {
        match self {
            // Exporters with app registrations of their own do not all poll at the same time.
            Self::Partner(client_id) => client_id.as_bytes().to_vec(),
            Self::Customer(customer) => customer.id.bits().to_be_bytes().to_vec(),
            Self::Tenant(tenant) => tenant.tenant_id.bits().to_be_bytes().to_vec(),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Partner => "partner",
            Self::Customer => "customer",
            Self::Tenant => "tenant",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "/customers/{customerId}/tenants/{tenantId}";

    #[test]
    fn each_unit_fills_the_placeholders_and_labels_that_it_has() {
        let customer = Target::Customer(Arc::new(Customer {
            id: CustomerId::from_bits(1),
            name: Some("Contoso".to_owned()),
        }));
        let tenant = Target::Tenant(Arc::new(Tenant::bare(1, 2)));
        let [one, two] = [1, 2].map(|id| TenantId::from_bits(id).to_string());
        assert_eq!(
            tenant.route(ROUTE),
            format!("/customers/{one}/tenants/{two}")
        );
        assert_eq!(
            customer.route("/customers/{customerId}"),
            format!("/customers/{one}")
        );
        assert_eq!(
            Target::Partner("a".into()).route("/customers"),
            "/customers"
        );
        assert_eq!(
            customer.labels(),
            [
                ("customer_id", one),
                ("customer_name", "Contoso".to_owned())
            ]
        );
        // Without a name, the id stands for it.
        assert_eq!(
            tenant.labels(),
            [("m365_tenant_id", two.clone()), ("m365_tenant_name", two)]
        );
        assert_eq!(Target::Partner("a".into()).labels(), []);
        assert_eq!(
            [Target::Partner("a".into()), customer, tenant].map(|target| target.id().unit()),
            [Unit::Partner, Unit::Customer, Unit::Tenant]
        );
    }
}
