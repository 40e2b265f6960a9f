//! Customers of the partner and their tenants.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CustomerId, TenantId};

/// One customer of the partner, with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The customer in AvePoint Elements; unique in one exporter.
    pub id: CustomerId,
    /// For people, if known.
    pub name: Option<String>,
}

impl Customer {
    /// The customer's name, or its id if no name is known.
    pub fn name(&self) -> Cow<'_, str> {
        name_or_id(self.name.as_deref(), self.id)
    }
}

/// One Microsoft 365 tenant of one customer, with its names and the operator's labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The customer in AvePoint Elements that the tenant belongs to.
    pub customer_id: CustomerId,
    /// The tenant; unique in one exporter.
    pub tenant_id: TenantId,
    /// For people, where one is known.
    pub customer_name: Option<String>,
    /// For people, where one is known.
    pub tenant_name: Option<String>,
    /// The operator's own labels for `avepoint_tenant_info`. Not kept over a restart: the configuration has them.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
    /// How the exporter came to know it.
    pub source: TenantSource,
}

impl Tenant {
    /// The customer's name; its id where none is known.
    pub fn customer_name(&self) -> Cow<'_, str> {
        name_or_id(self.customer_name.as_deref(), self.customer_id)
    }

    /// The tenant's name; its id where none is known.
    pub fn tenant_name(&self) -> Cow<'_, str> {
        name_or_id(self.tenant_name.as_deref(), self.tenant_id)
    }
}

#[cfg(test)]
impl Tenant {
    /// For tests: a tenant of the configuration with nothing but these ids.
    pub(crate) fn bare(customer: u128, tenant: u128) -> Self {
        Self {
            customer_id: CustomerId::from_bits(customer),
            tenant_id: TenantId::from_bits(tenant),
            customer_name: None,
            tenant_name: None,
            labels: BTreeMap::new(),
            source: TenantSource::Config,
        }
    }
}

/// What to call something whose name may be unknown.
pub fn name_or_id(name: Option<&str>, id: impl fmt::Display) -> Cow<'_, str> {
    name.map_or_else(|| Cow::Owned(id.to_string()), Cow::Borrowed)
}

/// How the exporter came to know a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantSource {
    /// The operator listed it.
    Config,
    /// The API lists it.
    Discovery,
}

impl TenantSource {
    /// The value of the label `source`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Discovery => "discovery",
        }
    }
}
