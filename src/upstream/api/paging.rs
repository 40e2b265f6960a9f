//! Where a listing continues and where it ends. Pure: what a page says goes in, the place of the next comes out.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use http::Uri;
use http::header::HeaderValue;
use url::Url;

use super::error::Cause;

/// One page of a listing, its rows already stripped of what is not needed.
#[derive(Debug)]
pub struct Page<R> {
    /// The rows in the order of the page.
    pub rows: Vec<R>,
    /// How many rows the listing has, as this page says.
    pub total: Option<u64>,
    /// How many dates of the rows could not be read.
    pub(crate) unreadable_dates: u64,
    /// How many rows a full page has, as this page says.
    pub(crate) size: Option<u64>,
    /// Where the next page is, as this page says.
    pub(crate) link: Option<Link>,
}

impl<R> Page<R> {
    /// A page of these rows that says nothing of its listing.
    pub fn of(rows: Vec<R>) -> Self {
        Self {
            rows,
            total: None,
            unreadable_dates: 0,
            size: None,
            link: None,
        }
    }
}

/// Where a page says that the next one is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Link {
    /// The address, whole or in part; empty where there is only a token.
    pub(crate) uri: String,
    pub(crate) token: Option<String>,
}

/// Where a page is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// Counted from 1.
    Index(u64),
    /// The same, where the listing may have ended: a service may refuse it.
    Beyond(u64),
    /// Where a link leads.
    Link {
        url: Url,
        /// To be sent along.
        token: Option<HeaderValue>,
    },
}

/// How an API pages its listings, and how far it may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The rows of a page that are asked for.
    pub(crate) page_size: u64,
    /// Whether a page can be asked for by its index, or only by the link of the page before.
    pub(crate) has_index: bool,
    /// The most rows that a listing may have.
    pub(crate) rows: u64,
    /// Whether what a listing says of its length is not looked at.
    pub(crate) ignores_totals: bool,
}

/// Follows one listing.
#[derive(Debug)]
pub(crate) struct Pager {
    bounds: Bounds,
    /// Pages and rows so far, repeated rows included.
    pages: u64,
    rows: u64,
    /// Distinct rows so far.
    distinct: u64,
    /// Pages at the end that brought nothing new.
    idle: u64,
    /// Rows of the first page.
    first: u64,
    /// How long the listing is, as the last page said that did not contradict the rows.
    total: Option<u64>,
    /// Rows of a full page, as the last page with rows said.
    size: Option<u64>,
    /// Hashes of the links that were followed.
    followed: HashSet<u64>,
    hasher: RandomState,
    /// Whether the last page may not have existed: a service may then repeat another.
    is_beyond: bool,
}

/// A listing whose pages hold fewer rows than this on average is cut off: it would cost more requests than
/// any real one (the smallest page that AvePoint documents has 50 rows).
const FEWEST_ROWS_PER_PAGE: u64 = 10;

/// Pages that any listing may have, however short they are.
const PAGES_ALWAYS_ALLOWED: u64 = 1000;

/// So many rows can always have moved to pages read before, however small the pages are.
const FEW: u64 = 20;

/// Pages in a row that may bring nothing new.
const MOST_IDLE: u64 = 4;

impl Pager {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            pages: 0,
            rows: 0,
            distinct: 0,
            idle: 0,
            first: 0,
            total: None,
            size: None,
            followed: HashSet::new(),
            hasher: RandomState::new(),
            is_beyond: false,
        }
    }

    /// Takes in a page with which the listing has `distinct` distinct rows so far, and whose link leads to `link`.
    /// Returns where the listing continues; `None` at its end. The rule is the one of the upstream facts, "Where a
    /// listing ends".
    ///
    /// # Errors
    /// `Limit` when the listing is, or grows, beyond bounds, or goes in a circle; `Implausible` when what it says of its
    /// length contradicts its rows, or the index is not heeded.
    pub(crate) fn after<R>(
        &mut self,
        page: &Page<R>,
        distinct: u64,
        link: Option<Place>,
    ) -> Result<Option<Place>, Cause> {
        let rows = page.rows.len() as u64;
        let said = page.total.filter(|_| !self.bounds.ignores_totals);
        self.count(rows, said)?;
        let is_new = distinct > self.distinct;
        self.distinct = distinct;
        self.idle = if is_new { 0 } else { self.idle + 1 };
        // A total below the rows that came, or 0 beside rows, is no total.
        let usable = |total: &u64| *total >= self.rows;
        let said_usable = said.filter(usable);
        self.total = said_usable.or(self.total);
        if rows > 0 {
            self.size = page.size.filter(|size| *size > 0).or(self.size);
        }
        let was_beyond = std::mem::take(&mut self.is_beyond);

        if let Some(link) = link {
            return self.follow(link).map(Some);
        }
        if rows == 0 {
            return self.end(self.rows);
        }
        let total = match said {
            Some(_) => said_usable,
            None => self.total.filter(usable),
        };
        let is_full = rows >= self.full();
        if self.pages > 1 && !is_new {
            if was_beyond {
                return self.end(self.rows - rows);
            }
            // A page that is as large as the first is not the last of several, whatever their size.
            let is_short = total.is_some_and(|total| total > distinct && rows >= self.first);
            let was_by_index = self.bounds.has_index && self.followed.is_empty();
            if was_by_index && (is_full || is_short) {
                return Err(self.implausible("the page index is ignored"));
            }
        }
        let is_delivered = total.is_some_and(|total| self.rows >= total);
        if is_delivered && !(is_full && self.bounds.has_index) {
            return Ok(None);
        }
        if !self.bounds.has_index || (total.is_none() && !is_full && !is_new) {
            return self.end(self.rows);
        }
        if self.idle > MOST_IDLE {
            return Err(self.implausible("pages repeat"));
        }
        let next = self.pages + 1;
        // A total that is reached with a full page may be that of the page, or the highest that the service tells. And
        // after links, a service may not know any index.
        self.is_beyond = is_delivered || !self.followed.is_empty();
        Ok(Some(if self.is_beyond {
            Place::Beyond(next)
        } else {
            Place::Index(next)
        }))
    }

    /// Counts a page.
    fn count(&mut self, rows: u64, total: Option<u64>) -> Result<(), Cause> {
        let most = self.bounds.rows;
        if let Some(total) = total.filter(|total| *total > most) {
            return Err(Cause::Limit(format!(
                "the listing has {total} rows, at most {most} are allowed; see elements.limits.rows"
            )));
        }
        self.rows += rows;
        if self.rows > most {
            return Err(Cause::Limit(format!(
                "the listing does not end within {most} rows; see elements.limits.rows"
            )));
        }
        if self.pages >= PAGES_ALWAYS_ALLOWED.max(most / FEWEST_ROWS_PER_PAGE) {
            return Err(Cause::Limit(format!(
                "the listing does not end within {} pages",
                self.pages
            )));
        }
        self.pages += 1;
        if self.pages == 1 {
            self.first = rows;
        }
        Ok(())
    }

    /// Goes where a link leads, unless that leads nowhere.
    fn follow(&mut self, link: Place) -> Result<Place, Cause> {
        if !self.followed.insert(self.hasher.hash_one(&link)) {
            return Err(Cause::Limit(format!(
                "page {} links to a page that was read before",
                self.pages
            )));
        }
        if self.idle > MOST_IDLE {
            return Err(Cause::Limit(format!(
                "the last {} pages have brought nothing new, and there are more",
                self.idle
            )));
        }
        Ok(link)
    }

    /// Ends the listing with so many rows, unless it has promised more than a page of further ones: so many can have
    /// moved to pages that were read before.
    fn end(&self, rows: u64) -> Result<Option<Place>, Cause> {
        let missing = self.total.unwrap_or(0).saturating_sub(rows);
        // Whatever it says of its size, a page has no more rows than were asked for or came first.
        let most = self.bounds.page_size.max(self.first);
        let page = self.size.unwrap_or(self.first.max(FEW)).min(most);
        if missing > page || (rows == 0 && missing > 0) {
            return Err(self.implausible("the listing ends early"));
        }
        Ok(None)
    }

    /// Rows of a full page.
    fn full(&self) -> u64 {
        self.size.unwrap_or(self.bounds.page_size)
    }

    fn implausible(&self, what: &str) -> Cause {
        // Of a listing that is one of several, the distinct rows of those before count too.
        let rows = self.distinct.min(self.rows);
        let of = self
            .total
            .map_or_else(String::new, |total| format!(" of {total}"));
        let advice = if self.total.is_some() {
            "; if the totals of this account are always wrong, set elements.limits.ignore_totals: true"
        } else {
            ""
        };
        Cause::Implausible(format!(
            "{what}: {rows}{of} rows after {} pages{advice}",
            self.pages
        ))
    }

    /// The index of the last page that the listing is known to have after this page: more may follow where the
    /// listing does not say how long it is, and fewer where its pages are larger from here on.
    pub(crate) fn last_known<R>(&self, page: &Page<R>) -> u64 {
        let left = self.total.unwrap_or(0).saturating_sub(self.rows);
        let rows = (page.rows.len() as u64).max(1);
        self.pages + left.div_ceil(rows)
    }
}

/// Resolves a link, which must lead to the same origin.
///
/// # Errors
/// `Refused` when it leads elsewhere, `Limit` when it cannot be sent. The link itself is not quoted: it is the sender's
/// text.
pub(crate) fn within(base: &Url, link: &str) -> Result<Url, Cause> {
    let url = base
        .join(link)
        .map_err(|_| Cause::Refused("the link to the next page is not a valid URL".to_owned()))?;
    if url.origin() != base.origin() || !url.username().is_empty() || url.password().is_some() {
        return Err(Cause::Refused(
            "the link to the next page is to another host".to_owned(),
        ));
    }
    // The HTTP library takes no other address, and says so as if there were no connection.
    if Uri::try_from(url.as_str()).is_err() {
        return Err(Cause::Limit(format!(
            "the link to the next page is too long for a request: {} bytes",
            url.as_str().len()
        )));
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
