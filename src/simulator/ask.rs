//! What is asked of AvePoint's listings: which page of which rows, by query and body.

use serde::Deserialize;

use super::faults::Listing;
use super::listed::Filter;

/// The size of a page when nobody asks for one.
const DEFAULT_SIZE: usize = 50;
/// The older form of the security listing filters by the codes below this one.
const FILTERED_CODES: u32 = 6;
/// Marks a query that was taken from a `nextLink`.
pub(super) const VIA_LINK: &str = "via=nextLink";

/// Which page of which rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) index: usize,
    pub(super) size: usize,
    pub(super) filter: Filter,
}

/// The filters in the bodies of requests; for protected users the newer and the older form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    user_emails: Option<Vec<String>>,
    email: Option<String>,
    user_ids: Option<Vec<String>>,
    customer_ids: Option<Vec<String>>,
}

impl Ask {
    /// Reads the query and, where there is one, the body; or says what is wrong with them.
    pub(super) fn read(listing: Listing, query: &str, body: &[u8]) -> Result<Self, &'static str> {
        let mut ask = Self {
            index: 1,
            size: DEFAULT_SIZE,
            filter: Filter::All,
        };
        let mut statuses = Vec::new();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "pageIndex" => ask.index = positive(&value).ok_or("pageIndex is wrong")?,
                "pageSize" => ask.size = positive(&value).ok_or("pageSize is wrong")?,
                "status" if listing != Listing::Protected => {
                    statuses.push(value.parse().map_err(|_| "status is wrong")?);
                }
                _ => {}
            }
        }
        ask.filter = match listing {
            Listing::Security | Listing::OlderSecurity if statuses.is_empty() => Filter::All,
            // The current form takes one code.
            Listing::Security if statuses.len() == 1 => Filter::Statuses(statuses),
            Listing::Security => return Err("status is a duplicate parameter"),
            Listing::OlderSecurity if statuses.iter().all(|code| *code < FILTERED_CODES) => {
                Filter::Statuses(statuses)
            }
            Listing::OlderSecurity => return Err("status takes 0 to 5"),
            _ => {
                let body: Body = serde_json::from_slice(body).map_err(|_| "the body is wrong")?;
                let emails = body.user_emails.or(body.email.map(|email| vec![email]));
                match listing {
                    Listing::Protected => emails.map(Filter::Emails),
                    Listing::Directory => body.user_ids.map(Filter::Ids),
                    _ => body.customer_ids.map(Filter::Ids),
                }
                .unwrap_or_default()
            }
        };
        Ok(ask)
    }

    /// The query of the page after this one.
    pub(super) fn next_query(&self) -> String {
        self.query(self.index + 1)
    }

    /// The query of the first page.
    pub(super) fn first_query(&self) -> String {
        self.query(1)
    }

    /// The query of a page; it says that it was taken from a link.
    fn query(&self, index: usize) -> String {
        // The size that was asked for, not the one that was given: it may be clamped again.
        let size = self.size;
        let mut query = format!("pageIndex={index}&pageSize={size}&{VIA_LINK}");
        if let Filter::Statuses(codes) = &self.filter {
            for code in codes {
                query = format!("{query}&status={code}");
            }
        }
        query
    }
}

/// A number from 1; so small that no sum of indices overflows.
fn positive(text: &str) -> Option<usize> {
    let number: u32 = text.parse().ok().filter(|n| *n > 0)?;
    usize::try_from(number).ok()
}
