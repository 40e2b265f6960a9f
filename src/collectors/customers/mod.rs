//! The collector `customers`: the partner's customers with their tenants. Discovery goes by them.

mod listed;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Collect, Found, Poll, References};
use crate::config::NoOptions;
use crate::domain::{Api, BackupStatus, CustomerId, ManagementMode, Timestamp};
use crate::metric::FiguresMetric;
use crate::upstream::{ApiError, Cause, Page};

pub use self::listed::{ListedCustomer, ListedTenant};
use self::wire::CustomerRows;

/// The most customers that there may be, and the most tenants that all of them together may have. Each has series
/// and tenants are polled; a partner has some thousands.
const MOST: usize = 50_000;

/// The most distinct codes of one kind in a listing. Each becomes series for ever, and far fewer are documented.
const MOST_CODES: usize = 64;

/// The collector.
#[derive(Debug)]
pub struct Customers;

/// All customers that the API lists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// By id in ascending order, each once.
    pub customers: Vec<ListedCustomer>,
}

impl Collect for Customers {
    type Options = NoOptions;
    type Figures = Figures;

    /// What is shown of customers depends on the patterns of the configuration too: see `exposition/fleet.rs`.
    const METRICS: &'static [FiguresMetric<Figures>] = &[];

    fn permission(_: NoOptions) -> Option<&'static str> {
        Some(wire::ENDPOINT.permission)
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
        let mut fold = Fold::default();
        poll.list(&wire::ENDPOINT, &CustomerRows, |page| fold.page(page))
            .await?;
        let customers: Vec<_> = fold.by_id.into_values().collect();
        check_plausible(earlier.unwrap_or_default(), &customers).map_err(|cause| ApiError {
            api: Api::Elements,
            route: "",
            cause,
            request_id: None,
            correlation_id: None,
        })?;
        Ok(Found {
            figures: Figures { customers },
            users: None,
        })
    }
}

/// The customers of the pages read so far.
#[derive(Debug, Default)]
struct Fold {
    by_id: BTreeMap<CustomerId, ListedCustomer>,
    tenants: usize,
    statuses: BTreeSet<BackupStatus>,
    modes: BTreeSet<ManagementMode>,
}

impl Fold {
    /// Adds a page. Returns how many distinct customers there are so far.
    fn page(&mut self, page: &Page<ListedCustomer>) -> Result<u64, Cause> {
        for customer in &page.rows {
            self.tenants += customer.tenants.len();
            self.statuses.extend(customer.backup_status);
            self.modes.extend(customer.management_mode);
            self.by_id
                .entry(customer.id)
                .or_insert_with(|| customer.clone());
        }
        if self.by_id.len().max(self.tenants) > MOST {
            return Err(Cause::Limit(format!(
                "there are more than {MOST} customers or tenants"
            )));
        }
        if self.statuses.len().max(self.modes.len()) > MOST_CODES {
            return Err(Cause::Limit(format!(
                "the listing has more than {MOST_CODES} distinct codes"
            )));
        }
        Ok(self.by_id.len() as u64)
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
    use crate::domain::{Reason, TenantId};

    fn with_tenants(tenants: usize) -> ListedCustomer {
        let tenant = ListedTenant {
            id: TenantId::from_bits(1),
            name: None,
        };
        ListedCustomer {
            tenants: vec![tenant; tenants],
            ..ListedCustomer::bare(1)
        }
    }

    #[test]
    fn all_customers_or_all_tenants_gone_at_once_is_implausible() {
        let [none, bare, full] = [
            vec![],
            vec![ListedCustomer::bare(1)],
            vec![with_tenants(1), ListedCustomer::bare(2)],
        ];
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

    #[test]
    fn a_customer_on_two_pages_counts_once_and_the_first_time() {
        let mut all = Fold::default();
        let first = ListedCustomer {
            name: Some("first".to_owned()),
            ..ListedCustomer::bare(2)
        };
        all.page(&Page::of(vec![first.clone(), ListedCustomer::bare(1)]))
            .unwrap();
        all.page(&Page::of(vec![ListedCustomer::bare(2)])).unwrap();
        let read: Vec<_> = all.by_id.into_values().collect();
        assert_eq!(read, [ListedCustomer::bare(1), first]);
    }

    #[test]
    fn more_customers_tenants_or_codes_than_any_real_listing_has_are_refused() {
        let mut all = Fold::default();
        all.page(&Page::of(vec![with_tenants(MOST)])).unwrap();
        let error = all.page(&Page::of(vec![with_tenants(1)])).unwrap_err();
        assert_eq!(error.reason(), Reason::Limit);

        let mut all = Fold::default();
        let most = 1..=MOST as u128;
        all.page(&Page::of(most.map(ListedCustomer::bare).collect()))
            .unwrap();
        let error = all
            .page(&Page::of(vec![ListedCustomer::bare(0)]))
            .unwrap_err();
        assert_eq!(error.reason(), Reason::Limit);

        let coded = |code| ListedCustomer {
            backup_status: Some(BackupStatus::from(code)),
            ..ListedCustomer::bare(1)
        };
        let mut all = Fold::default();
        all.page(&Page::of((100..164).map(coded).collect()))
            .unwrap();
        let error = all.page(&Page::of(vec![coded(1)])).unwrap_err();
        assert_eq!(error.reason(), Reason::Limit);
    }
}
