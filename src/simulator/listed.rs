//! The rows of a listing: how many, which ones a filter picks, and each one written as faults leave it.
//! Knows nothing of pages.

use std::borrow::Cow;

use super::distort::Distort;
use super::faults::{Fault, Listing};
use super::rows::Customer;
use super::tenant::{Tenant, again};
use super::wire::Writer;

/// Where the rows of a listing come from.
#[derive(Clone, Copy)]
pub(super) enum Listed<'a> {
    /// The customers themselves.
    Customers(&'a [Customer]),
    /// A listing of a tenant's users.
    Users {
        listing: Listing,
        tenant: &'a Tenant,
        tick: u64,
    },
}

/// Which rows are asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Filter {
    #[default]
    All,
    /// Those with one of these status codes.
    Statuses(Vec<u32>),
    /// Those with one of these mail addresses.
    Emails(Vec<String>),
    /// Those with one of these ids.
    Ids(Vec<String>),
}

impl Listed<'_> {
    pub(super) fn count(&self) -> usize {
        match *self {
            Self::Customers(rows) => rows.len(),
            Self::Users {
                listing,
                tenant,
                tick,
            } => match listing {
                Listing::Security => tenant.security_count(tick),
                Listing::OlderSecurity => tenant.older_security_count(tick),
                Listing::Directory => tenant.directory_count(),
                Listing::Protected => tenant.protected_count(),
                Listing::Partner => tenant.partner_count(),
                Listing::DeletedPartner => tenant.deleted_partner_count(tick),
                Listing::Customers | Listing::Token | Listing::PartnerToken => 0,
            },
        }
    }

    /// The indices of the rows that a filter picks; nothing without a filter.
    pub(super) fn picked(&self, filter: &Filter) -> Option<Vec<usize>> {
        if *filter == Filter::All {
            return None;
        }
        Some(
            (0..self.count())
                .filter(|k| self.picks(filter, *k))
                .collect(),
        )
    }

    fn picks(&self, filter: &Filter, k: usize) -> bool {
        let among = |wanted: &[String], have: Option<&str>| {
            have.is_some_and(|have| wanted.iter().any(|id| id.eq_ignore_ascii_case(have)))
        };
        match (filter, *self) {
            (
                Filter::Statuses(codes),
                Self::Users {
                    listing,
                    tenant,
                    tick,
                },
            ) => codes.iter().any(|code| match listing {
                Listing::OlderSecurity => tenant.has_older_status(tick, k, *code),
                _ => tenant.has_status(tick, k, i64::from(*code)),
            }),
            (Filter::Emails(emails), Self::Users { tenant, tick, .. }) => {
                let row = tenant.endless_protected_user(tick, k);
                among(emails, row.as_ref().and_then(|row| row.email.as_deref()))
            }
            (Filter::Ids(ids), Self::Users { tenant, tick, .. }) => {
                let row = tenant.endless_directory_user(tick, k);
                among(ids, row.as_ref().and_then(|row| row.user.id.as_deref()))
            }
            (Filter::Ids(ids), Self::Customers(rows)) => {
                among(ids, rows.get(k).and_then(|row| row.id.as_deref()))
            }
            _ => true,
        }
    }

    /// Writes row `k` as the faults that strike leave it; nothing when there are no rows at all. The
    /// listing never ends here: made-up rows go on, given rows start over.
    pub(super) fn write(&self, writer: &mut Writer, k: usize, strikes: &[Fault]) -> Option<()> {
        match *self {
            Self::Customers(rows) => {
                let row = again(rows, k).map(Cow::Borrowed);
                let row = distorted(row, k, strikes)?;
                writer.customer(&row, k);
            }
            Self::Users {
                listing,
                tenant,
                tick,
            } => match listing {
                Listing::Security => {
                    let row = tenant.endless_security_user(tick, k);
                    let row = distorted(row, k, strikes)?;
                    writer.security_user(&row, k);
                }
                Listing::OlderSecurity => {
                    let row = tenant.endless_older_security_user(tick, k);
                    let row = distorted(row, k, strikes)?;
                    writer.older_security_user(&row, k);
                }
                Listing::Directory => {
                    let row = tenant.endless_directory_user(tick, k);
                    let row = distorted(row, k, strikes)?;
                    writer.directory_user(&row, k);
                }
                Listing::Protected => {
                    let row = tenant.endless_protected_user(tick, k);
                    let row = distorted(row, k, strikes)?;
                    writer.protected_user(&row, k);
                }
                Listing::Partner | Listing::DeletedPartner => {
                    let row = match listing {
                        Listing::Partner => tenant.endless_partner_user(tick, k),
                        _ => tenant.endless_deleted_partner_user(tick, k),
                    };
                    let row = distorted(row, k, strikes)?;
                    writer.partner_user(&row, k, tenant.tenant_id);
                }
                Listing::Customers | Listing::Token | Listing::PartnerToken => {}
            },
        }
        Some(())
    }
}

/// A row as the faults that strike leave it.
fn distorted<T: Distort + Clone>(
    row: Option<Cow<'_, T>>,
    k: usize,
    strikes: &[Fault],
) -> Option<T> {
    let mut row = row?.into_owned();
    row.distort(k, strikes);
    Some(row)
}
