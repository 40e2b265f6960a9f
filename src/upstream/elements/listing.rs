//! Reading a listing page by page.

use serde::de::MapAccess;
use url::Url;

use crate::domain::Tenant;
use crate::upstream::client::{Client, Endpoint};
use crate::upstream::json::{self, Fields, JsonError, List, Object, Text};
use crate::upstream::paging::{Next, Page, Pager};
use crate::upstream::personal::Pseudonyms;
use crate::upstream::{ApiError, Cause};

/// The page size asked for: the largest that AvePoint documents. What comes may be less.
const PAGE_SIZE: u32 = 100;

/// All paths of the API start with this.
const PREFIX: &str = "/partner/external/v3";

/// A row of a listing, without anything personal.
pub(super) trait Row: Sized + Send {
    /// How it is asked for.
    const ENDPOINT: Endpoint;
    /// What is wrong with a row for which [`Row::from_wire`] is `None`.
    const NOBODY: &'static str = "has neither id nor mail address nor principal name";
    /// The fields that are read.
    type Wire<'de>: Fields<'de>;

    /// What remains of a row. `None` for one that nothing tells apart from others.
    fn from_wire(wire: &Self::Wire<'_>, pseudonyms: &Pseudonyms) -> Option<Self>;
}

/// How much of a listing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListingSize {
    /// Rows delivered, repeated ones included.
    pub rows: u64,
    /// Pages, tries aside.
    pub pages: u64,
}

impl Client {
    /// Reads a tenant's whole listing and hands each page to `each`, in order.
    pub(super) async fn list<R: Row>(
        &self,
        tenant: &Tenant,
        size: &mut ListingSize,
        each: impl FnMut(Page<R>) -> Result<(), Cause> + Send,
    ) -> Result<(), ApiError> {
        let path = R::ENDPOINT
            .route
            .replace("{customerId}", &tenant.customer_id.to_string())
            .replace("{tenantId}", &tenant.tenant_id.to_string());
        self.list_at(&path, size, each).await
    }

    /// Reads the whole listing at a path and hands each page to `each`, in order.
    pub(super) async fn list_at<R: Row>(
        &self,
        path: &str,
        size: &mut ListingSize,
        mut each: impl FnMut(Page<R>) -> Result<(), Cause> + Send,
    ) -> Result<(), ApiError> {
        let base = self.listing_url(path);
        let mut pager = Pager::new(base.clone(), self.max_rows);
        let mut url = page_url(&base, 1);
        loop {
            let answered = self
                .call(&R::ENDPOINT, &url, |body| read_page(body, &self.pseudonyms))
                .await?;
            let page = answered.value.unwrap_or_else(Page::empty);
            size.pages += 1;
            size.rows += page.rows.len() as u64;
            let next = pager
                .after(&page)
                .and_then(|next| each(page).map(|()| next));
            let next = next.map_err(|cause| ApiError {
                route: R::ENDPOINT.route,
                cause,
                request_id: answered.request_id,
            })?;
            url = match next {
                Next::Index(index) => page_url(&base, index),
                Next::Link(link) => link,
                Next::End => return Ok(()),
            };
        }
    }

    fn listing_url(&self, path: &str) -> Url {
        let mut url = self.api_url.clone();
        url.set_path(&format!(
            "{}{PREFIX}{path}",
            self.api_url.path().trim_end_matches('/')
        ));
        url
    }
}

/// How many requests a listing of so many rows takes, when the server gives the pages asked for.
pub fn pages_of(rows: u64) -> u64 {
    rows.div_ceil(u64::from(PAGE_SIZE)).max(1)
}

fn page_url(base: &Url, index: u64) -> Url {
    let mut url = base.clone();
    url.set_query(Some(&format!("pageIndex={index}&pageSize={PAGE_SIZE}")));
    url
}

pub(super) fn read_page<R: Row>(
    body: &[u8],
    pseudonyms: &Pseudonyms,
) -> Result<Page<R>, JsonError> {
    let envelope: Envelope<'_, R::Wire<'_>> = json::read(body)?;
    let total = envelope.metadata.total_count;
    let data = match envelope.data {
        Some(List(data)) => data,
        // An answer without rows is an empty listing only where it says so itself.
        None if total == Some(0) => Vec::new(),
        None => return Err(JsonError::Unexpected("there is no `data`".to_owned())),
    };
    let mut rows = Vec::with_capacity(data.len());
    for (at, Object(wire)) in data.iter().enumerate() {
        rows.push(R::from_wire(wire, pseudonyms).ok_or_else(|| {
            let row = at + 1;
            JsonError::Unexpected(format!("row {row} of the page {}", R::NOBODY))
        })?);
    }
    let next_link = envelope
        .next_link
        .or(envelope.metadata.next_link)
        .map(|link| link.0.into_owned());
    Ok(Page {
        rows,
        total,
        next_link: next_link.filter(|link| !link.is_empty()),
    })
}

/// The object around the rows of every listing.
struct Envelope<'de, W> {
    data: Option<List<Object<W>>>,
    metadata: Metadata<'de>,
    next_link: Option<Text<'de>>,
}

impl<W> Default for Envelope<'_, W> {
    fn default() -> Self {
        Self {
            data: None,
            metadata: Metadata::default(),
            next_link: None,
        }
    }
}

impl<'de, W: Fields<'de>> Fields<'de> for Envelope<'de, W> {
    const EXPECTED: &'static str = "an object with the list `data`";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "data" => self.data = map.next_value()?,
            "metadata" => {
                self.metadata = map
                    .next_value::<Option<Object<_>>>()?
                    .map_or_else(Metadata::default, |Object(it)| it);
            }
            "nextLink" => self.next_link = map.next_value()?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// What a page says of its listing. The page's own size is of no use: rows are counted.
#[derive(Default)]
struct Metadata<'de> {
    total_count: Option<u64>,
    next_link: Option<Text<'de>>,
}

impl<'de> Fields<'de> for Metadata<'de> {
    const EXPECTED: &'static str = "an object of paging figures";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "totalCount" => self.total_count = map.next_value()?,
            "nextLink" => self.next_link = map.next_value()?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}
