//! Reading a listing page by page.

use url::Url;

use crate::domain::Target;
use crate::upstream::api::client::{Ask, Client, Endpoint};
use crate::upstream::api::paging::{Page, Pager};
use crate::upstream::api::rows::{ListingSize, Rows, read_rows};
use crate::upstream::api::{ApiError, Cause};
use crate::upstream::http::json::{self, JsonError, List, Object, OrDefault, Text, wire};
use crate::upstream::http::verdict::Answered;

use super::ahead::{Place, Step, read_in_order};

/// The page size asked for: the largest that AvePoint documents. A page may have fewer rows.
const PAGE_SIZE: u32 = 100;

/// Pages of one listing that are asked for at once, if one tenant may have that many under way. With more, a
/// listing that ends early would waste more requests, and one listing alone would not be read much sooner: it shares
/// the rate with all others.
const PAGES_AT_ONCE: usize = 4;

/// All paths of the API start with this.
const PREFIX: &str = "/partner/external/v3";

impl Client {
    /// Reads a target's whole listing and hands each page to `each`, in order. `size` tells what was read, even if it
    /// fails.
    ///
    /// # Errors
    /// What the request that failed says; or what `each` says of a page.
    pub(crate) async fn list<R: Rows>(
        &self,
        endpoint: &Endpoint,
        rows: &R,
        target: &Target,
        size: &mut ListingSize,
        mut each: impl FnMut(Page<R::Row>) -> Result<(), Cause> + Send,
    ) -> Result<(), ApiError> {
        let base = self.listing_url(endpoint.route, target);
        let id = target.id();
        let mut pager = Pager::new(base.clone(), self.max_rows);
        let fetch = |place| {
            let url = match place {
                Place::Index(index) => page_url(&base, index),
                Place::Link(link) => link,
            };
            async move {
                let ask = Ask::new(id, url);
                self.call(endpoint, &ask, |body| read_page(body, rows))
                    .await
            }
        };
        #[expect(
            clippy::result_large_err,
            reason = "one for a listing, and none where all is well"
        )]
        let take = |answered: Answered<Page<R::Row>>| {
            let page = answered.value.unwrap_or_else(Page::empty);
            size.add(&page);
            let next = pager.after(&page);
            let last = pager.last_known(&page);
            next.and_then(|next| each(page).map(|()| Step { next, last }))
                .map_err(|cause| self.failed(endpoint, cause, answered.request_id.as_ref(), None))
        };
        read_in_order(PAGES_AT_ONCE, fetch, take).await
    }

    /// The address of a target's listing.
    pub(crate) fn listing_url(&self, route: &str, target: &Target) -> Url {
        self.below_api_url(&format!("{PREFIX}{}", target.route(route)))
    }
}

/// The number of requests that a listing of this many rows takes, if the server gives the pages asked for.
pub fn pages_of(rows: u64) -> u64 {
    rows.div_ceil(u64::from(PAGE_SIZE)).max(1)
}

fn page_url(base: &Url, index: u64) -> Url {
    let mut url = base.clone();
    url.set_query(Some(&format!("pageIndex={index}&pageSize={PAGE_SIZE}")));
    url
}

pub(crate) fn read_page<R: Rows>(body: &[u8], rows: &R) -> Result<Page<R::Row>, JsonError> {
    let envelope: Envelope<'_, R::Wire<'_>> = json::read(body)?;
    let OrDefault(metadata) = envelope.metadata;
    let total = metadata.total_count;
    let data = match envelope.data {
        Some(List(data)) => data,
        // An answer without rows is an empty listing only where it says so itself.
        None if total == Some(0) => Vec::new(),
        None => return Err(JsonError::Unexpected("`data` is missing".to_owned())),
    };
    let next_link = envelope
        .next_link
        .or(metadata.next_link)
        .map(|link| link.0.into_owned());
    Ok(Page {
        rows: read_rows(&data, rows)?,
        total,
        next_link: next_link.filter(|link| !link.is_empty()),
    })
}

wire! {
    /// The object around the rows of every listing.
    struct Envelope<'de, W>: "an object with the list `data`" {
        "data" => data: Option<List<Object<W>>>,
        "metadata" => metadata: OrDefault<Metadata<'de>>,
        "nextLink" => next_link: Option<Text<'de>>,
    }
}

wire! {
    /// What a page says of its listing. The page's own size is of no use: rows are counted.
    struct Metadata<'de>: "an object of paging figures" {
        "totalCount" => total_count: Option<u64>,
        "nextLink" => next_link: Option<Text<'de>>,
    }
}
