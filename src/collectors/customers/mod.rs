//! The collector `customers`: the partner's customers with their tenants. Discovery goes by them.

mod wire;

use serde::{Deserialize, Serialize};

use super::{Collect, Found, Poll, References};
use crate::config::NoOptions;
use crate::domain::{BackupStatus, CustomerId, ManagementMode, TenantId, Timestamp};
use crate::metric::FiguresMetric;
use crate::upstream::{ApiError, Cause, pages_of};

/// The collector.
#[derive(Debug)]
pub struct Customers;

/// All customers that the API lists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// By id in ascending order, each once.
    pub customers: Vec<ListedCustomer>,
}

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
}

/// A tenant, as its customer lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedTenant {
    /// Not unique: two customers may list the same tenant.
    pub id: TenantId,
    /// For people.
    pub name: Option<String>,
}

impl Collect for Customers {
    type Options = NoOptions;
    type Figures = Figures;

    /// What is shown of customers depends on the patterns of the configuration too: see `exposition/fleet.rs`.
    const METRICS: &'static [FiguresMetric<Figures>] = &[];

    fn permission(_: NoOptions) -> Option<&'static str> {
        Some(wire::PERMISSION)
    }

    fn requests(_: NoOptions, rows: u64) -> u64 {
        pages_of(rows)
    }

    fn nothing(_: NoOptions, _: References, _: Timestamp) -> Found<Figures> {
        Found {
            figures: Figures::default(),
            users: None,
        }
    }

    async fn poll(poll: Poll<'_, Self>) -> Result<Found<Figures>, ApiError> {
        let earlier = poll
            .earlier
            .map(|(figures, _)| figures.customers.as_slice());
        let elements = &poll.clients.elements;
        let customers = wire::read(elements, poll.target, poll.size, |customers| {
            check_plausible(earlier.unwrap_or_default(), customers)
        })
        .await?;
        Ok(Found {
            figures: Figures { customers },
            users: None,
        })
    }
}

/// Says what cannot be true of a listing that follows on another: all customers, or all tenants, gone at once.
/// An API that lost its data, or an app registration that lost its scope, must not take all series along.
fn check_plausible(before: &[ListedCustomer], now: &[ListedCustomer]) -> Result<(), Cause> {
    let has_tenants = |all: &[ListedCustomer]| all.iter().any(|one| !one.tenants.is_empty());
    let what = if !before.is_empty() && now.is_empty() {
        "customers"
    } else if has_tenants(before) && !has_tenants(now) {
        "tenants"
    } else {
        return Ok(());
    };
    Err(Cause::Implausible(format!(
        "no {what} any more; check the customer scope of the app registration, or if this is right stop the exporter, \
         delete warm-start.json in its state_dir, and start it again"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reason;

    fn customer(tenants: usize) -> ListedCustomer {
        let tenant = ListedTenant {
            id: TenantId::from_bits(1),
            name: None,
        };
        ListedCustomer {
            id: CustomerId::from_bits(1),
            name: None,
            backup_status: None,
            country: None,
            management_mode: None,
            tenants: vec![tenant; tenants],
        }
    }

    #[test]
    fn all_customers_or_all_tenants_gone_at_once_is_implausible() {
        let [none, bare, full] = [vec![], vec![customer(0)], vec![customer(1), customer(0)]];
        for (before, now, plausible) in [
            (&none, &none, true),
            (&none, &full, true),
            (&bare, &bare, true),
            (&full, &full, true),
            (&bare, &none, false),
            (&full, &none, false),
            (&full, &bare, false),
        ] {
            let checked = check_plausible(before, now).map_err(|cause| cause.reason());
            let expected = if plausible {
                Ok(())
            } else {
                Err(Reason::Implausible)
            };
            assert_eq!(checked, expected);
        }
    }
}
