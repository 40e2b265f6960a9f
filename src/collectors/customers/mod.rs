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
    /// Customers without an id, as the tenants that they have: one at least for each.
    #[serde(default, skip_serializing_if = "is_none")]
    pub nameless: u64,
}

impl Figures {
    /// The tenants that cannot be polled.
    pub fn unsupported(&self) -> u64 {
        let customers = self.customers.iter();
        customers.map(|one| one.unsupported).sum::<u64>() + self.nameless
    }
}

/// What most customers have none of is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_none(count: &u64) -> bool {
    *count == 0
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
        let earlier = poll.earlier.map(|(figures, _)| figures);
        let mut fold = Fold::default();
        poll.list(&wire::ENDPOINT, &CustomerRows, |page| fold.page(page))
            .await?;
        let found = Figures {
            customers: fold.by_id.into_values().collect(),
            nameless: fold.nameless,
        };
        let before = earlier.map_or(&[][..], |earlier| &earlier.customers);
        check_plausible(before, &found.customers).map_err(|cause| ApiError {
            api: Api::Elements,
            route: "",
            cause,
            request_id: None,
            correlation_id: None,
        })?;
        tell_unsupported(earlier, &found);
        Ok(Found {
            figures: found,
            users: None,
        })
    }
}

/// Says which customers have tenants that are left out, where that has changed.
fn tell_unsupported(before: Option<&Figures>, now: &Figures) {
    let unsupported = |figures: &Figures| -> BTreeMap<_, _> {
        let customers = figures.customers.iter();
        customers.map(|one| (one.id, one.unsupported)).collect()
    };
    let earlier = before.map(unsupported).unwrap_or_default();
    for customer in &now.customers {
        let tenants = customer.unsupported;
        let before = earlier.get(&customer.id).copied().unwrap_or(0);
        if tenants == 0 && before > 0 {
            tracing::info!(
                customer_id = %customer.id,
                customer_name = customer.name,
                "no tenants of this customer are left out any more"
            );
        } else if tenants != before {
            tracing::warn!(
                customer_id = %customer.id,
                customer_name = customer.name,
                tenants,
                "tenants of this customer are left out: not set up yet, or of another service than Microsoft 365"
            );
        }
    }
    if now.nameless > 0 && now.nameless != before.map_or(0, |before| before.nameless) {
        tracing::warn!(
            tenants = now.nameless,
            "customers without a valid id are left out; they are probably not set up yet"
        );
    }
}

/// The customers of the pages read so far.
#[derive(Debug, Default)]
struct Fold {
    by_id: BTreeMap<CustomerId, ListedCustomer>,
    nameless: u64,
    pages: usize,
    tenants: usize,
    statuses: BTreeSet<BackupStatus>,
    modes: BTreeSet<ManagementMode>,
}

impl Fold {
    /// Adds a page. Returns how many distinct customers there are so far.
    fn page(&mut self, page: &Page<Result<ListedCustomer, u64>>) -> Result<u64, Cause> {
        let (known, mut nameless) = (self.by_id.len(), 0);
        for customer in &page.rows {
            let customer = match customer {
                Ok(customer) => customer,
                Err(tenants) => {
                    nameless += tenants.max(&1);
                    continue;
                }
            };
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
        // Without an id nobody knows them again, so they must not make a page new that comes twice.
        if self.pages == 0 || self.by_id.len() > known {
            self.nameless += nameless;
        }
        self.pages += 1;
        Ok(self.by_id.len() as u64 + u64::from(self.nameless > 0))
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
        all.page(&Page::of(vec![
            Ok(first.clone()),
            Ok(ListedCustomer::bare(1)),
        ]))
        .unwrap();
        all.page(&Page::of(vec![Ok(ListedCustomer::bare(2))]))
            .unwrap();
        let read: Vec<_> = all.by_id.into_values().collect();
        assert_eq!(read, [ListedCustomer::bare(1), first]);
    }

    #[test]
    fn a_page_that_comes_twice_is_not_new_by_the_customers_without_an_id() {
        let mut all = Fold::default();
        let page = Page::of(vec![Err(3), Ok(ListedCustomer::bare(1)), Err(0)]);
        for _ in 0..3 {
            assert_eq!(all.page(&page).unwrap(), 2);
            assert_eq!(all.nameless, 4);
        }
        let next = Page::of(vec![Ok(ListedCustomer::bare(2)), Err(1)]);
        assert_eq!((all.page(&next).unwrap(), all.nameless), (3, 5));
        let mut none = Fold::default();
        assert_eq!(none.page(&Page::of(vec![Err(0)])).unwrap(), 1);
    }

    #[test]
    fn more_customers_tenants_or_codes_than_any_real_listing_has_are_refused() {
        let mut all = Fold::default();
        all.page(&Page::of(vec![Ok(with_tenants(MOST))])).unwrap();
        let error = all.page(&Page::of(vec![Ok(with_tenants(1))])).unwrap_err();
        assert_eq!(error.reason(), Reason::Limit);

        let mut all = Fold::default();
        let most = 1..=MOST as u128;
        all.page(&Page::of(
            most.map(|id| Ok(ListedCustomer::bare(id))).collect(),
        ))
        .unwrap();
        let error = all
            .page(&Page::of(vec![Ok(ListedCustomer::bare(0))]))
            .unwrap_err();
        assert_eq!(error.reason(), Reason::Limit);

        let coded = |code| ListedCustomer {
            backup_status: Some(BackupStatus::from(code)),
            ..ListedCustomer::bare(1)
        };
        let mut all = Fold::default();
        all.page(&Page::of((100..164).map(|code| Ok(coded(code))).collect()))
            .unwrap();
        let error = all.page(&Page::of(vec![Ok(coded(1))])).unwrap_err();
        assert_eq!(error.reason(), Reason::Limit);
    }
}
