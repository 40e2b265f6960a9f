//! The listings of Partner Center: each page says by link and token where the next one is.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::domain::{Target, TargetId};
use crate::upstream::api::client::{Ask, Client, Endpoint, Ids};
use crate::upstream::api::listing::Paged;
use crate::upstream::api::paging::{Link, Page, Place, within};
use crate::upstream::api::rows::{Progress, Rows, read_rows};
use crate::upstream::api::{ApiError, Cause};
use crate::upstream::http::json::{
    self, JsonError, List, MaybeWhole, Object, OrDefault, Text, wire,
};
use crate::upstream::http::request_id::RequestId;

/// All paths of the API start with this, and the links in its answers leave it out.
const PREFIX: &str = "/v1";

/// The largest page that Microsoft documents.
const PAGE_SIZE: u64 = 500;

const REQUEST_ID: HeaderName = HeaderName::from_static("ms-requestid");
const CORRELATION_ID: HeaderName = HeaderName::from_static("ms-correlationid");
/// Asks whether the sign-in of the token's user is good enough for Microsoft's enforcement of multi-factor
/// authentication. Microsoft: "Testing the partner security requirements".
const VALIDATE_MFA: HeaderName = HeaderName::from_static("validatemfa");
const CONTINUATION_TOKEN: HeaderName = HeaderName::from_static("ms-continuationtoken");

/// The number of requests that a listing of this many rows takes.
pub fn partner_pages_of(rows: u64) -> u64 {
    rows.div_ceil(PAGE_SIZE).max(1)
}

impl Client {
    /// Reads the whole listing of a target in Partner Center that a query selects: see [`Client::read_listing`]. The
    /// correlation id is that of all requests of a poll.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn list_by_links<R: Rows>(
        &self,
        endpoint: &Endpoint,
        rows: &R,
        (target, query): (&Target, &[(&str, &str)]),
        correlation: &RequestId,
        progress: &Progress,
        each: impl FnMut(&Page<R::Row>) -> Result<u64, Cause> + Send,
    ) -> Result<(), ApiError> {
        let listing = Listing {
            target: target.id(),
            base: self.below_api_url(&format!("{PREFIX}/")),
            url: self.below_api_url(&target.route(endpoint.route)),
            query,
            correlation,
        };
        self.read_listing(&listing, endpoint, rows, progress, each)
            .await
    }
}

/// A listing of one target.
struct Listing<'a> {
    target: TargetId,
    /// What all addresses of the API begin with.
    base: Url,
    /// Its own address.
    url: Url,
    query: &'a [(&'a str, &'a str)],
    correlation: &'a RequestId,
}

impl Listing<'_> {
    /// The address of a page.
    fn page(&self, more: Option<(&str, &str)>) -> Url {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("size", &PAGE_SIZE.to_string())
            .extend_pairs(self.query)
            .extend_pairs(more);
        url
    }
}

impl Paged for Listing<'_> {
    const PAGE_SIZE: u64 = PAGE_SIZE;

    fn first(&self) -> Place {
        Place::Link {
            url: self.page(None),
            token: None,
        }
    }

    fn ask(&self, place: &Place) -> Ask {
        let ids = Ids {
            request: RequestId::random(),
            correlation: self.correlation.clone(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(VALIDATE_MFA, HeaderValue::from_static("true"));
        for (name, id) in [
            (REQUEST_ID, &ids.request),
            (CORRELATION_ID, &ids.correlation),
        ] {
            headers.extend(HeaderValue::try_from(id.to_string()).map(|id| (name, id)));
        }
        let Place::Link { url, token } = place else {
            unreachable!("pages of this API have no index")
        };
        headers.extend(token.clone().map(|token| (CONTINUATION_TOKEN, token)));
        Ask {
            target: self.target,
            url: url.clone(),
            headers,
            ids: Some(ids),
        }
    }

    fn read<R: Rows>(body: &[u8], rows: &R) -> Result<Page<R::Row>, JsonError> {
        read_page(body, rows)
    }

    fn follow(&self, link: Link) -> Result<Place, Cause> {
        let url = if link.uri.is_empty() {
            // As the page of the API itself has it.
            self.page(Some(("seekOperation", "Next")))
        } else {
            below(&self.base, &link.uri)?
        };
        let token = link.token.map(|token| {
            let mut token = HeaderValue::try_from(token).map_err(|_| {
                Cause::Decode(
                    "the continuation token of the next page is not a valid header value"
                        .to_owned(),
                )
            })?;
            token.set_sensitive(true);
            Ok(token)
        });
        Ok(Place::Link {
            url,
            token: token.transpose()?,
        })
    }
}

/// Where a link leads. `base` is what all addresses of the API begin with.
fn below(base: &Url, uri: &str) -> Result<Url, Cause> {
    // A path leaves out what all paths of the API start with; `//host` is no path.
    let is_path = uri.starts_with('/') && !uri.starts_with("//");
    if is_path && !uri.starts_with(base.path()) {
        return within(base, &format!("{}{uri}", base.path().trim_end_matches('/')));
    }
    within(base, uri)
}

fn read_page<R: Rows>(body: &[u8], rows: &R) -> Result<Page<R::Row>, JsonError> {
    let envelope: Envelope<'_, R::Wire<'_>> = json::read(body)?;
    let Some(List(items)) = envelope.items else {
        return Err(JsonError::Unexpected("`items` is missing".to_owned()));
    };
    let OrDefault(next) = envelope.links.0.next;
    let headers = next.headers.into_iter().flat_map(|List(headers)| headers);
    let of_link = headers
        .map(|Object(header)| header)
        .find(|header| {
            let key = header.key.as_ref();
            key.is_some_and(|key| key.0.eq_ignore_ascii_case(CONTINUATION_TOKEN.as_str()))
        })
        .and_then(|header| header.value);
    let text = |text: Option<Text<'_>>| {
        let text = text.map(|Text(text)| text.into_owned());
        text.filter(|text| !text.is_empty())
    };
    let (uri, token) = (text(next.uri), text(envelope.token));
    let link = match (uri, token) {
        (Some(uri), token) => Some(Link {
            uri,
            token: text(of_link).or(token),
        }),
        // Some answers have the token alone.
        (None, Some(token)) => Some(Link {
            uri: String::new(),
            token: Some(token),
        }),
        (None, None) => None,
    };
    let rows_read = read_rows(&items, rows)?;
    Ok(Page {
        unreadable_dates: rows_read.iter().map(R::unreadable_dates).sum(),
        rows: rows_read,
        total: envelope.total_count.count(),
        size: None,
        link,
    })
}

wire! {
    /// The object around the rows.
    struct Envelope<'de, W>: "an object with the list `items`" {
        "items" => items: Option<List<Object<W>>>,
        "totalCount" => total_count: MaybeWhole,
        "continuationToken" => token: Option<Text<'de>>,
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

    fn page(body: &str) -> Result<Page<()>, JsonError> {
        let body = [b"\xef\xbb\xbf", body.as_bytes()].concat();
        read_page(&body, &AnyRows)
    }

    fn link(uri: &str, token: Option<&str>) -> Link {
        Link {
            uri: uri.to_owned(),
            token: token.map(str::to_owned),
        }
    }

    #[test]
    fn a_page_is_read_with_its_rows_its_total_and_its_link() {
        let page = page(
            r#"{"totalCount": 1, "items": [{"id": "a"}], "continuationToken": "u",
                "links": {"self": {"uri": "/x"}, "next": {"uri": "/customers/c/users?size=500", "method": "GET",
                "headers": [{"key": "Authorization", "value": "x"}, {"key": "ms-continuationtoken", "value": "t"}]}}}"#,
        )
        .unwrap();
        assert_eq!((page.rows.len(), page.total), (1, Some(1)));
        assert_eq!(
            page.link,
            Some(link("/customers/c/users?size=500", Some("t")))
        );
    }

    #[test]
    fn a_listing_ends_where_there_is_neither_a_link_nor_a_token() {
        for (rest, expected) in [
            (r#""links": null"#, None),
            (r#""links": {}"#, None),
            (r#""links": {"next": null}"#, None),
            (
                r#""links": {"next": {"uri": ""}}, "continuationToken": """#,
                None,
            ),
            (r#""continuationToken": "t""#, Some(link("", Some("t")))),
            (
                r#""links": {"next": {"uri": ""}}, "continuationToken": "t""#,
                Some(link("", Some("t"))),
            ),
            (
                r#""links": {"next": {"uri": "/x"}}, "continuationToken": "t""#,
                Some(link("/x", Some("t"))),
            ),
            (
                r#""links": {"next": {"uri": "/x"}}"#,
                Some(link("/x", None)),
            ),
        ] {
            let page = page(&format!(r#"{{"items": [], {rest}}}"#)).unwrap();
            assert!(page.rows.is_empty());
            assert_eq!(page.link, expected, "{rest}");
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

    /// Where a link leads, and whether with a token.
    fn followed(link: Link) -> Result<(String, bool), Reason> {
        let base = "https://api.example/base/v1/";
        let listing = Listing {
            target: TargetId::Partner,
            base: base.parse().unwrap(),
            url: format!("{base}customers/c/users").parse().unwrap(),
            query: &[("filter", "x")],
            correlation: &RequestId::random(),
        };
        match listing.follow(link) {
            Ok(Place::Link { url, token }) => Ok((url.to_string(), token.is_some())),
            Ok(_) => panic!("no link"),
            Err(cause) => Err(cause.reason()),
        }
    }

    #[test]
    fn a_link_leaves_the_version_out_and_leads_to_the_same_origin_only() {
        let there = "https://api.example/base/v1/customers/c/users?size=5".to_owned();
        for uri in [
            "/customers/c/users?size=5",
            "/base/v1/customers/c/users?size=5",
            "https://api.example/base/v1/customers/c/users?size=5",
            "customers/c/users?size=5",
        ] {
            assert_eq!(
                followed(link(uri, None)),
                Ok((there.clone(), false)),
                "{uri}"
            );
        }
        for uri in [
            "https://evil.example/base/v1/customers",
            "//evil.example/customers",
            "http://api.example/base/v1/customers",
            "https://api.example:8443/base/v1/customers",
            "https://a@api.example/base/v1/customers",
            "\\\\evil.example/customers",
        ] {
            assert_eq!(followed(link(uri, None)), Err(Reason::Refused), "{uri}");
        }
    }

    #[test]
    fn a_token_alone_goes_on_with_the_same_listing() {
        let there =
            "https://api.example/base/v1/customers/c/users?size=500&filter=x&seekOperation=Next";
        assert_eq!(followed(link("", Some("t"))), Ok((there.to_owned(), true)));
    }

    #[test]
    fn a_token_that_is_no_header_fails_the_page() {
        let bad = link("/customers", Some("a\r\nAuthorization: b"));
        assert_eq!(followed(bad), Err(Reason::Decode));
    }
}
