//! Reading a listing page by page, whatever API it is of.

use crate::upstream::http::json::JsonError;
use crate::upstream::http::request_id::RequestId;

use super::ahead::{Step, read_in_order};
use super::client::{Ask, Client, Endpoint};
use super::error::{ApiError, Cause};
use super::paging::{Bounds, Link, Page, Pager, Place};
use super::rows::{Progress, Rows};

/// Pages of one listing that are asked for at once, if one target may have that many under way. With more, a
/// listing that ends early would waste more requests, and one listing alone would not be read much sooner: it shares
/// the rate with all others.
pub(crate) const PAGES_AT_ONCE: usize = 4;

/// How an API pages one of its listings.
pub(crate) trait Paged: Sync {
    /// The rows of a page that are asked for.
    const PAGE_SIZE: u64;

    /// Where the first page is. If it is a link, pages are asked for by links alone.
    fn first(&self) -> Place;

    /// The request for a page.
    fn ask(&self, place: &Place) -> Ask;

    /// Reads the body of an answer.
    fn read<R: Rows>(body: &[u8], rows: &R) -> Result<Page<R::Row>, JsonError>;

    /// Where a page's link leads.
    ///
    /// # Errors
    /// `Refused` when it leads elsewhere; `Limit` or `Decode` when it cannot be sent.
    fn follow(&self, link: Link) -> Result<Place, Cause>;
}

impl Client {
    /// Reads a whole listing and hands each page to `each`, in order, which returns how many distinct rows there are so
    /// far. `progress` tells what was read, even if it fails.
    ///
    /// # Errors
    /// What the request that failed says; or what `each` says of a page; or how the listing contradicts itself.
    pub(crate) async fn read_listing<P: Paged, R: Rows>(
        &self,
        listing: &P,
        endpoint: &Endpoint,
        rows: &R,
        progress: &Progress,
        mut each: impl FnMut(&Page<R::Row>) -> Result<u64, Cause> + Send,
    ) -> Result<(), ApiError> {
        let first = listing.first();
        let mut pager = Pager::new(Bounds {
            page_size: P::PAGE_SIZE,
            has_index: matches!(first, Place::Index(_)),
            rows: self.max_rows,
            ignores_totals: self.ignores_totals,
        });
        let fetch = |place: Place| {
            let ask = listing.ask(&place);
            async move {
                let answered = self.call(endpoint, &ask, |body| P::read(body, rows)).await;
                let (page, request_id) = match answered {
                    Ok(answered) => (answered.value, answered.request_id),
                    // There is no such page.
                    Err(ApiError {
                        cause: Cause::NotFound | Cause::BadRequest(_),
                        request_id,
                        ..
                    }) if matches!(place, Place::Beyond(_)) => (None, request_id),
                    Err(error) => return Err(error),
                };
                Ok((page, request_id, ask))
            }
        };
        let take = |(page, request_id, ask): (Option<Page<R::Row>>, Option<RequestId>, Ask)| {
            let mut page = page.unwrap_or_else(|| Page::of(Vec::new()));
            progress.add(&page);
            let link = page.link.take();
            let next = each(&page).and_then(|distinct| {
                let link = link.map(|link| listing.follow(link)).transpose()?;
                pager.after(&page, distinct, link)
            });
            let next = next.map_err(|cause| {
                self.failed(endpoint, cause, request_id.as_ref(), ask.ids.as_ref())
            })?;
            Ok(Step {
                next,
                last: pager.last_known(&page),
            })
        };
        read_in_order(PAGES_AT_ONCE, first, fetch, take).await
    }
}
