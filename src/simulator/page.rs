//! Pages of listings: reads what is asked for, picks the rows, writes them. Knows upstream's paths and
//! queries and the faults that change a page's shape; knows nothing of sockets and tokens.

use serde::Deserialize;

use crate::domain::{CustomerId, TenantId};

use super::distort;
use super::faults::{Fault, Listing};
use super::tenant::Tenant;
use super::wire::{Metadata, Writer};

/// The size of a page when nobody asks for one.
const DEFAULT_SIZE: usize = 50;
/// Rows move by so many places.
const MOVED: usize = 3;
/// How deep an unknown field is nested.
const DEPTH: usize = 20_000;

/// A listing of one tenant, as a path names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) listing: Listing,
    pub(super) customer: CustomerId,
    pub(super) tenant: TenantId,
}

impl Target {
    /// Reads upstream's path.
    pub(super) fn from_path(path: &str) -> Option<Self> {
        let path = path.strip_prefix("/partner/external/v3/")?;
        let (area, path) = path.split_once("/customers/")?;
        let (customer, path) = path.split_once("/tenants/")?;
        let (tenant, rest) = path.split_once('/')?;
        let listing = match (area, rest) {
            ("um", "overview/security/users") => Listing::Security,
            ("general", "cloud-backup-m365/users/batch") => Listing::Protected,
            _ => return None,
        };
        Some(Self {
            listing,
            customer: customer.parse().ok()?,
            tenant: tenant.parse().ok()?,
        })
    }
}

/// Which page of which rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ask {
    index: usize,
    size: usize,
    status: Option<i64>,
    emails: Option<Vec<String>>,
}

/// The filter in the body of a request for protected users: the newer and the older form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    user_emails: Option<Vec<String>>,
    email: Option<String>,
}

impl Ask {
    /// Reads the query and, for the backup listing, the body; or says what is wrong with them.
    pub(super) fn read(listing: Listing, query: &str, body: &[u8]) -> Result<Self, &'static str> {
        let mut ask = Self {
            index: 1,
            size: DEFAULT_SIZE,
            ..Self::default()
        };
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "pageIndex" => ask.index = positive(&value).ok_or("pageIndex is wrong")?,
                "pageSize" => ask.size = positive(&value).ok_or("pageSize is wrong")?,
                "status" if listing == Listing::Security => {
                    ask.status = Some(value.parse().map_err(|_| "status is wrong")?);
                }
                _ => {}
            }
        }
        if listing == Listing::Protected {
            let filter: Filter = serde_json::from_slice(body).map_err(|_| "the body is wrong")?;
            ask.emails = filter.user_emails.or(filter.email.map(|email| vec![email]));
        }
        Ok(ask)
    }

    /// The query of the page after this one; it says that it was taken from a link.
    fn next_query(&self) -> String {
        // The size that was asked for, not the one that was given: it may be clamped again.
        let (index, size) = (self.index + 1, self.size);
        let query = format!("pageIndex={index}&pageSize={size}&{VIA_LINK}");
        match self.status {
            Some(status) => format!("{query}&status={status}"),
            None => query,
        }
    }
}

/// Marks a query that was taken from a `nextLink`.
pub(super) const VIA_LINK: &str = "via=nextLink";

/// A number from 1; so small that no sum of indices overflows.
fn positive(text: &str) -> Option<usize> {
    let number: u32 = text.parse().ok().filter(|n| *n > 0)?;
    usize::try_from(number).ok()
}

/// What a page is made from.
pub(super) struct Page<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) tick: u64,
    pub(super) listing: Listing,
    pub(super) ask: &'a Ask,
    pub(super) strikes: &'a [Fault],
    /// The largest size of a page.
    pub(super) limit: usize,
    /// Where links lead, up to the query.
    pub(super) link: &'a dyn Fn(bool) -> String,
}

impl Page<'_> {
    fn struck(&self, fault: Fault) -> bool {
        self.strikes.contains(&fault)
    }

    /// The page as JSON; nothing for a 204.
    pub(super) fn write(&self) -> Option<Vec<u8>> {
        let size = self.size();
        let picked = self.picked();
        let total = picked.as_ref().map_or_else(|| self.count(), Vec::len);
        let endless = self.struck(Fault::Endless) || self.struck(Fault::EndlessUncounted);
        let start = (self.ask.index - 1).saturating_mul(size);
        let end = if endless {
            start.saturating_add(size)
        } else {
            start.saturating_add(size).min(total)
        };
        if start >= end && self.struck(Fault::NoContent) {
            return None;
        }
        let moved = if start > 0 && self.struck(Fault::MoveRows) {
            MOVED.min(size)
        } else {
            0
        };

        let mut writer = Writer::new(self.struck(Fault::PascalCase));
        writer.start(if self.struck(Fault::Deep) { DEPTH } else { 0 });
        for place in start..end {
            let place = place - moved;
            if place % 2 == 1 && self.struck(Fault::NullRows) {
                writer.null_row();
                continue;
            }
            match &picked {
                None => self.write_row(&mut writer, place),
                Some(picked) => {
                    let place = place.checked_rem(picked.len());
                    if let Some(k) = place.and_then(|place| picked.get(place)) {
                        self.write_row(&mut writer, *k);
                    }
                }
            }
        }
        let metadata = Metadata {
            page_index: self.ask.index,
            page_size: size,
            total_count: match self.struck(Fault::EndlessUncounted) {
                true => None,
                false if endless => Some(end.saturating_add(size)),
                false => Some(total),
            },
        };
        let next = self.next_link(end < total || endless);
        Some(writer.end(metadata, next.as_deref()))
    }

    fn size(&self) -> usize {
        let size = self.ask.size.min(self.limit.max(1));
        if self.struck(Fault::Clamp) {
            (size / 2).max(1)
        } else {
            size
        }
    }

    fn next_link(&self, more: bool) -> Option<String> {
        let foreign = self.struck(Fault::ForeignLink);
        (foreign || more && self.struck(Fault::NextLink))
            .then(|| format!("{}?{}", (self.link)(foreign), self.ask.next_query()))
    }

    fn count(&self) -> usize {
        match self.listing {
            Listing::Protected => self.tenant.protected_count(),
            Listing::Security | Listing::Token => self.tenant.security_count(self.tick),
        }
    }

    /// The indices of the rows that a filter picks; nothing without a filter.
    fn picked(&self) -> Option<Vec<usize>> {
        let (tenant, tick) = (self.tenant, self.tick);
        let rows = 0..self.count();
        if let Some(status) = self.ask.status {
            return Some(
                rows.filter(|k| tenant.has_status(tick, *k, status))
                    .collect(),
            );
        }
        let emails = self.ask.emails.as_ref()?;
        let picked = rows.filter(|k| {
            let row = tenant.protected_user(tick, *k);
            let email = row.as_ref().and_then(|row| row.email.as_deref());
            email.is_some_and(|email| emails.iter().any(|other| other.eq_ignore_ascii_case(email)))
        });
        Some(picked.collect())
    }

    fn write_row(&self, writer: &mut Writer, k: usize) {
        let unknown = self.struck(Fault::UnknownCodes);
        let nulls = self.struck(Fault::NullFields);
        if self.listing == Listing::Protected {
            let Some(mut row) = self.tenant.endless_protected_user(self.tick, k) else {
                return;
            };
            if unknown {
                distort::unknown_modules(row.to_mut(), k);
            }
            if nulls {
                distort::null_protected_fields(row.to_mut(), k);
            }
            writer.protected_user(&row, k);
        } else {
            let Some(mut row) = self.tenant.endless_security_user(self.tick, k) else {
                return;
            };
            if unknown {
                distort::unknown_statuses(row.to_mut(), k);
            }
            if nulls {
                distort::null_security_fields(row.to_mut(), k);
            }
            writer.security_user(&row, k);
        }
    }
}
