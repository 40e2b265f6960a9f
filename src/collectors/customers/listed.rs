//! A customer as the listing has it.

use serde::{Deserialize, Serialize};

use crate::domain::{BackupStatus, CustomerId, ManagementMode, TenantId};

/// A customer with its tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedCustomer {
    /// Unique in the listing.
    pub id: CustomerId,
    /// For people.
    pub name: Option<String>,
    /// The state of its backups.
    pub backup_status: Option<BackupStatus>,
    /// Its country or region.
    pub country: Option<String>,
    /// Who looks after it.
    pub management_mode: Option<ManagementMode>,
    /// Its tenants; there may be none.
    pub tenants: Vec<ListedTenant>,
    /// Tenants that it has beside: those of other services, whose ids are no GUIDs, and those that are not set up yet.
    #[serde(default, skip_serializing_if = "super::is_none")]
    pub unsupported: u64,
}

impl ListedCustomer {
    /// A customer of whom nothing but this id is known.
    pub const fn bare(id: u128) -> Self {
        Self {
            id: CustomerId::from_bits(id),
            name: None,
            backup_status: None,
            country: None,
            management_mode: None,
            tenants: Vec::new(),
            unsupported: 0,
        }
    }
}

/// A tenant, as its customer lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedTenant {
    /// Not unique: two customers may list the same tenant.
    pub id: TenantId,
    /// For people.
    pub name: Option<String>,
}
