//! Where a listing continues and where it ends. Pure: counts in, next step out.

use url::Url;

use super::error::Cause;

/// One page of a listing, its rows already stripped of what is not needed.
#[derive(Debug)]
pub struct Page<R> {
    /// The rows in the order of the page.
    pub rows: Vec<R>,
    /// How many rows the listing has, as this page says.
    pub total: Option<u64>,
    /// Where the next page of AvePoint's is, as this page says; resolved and checked by [`Pager`].
    pub(crate) next_link: Option<String>,
}

impl<R> Page<R> {
    /// The page that ends any listing.
    pub(crate) fn empty() -> Self {
        Self::of(Vec::new())
    }

    /// A page of these rows that says nothing of its listing.
    pub fn of(rows: Vec<R>) -> Self {
        Self {
            rows,
            total: None,
            next_link: None,
        }
    }
}

/// What to ask for after a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The page with this index, counted from 1.
    Index(u64),
    /// The page behind this link.
    Link(Url),
    /// Nothing: the listing has ended.
    End,
}

/// Follows one listing whose pages are numbered.
#[derive(Debug)]
pub(crate) struct Pager {
    base: Url,
    count: PageCount,
}

/// Counts what a listing delivers, within bounds.
#[derive(Debug)]
pub(crate) struct PageCount {
    max_rows: u64,
    pages: u64,
    rows: u64,
}

/// A listing whose pages hold fewer rows than this on average is cut off: it would cost more requests than
/// any real one (the smallest page that AvePoint documents has 50 rows).
const FEWEST_ROWS_PER_PAGE: u64 = 10;

/// Pages that any listing may have, however short they are.
const PAGES_ALWAYS_ALLOWED: u64 = 1000;

impl PageCount {
    pub(crate) fn new(max_rows: u64) -> Self {
        Self {
            max_rows,
            pages: 0,
            rows: 0,
        }
    }

    /// Counts a page.
    ///
    /// # Errors
    /// `Limit` when the listing is, or grows, beyond bounds.
    pub(crate) fn add<R>(&mut self, page: &Page<R>) -> Result<(), Cause> {
        if let Some(total) = page.total.filter(|total| *total > self.max_rows) {
            return Err(Cause::Limit(format!(
                "the listing has {total} rows, at most {} are allowed; see elements.limits.rows",
                self.max_rows
            )));
        }
        self.rows += page.rows.len() as u64;
        if self.rows > self.max_rows {
            return Err(Cause::Limit(format!(
                "the listing does not end within {} rows; see elements.limits.rows",
                self.max_rows
            )));
        }
        if self.pages >= PAGES_ALWAYS_ALLOWED.max(self.max_rows / FEWEST_ROWS_PER_PAGE) {
            return Err(Cause::Limit(format!(
                "the listing does not end within {} pages",
                self.pages
            )));
        }
        self.pages += 1;
        Ok(())
    }
}

impl Pager {
    pub(crate) fn new(base: Url, max_rows: u64) -> Self {
        Self {
            base,
            count: PageCount::new(max_rows),
        }
    }

    /// Counts a page and says what to ask for next.
    ///
    /// # Errors
    /// `Limit` when the listing is, or grows, beyond bounds; `Refused` when a link leads elsewhere.
    pub(crate) fn after<R>(&mut self, page: &Page<R>) -> Result<Next, Cause> {
        self.count.add(page)?;
        // Checked on the last page too: an API that sends tokens elsewhere is not to be trusted with a total.
        let link = page
            .next_link
            .as_deref()
            .map(|link| within(&self.base, link))
            .transpose()?;
        let all_delivered = |total| self.count.rows >= total;
        if page.rows.is_empty() || page.total.is_some_and(all_delivered) {
            return Ok(Next::End);
        }
        Ok(link.map_or(Next::Index(self.count.pages + 1), Next::Link))
    }

    /// The index of the last page that the listing is known to have after this page: more may follow where the
    /// listing does not say how long it is, and fewer where its pages are larger from here on.
    pub(crate) fn last_known<R>(&self, page: &Page<R>) -> u64 {
        let left = page.total.unwrap_or(0).saturating_sub(self.count.rows);
        let rows = (page.rows.len() as u64).max(1);
        self.count.pages + left.div_ceil(rows)
    }
}

/// Resolves a link, which must lead to the same origin.
///
/// # Errors
/// `Refused` when it leads elsewhere. The link itself is not quoted: it is the sender's text.
pub(crate) fn within(base: &Url, link: &str) -> Result<Url, Cause> {
    match base.join(link) {
        Ok(url)
            if url.origin() == base.origin()
                && url.username().is_empty()
                && url.password().is_none() =>
        {
            Ok(url)
        }
        Ok(_) => Err(Cause::Refused(
            "the link to the next page is to another host".to_owned(),
        )),
        Err(_) => Err(Cause::Refused(
            "the link to the next page is not a valid URL".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reason;

    fn pager(max_rows: u64) -> Pager {
        Pager::new(
            "https://graph.avepoint.example/partner/x".parse().unwrap(),
            max_rows,
        )
    }

    fn page(rows: usize, total: Option<u64>) -> Page<()> {
        Page {
            rows: vec![(); rows],
            total,
            next_link: None,
        }
    }

    #[test]
    fn a_listing_ends_when_as_many_rows_came_as_it_has() {
        let mut pager = pager(1000);
        assert_eq!(pager.after(&page(100, Some(150))).unwrap(), Next::Index(2));
        assert_eq!(pager.after(&page(50, Some(150))).unwrap(), Next::End);
    }

    #[test]
    fn a_clamped_page_does_not_end_the_listing() {
        let mut pager = pager(1000);
        assert_eq!(pager.after(&page(7, Some(20))).unwrap(), Next::Index(2));
        assert_eq!(pager.after(&page(7, Some(20))).unwrap(), Next::Index(3));
        assert_eq!(pager.after(&page(6, Some(20))).unwrap(), Next::End);
    }

    #[test]
    fn without_a_total_the_first_empty_page_is_the_end() {
        let mut pager = pager(1000);
        assert_eq!(pager.after(&page(50, None)).unwrap(), Next::Index(2));
        assert_eq!(pager.after(&Page::<()>::empty()).unwrap(), Next::End);
    }

    #[test]
    fn how_many_pages_follow_is_told_by_the_rows_that_are_left_and_the_size_of_the_last_page() {
        let mut pager = pager(1000);
        let mut last_known = |rows, total| {
            let page = page(rows, total);
            pager.after(&page).unwrap();
            pager.last_known(&page)
        };
        assert_eq!(last_known(50, Some(201)), 5);
        assert_eq!(last_known(100, Some(201)), 3);
        assert_eq!(last_known(10, None), 3);
        assert_eq!(last_known(1, Some(163)), 6);
    }

    #[test]
    fn an_empty_page_ends_a_listing_that_promised_more() {
        assert_eq!(pager(1000).after(&page(0, Some(10))).unwrap(), Next::End);
    }

    #[test]
    fn a_listing_that_says_it_is_too_large_fails_at_its_first_page() {
        assert_eq!(
            pager(1000)
                .after(&page(100, Some(1001)))
                .unwrap_err()
                .reason(),
            Reason::Limit
        );
    }

    #[test]
    fn a_listing_that_never_ends_is_cut_off() {
        let (mut long, mut short) = (pager(1000), pager(1_000_000));
        let failed_at = (1..100).find(|_| long.after(&page(100, None)).is_err());
        assert_eq!(failed_at, Some(11));
        let error = (0..1_000_000).find_map(|_| short.after(&page(1, None)).err());
        assert_eq!(error.unwrap().reason(), Reason::Limit);
        assert_eq!(short.count.pages, 100_000);
    }

    #[test]
    fn a_link_is_followed_within_the_api_only() {
        let after = |link: &str| {
            pager(1000).after(&Page {
                next_link: Some(link.to_owned()),
                ..page(1, None)
            })
        };
        let local = "https://graph.avepoint.example/partner/x?pageIndex=2";
        assert_eq!(after(local).unwrap(), Next::Link(local.parse().unwrap()));
        assert_eq!(
            after("?pageIndex=2").unwrap(),
            Next::Link(local.parse().unwrap())
        );
        for link in [
            "https://evil.example/partner/x",
            "//evil.example/",
            "http://graph.avepoint.example/partner/x",
            "https://graph.avepoint.example:8443/x",
            "https://a@graph.avepoint.example/x",
            "file:///etc/passwd",
            "https://",
        ] {
            assert_eq!(after(link).unwrap_err().reason(), Reason::Refused, "{link}");
            let last = Page {
                next_link: Some(link.to_owned()),
                ..page(1, Some(1))
            };
            let error = pager(1000).after(&last).unwrap_err();
            assert_eq!(error.reason(), Reason::Refused, "{link} on the last page");
        }
    }
}
