//! The listings of AvePoint Elements: pages are asked for by their index, unless one links to the next.

use url::Url;

use crate::domain::{Target, TargetId};
use crate::upstream::api::client::{Ask, Client, Endpoint};
use crate::upstream::api::listing::Paged;
use crate::upstream::api::paging::{Link, Page, Place, within};
use crate::upstream::api::rows::{Progress, Rows, read_rows};
use crate::upstream::api::{ApiError, Cause};
use crate::upstream::http::json::{
    self, JsonError, List, MaybeWhole, Object, OrDefault, Text, wire,
};

/// The page size asked for: the largest that AvePoint documents. A page may have fewer rows.
const PAGE_SIZE: u64 = 100;

/// All paths of the API start with this.
const PREFIX: &str = "/partner/external/v3";

impl Client {
    /// Reads a target's whole listing of AvePoint Elements: see [`Client::read_listing`].
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn list<R: Rows>(
        &self,
        endpoint: &Endpoint,
        rows: &R,
        target: &Target,
        progress: &Progress,
        each: impl FnMut(&Page<R::Row>) -> Result<u64, Cause> + Send,
    ) -> Result<(), ApiError> {
        let listing = Listing {
            target: target.id(),
            base: self.listing_url(endpoint.route, target),
        };
        self.read_listing(&listing, endpoint, rows, progress, each)
            .await
    }

    /// The address of a target's listing.
    pub(crate) fn listing_url(&self, route: &str, target: &Target) -> Url {
        self.below_api_url(&format!("{PREFIX}{}", target.route(route)))
    }
}

/// A listing of one target.
struct Listing {
    target: TargetId,
    base: Url,
}

impl Paged for Listing {
    const PAGE_SIZE: u64 = PAGE_SIZE;

    fn first(&self) -> Place {
        Place::Index(1)
    }

    fn ask(&self, place: &Place) -> Ask {
        let url = match place {
            Place::Index(index) | Place::Beyond(index) => {
                let mut url = self.base.clone();
                url.set_query(Some(&format!("pageIndex={index}&pageSize={PAGE_SIZE}")));
                url
            }
            Place::Link { url, .. } => url.clone(),
        };
        Ask::new(self.target, url)
    }

    fn read<R: Rows>(body: &[u8], rows: &R) -> Result<Page<R::Row>, JsonError> {
        read_page(body, rows)
    }

    fn follow(&self, link: Link) -> Result<Place, Cause> {
        Ok(Place::Link {
            url: within(&self.base, &link.uri)?,
            token: None,
        })
    }
}

/// The number of requests that a listing of this many rows takes, if the server gives the pages asked for.
pub fn pages_of(rows: u64) -> u64 {
    rows.div_ceil(PAGE_SIZE).max(1)
}

pub(crate) fn read_page<R: Rows>(body: &[u8], rows: &R) -> Result<Page<R::Row>, JsonError> {
    let envelope: Envelope<'_, R::Wire<'_>> = json::read(body)?;
    let OrDefault(metadata) = envelope.metadata;
    let total = metadata.total_count.count();
    let data = match envelope.data {
        Some(List(data)) => data,
        // An answer without rows is an empty listing only where it says so itself.
        None if total == Some(0) => Vec::new(),
        None => return Err(JsonError::Unexpected("`data` is missing".to_owned())),
    };
    let links = [envelope.next_link, metadata.next_link].into_iter();
    let mut links = links.flatten().filter(|link| !link.0.is_empty());
    let rows_read = read_rows(&data, rows)?;
    Ok(Page {
        unreadable_dates: rows_read.iter().map(R::unreadable_dates).sum(),
        rows: rows_read,
        total,
        size: metadata.page_size.count(),
        link: links.next().map(|Text(uri)| Link {
            uri: uri.into_owned(),
            token: None,
        }),
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
    /// What a page says of its listing.
    struct Metadata<'de>: "an object of paging figures" {
        "totalCount" => total_count: MaybeWhole,
        "pageSize" => page_size: MaybeWhole,
        "nextLink" => next_link: Option<Text<'de>>,
    }
}
