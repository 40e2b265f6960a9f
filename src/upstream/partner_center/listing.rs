//! Reading a listing of Partner Center page by page: each page says by link and token where the next one is.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::domain::{Target, TargetId};
use crate::upstream::api::client::{Ask, Client, Endpoint, Ids};
use crate::upstream::api::paging::{Page, PageCount, within};
use crate::upstream::api::rows::{ListingSize, Rows, read_rows};
use crate::upstream::api::{ApiError, Cause};
use crate::upstream::http::json::{self, JsonError, List, Object, OrDefault, Text, wire};
use crate::upstream::http::request_id::RequestId;

/// All paths of the API start with this, and the links in its answers leave it out.
const PREFIX: &str = "/v1";

/// The largest page that Microsoft documents.
const PAGE_SIZE: u32 = 500;

const REQUEST_ID: HeaderName = HeaderName::from_static("ms-requestid");
const CORRELATION_ID: HeaderName = HeaderName::from_static("ms-correlationid");
const CONTINUATION_TOKEN: HeaderName = HeaderName::from_static("ms-continuationtoken");

/// The number of requests that a listing of this many rows takes.
pub fn partner_pages_of(rows: u64) -> u64 {
    rows.div_ceil(u64::from(PAGE_SIZE)).max(1)
}

impl Client {
    /// Reads the whole listing of a target that a query selects, and hands each page to `each`, in order. The
    /// correlation id is that of all requests of a poll. `size` tells what was read, even if it fails.
    ///
    /// # Errors
    /// What the request that failed says; or what `each` says of a page.
    pub(crate) async fn list_by_links<R: Rows>(
        &self,
        endpoint: &Endpoint,
        rows: &R,
        (target, query): (&Target, &[(&str, &str)]),
        correlation: &RequestId,
        size: &mut ListingSize,
        mut each: impl FnMut(Page<R::Row>) -> Result<(), Cause> + Send,
    ) -> Result<(), ApiError> {
        let base = self.below_api_url(&format!("{PREFIX}/"));
        let mut count = PageCount::new(self.max_rows);
        let mut first = self.below_api_url(&target.route(endpoint.route));
        first
            .query_pairs_mut()
            .append_pair("size", &PAGE_SIZE.to_string())
            .extend_pairs(query);
        let mut next = Some(Place {
            url: first,
            token: None,
        });
        while let Some(place) = next {
            let ask = ask(target.id(), &place, correlation);
            let answered = self
                .call(endpoint, &ask, |body| read_page(body, rows))
                .await?;
            let after = match answered.value {
                Some((page, link)) => {
                    size.add(&page);
                    count
                        .add(&page)
                        .and_then(|()| link.map(|link| follow(&base, link)).transpose())
                        .and_then(|after| not_again(&place, after))
                        .and_then(|after| each(page).map(|()| after))
                }
                // Nobody is in the listing.
                None if place.token.is_none() => Ok(None),
                None => Err(Cause::Decode(
                    "204 although the previous page has a link to the next".to_owned(),
                )),
            };
            next = after.map_err(|cause| {
                self.failed(
                    endpoint,
                    cause,
                    answered.request_id.as_ref(),
                    ask.ids.as_ref(),
                )
            })?;
        }
        Ok(())
    }
}

/// Where a page is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    url: Url,
    /// To be sent along.
    token: Option<HeaderValue>,
}

/// Hands on where the next page is, unless it is the one that was just read: that would go on for ever.
fn not_again(read: &Place, next: Option<Place>) -> Result<Option<Place>, Cause> {
    if next.as_ref() == Some(read) {
        return Err(Cause::Limit(
            "the next page is the same as the current page".to_owned(),
        ));
    }
    Ok(next)
}

/// Where a link leads. `base` is what all addresses of the API begin with.
fn follow(base: &Url, link: Link) -> Result<Place, Cause> {
    // A path leaves out what all paths of the API start with; `//host` is no path.
    let is_path = link.uri.starts_with('/') && !link.uri.starts_with("//");
    let is_whole = link.uri.starts_with(base.path());
    let uri = if is_path && !is_whole {
        format!("{}{}", base.path().trim_end_matches('/'), link.uri)
    } else {
        link.uri
    };
    let token = link.token.map(|token| {
        let mut token = HeaderValue::try_from(token).map_err(|_| {
            Cause::Decode(
                "the continuation token of the next page is not a valid header value".to_owned(),
            )
        })?;
        token.set_sensitive(true);
        Ok(token)
    });
    Ok(Place {
        url: within(base, &uri)?,
        token: token.transpose()?,
    })
}

fn ask(target: TargetId, place: &Place, correlation: &RequestId) -> Ask {
    let ids = Ids {
        request: RequestId::random(),
        correlation: correlation.clone(),
    };
    let mut headers = HeaderMap::new();
    for (name, id) in [
        (REQUEST_ID, &ids.request),
        (CORRELATION_ID, &ids.correlation),
    ] {
        headers.extend(HeaderValue::try_from(id.to_string()).map(|id| (name, id)));
    }
    headers.extend(place.token.clone().map(|token| (CONTINUATION_TOKEN, token)));
    Ask {
        target,
        url: place.url.clone(),
        headers,
        ids: Some(ids),
    }
}

/// Where a page says the next one is.
#[derive(Debug, PartialEq, Eq)]
struct Link {
    uri: String,
    token: Option<String>,
}

type PageAndLink<R> = (Page<R>, Option<Link>);

fn read_page<R: Rows>(body: &[u8], rows: &R) -> Result<PageAndLink<R::Row>, JsonError> {
    let envelope: Envelope<'_, R::Wire<'_>> = json::read(body)?;
    let Some(List(items)) = envelope.items else {
        return Err(JsonError::Unexpected("`items` is missing".to_owned()));
    };
    let page = Page {
        rows: read_rows(&items, rows)?,
        // Of this page or of the whole listing: the samples do not tell. The links do.
        total: None,
        next_link: None,
    };
    let OrDefault(next) = envelope.links.0.next;
    let headers = next.headers.into_iter().flat_map(|List(headers)| headers);
    let token = headers
        .map(|Object(header)| header)
        .find(|header| {
            let key = header.key.as_ref();
            key.is_some_and(|key| key.0.eq_ignore_ascii_case(CONTINUATION_TOKEN.as_str()))
        })
        .map(|header| header.value.map(|value| value.0.into_owned()))
        .map(Option::unwrap_or_default);
    let uri = next.uri.filter(|uri| !uri.0.is_empty());
    let link = uri.map(|uri| Link {
        uri: uri.0.into_owned(),
        token,
    });
    Ok((page, link))
}

wire! {
    /// The object around the rows.
    struct Envelope<'de, W>: "an object with the list `items`" {
        "items" => items: Option<List<Object<W>>>,
        "links" => links: OrDefault<Links<'de>>,
    }
}

wire! {
    struct Links<'de>: "an object of links" {
        "next" => next: OrDefault<NextLink<'de>>,
    }
}

wire! {
    struct NextLink<'de>: "a link" {
        "uri" => uri: Option<Text<'de>>,
        "headers" => headers: Option<List<Object<Header<'de>>>>,
    }
}

wire! {
    /// A header to send with the request for the next page. Only the continuation token is sent.
    struct Header<'de>: "a header" {
        "key" => key: Option<Text<'de>>,
        "value" => value: Option<Text<'de>>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reason;

    /// Rows of which only the number is of interest.
    struct AnyRows;

    wire! {
        struct AnyWire: "a row" {}
    }

    impl Rows for AnyRows {
        type Row = ();
        type Wire<'de> = AnyWire;

        fn row(&self, _: &AnyWire) -> Result<(), &'static str> {
            Ok(())
        }
    }

    fn page(body: &str) -> Result<PageAndLink<()>, JsonError> {
        let body = [b"\xef\xbb\xbf", body.as_bytes()].concat();
        read_page(&body, &AnyRows)
    }

    #[test]
    fn a_page_is_read_with_its_rows_and_its_link() {
        let (page, link) = page(
            r#"{"totalCount": 1, "items": [{"id": "a"}],
                "links": {"self": {"uri": "/x"}, "next": {"uri": "/customers/c/users?size=500", "method": "GET",
                "headers": [{"key": "Authorization", "value": "x"}, {"key": "ms-continuationtoken", "value": "t"}]}}}"#,
        )
        .unwrap();
        assert_eq!(page.rows.len(), 1);
        let link = link.unwrap();
        assert_eq!(link.uri, "/customers/c/users?size=500");
        assert_eq!(link.token.as_deref(), Some("t"));
    }

    #[test]
    fn a_listing_ends_where_there_is_no_link_or_an_empty_one() {
        for links in [
            "null",
            "{}",
            r#"{"next": null}"#,
            r#"{"next": {"uri": ""}}"#,
        ] {
            let (page, link) = page(&format!(r#"{{"items": [], "links": {links}}}"#)).unwrap();
            assert!(page.rows.is_empty() && link.is_none(), "{links}");
        }
        for body in [
            "{}",
            r#"{"items": null, "totalCount": 0}"#,
            r#"{"data": []}"#,
        ] {
            assert!(
                matches!(page(body), Err(JsonError::Unexpected(_))),
                "{body}"
            );
        }
    }

    fn followed(uri: &str) -> Result<String, Reason> {
        let base = "https://api.example/base/v1/".parse().unwrap();
        let link = Link {
            uri: uri.to_owned(),
            token: None,
        };
        follow(&base, link)
            .map(|place| place.url.to_string())
            .map_err(|cause| cause.reason())
    }

    #[test]
    fn a_link_leaves_the_version_out_and_leads_to_the_same_origin_only() {
        let there = Ok("https://api.example/base/v1/customers/c/users?size=5".to_owned());
        for uri in [
            "/customers/c/users?size=5",
            "/base/v1/customers/c/users?size=5",
            "https://api.example/base/v1/customers/c/users?size=5",
            "customers/c/users?size=5",
        ] {
            assert_eq!(followed(uri), there, "{uri}");
        }
        for uri in [
            "https://evil.example/base/v1/customers",
            "//evil.example/customers",
            "http://api.example/base/v1/customers",
            "https://api.example:8443/base/v1/customers",
            "https://a@api.example/base/v1/customers",
            "\\\\evil.example/customers",
        ] {
            assert_eq!(followed(uri), Err(Reason::Refused), "{uri}");
        }
    }

    #[test]
    fn a_token_that_is_no_header_fails_the_page() {
        let link = Link {
            uri: "/customers".to_owned(),
            token: Some("a\r\nAuthorization: b".to_owned()),
        };
        let base = "https://api.example/v1/".parse().unwrap();
        assert_eq!(follow(&base, link).unwrap_err().reason(), Reason::Decode);
    }

    #[test]
    fn a_page_that_leads_to_itself_is_not_read_again() {
        let place = |token: &'static str| Place {
            url: "https://api.example/v1/customers".parse().unwrap(),
            token: Some(HeaderValue::from_static(token)),
        };
        let read = place("a");
        assert_eq!(
            not_again(&read, Some(place("b"))).unwrap(),
            Some(place("b"))
        );
        assert_eq!(not_again(&read, None).unwrap(), None);
        let error = not_again(&read, Some(place("a"))).unwrap_err();
        assert_eq!(error.reason(), Reason::Limit);
    }
}
