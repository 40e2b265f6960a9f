//! Pages of Partner Center's listings: what is asked for, and the answer with its continuation token.
//! Knows nothing of sockets and access tokens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::domain::TenantId;

use super::chance::mix;
use super::faults::{Fault, Listing};
use super::listed::Listed;
use super::page::{self, Window};
use super::target::picks_deleted;
use super::wire::Links;

/// The largest page that can be asked for.
const LARGEST: usize = 500;
/// A header that a client must not send, whatever `links.next` says.
pub(super) const FOREIGN_HEADER: &str = "x-simulated-foreign";
/// What `links.next` says besides when a fault strikes. It comes before the continuation token.
const MORE_HEADERS: &[(&str, &str)] = &[
    (FOREIGN_HEADER, "1"),
    ("Authorization", "Bearer simulated-foreign-token"),
];
/// What makes continuation tokens hard to make up.
const TOKENS: u64 = 0x7043_6e54;
/// The filter that picks deleted users, as it stands in a query.
const DELETED: &str = "&filter=%7B%22Field%22%3A%22UserStatus%22%2C%22Value%22%3A%22Inactive%22%2C%22Operator%22%3A%22equals%22%7D";

/// Which page of which listing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartnerAsk {
    listing: Listing,
    tenant: TenantId,
    size: usize,
    /// The place of the first row.
    start: usize,
}

impl PartnerAsk {
    /// Reads the query and the continuation token, or says what is wrong with them.
    pub(super) fn read(
        listing: Listing,
        tenant: TenantId,
        query: &str,
        token: Option<&str>,
    ) -> Result<Self, &'static str> {
        let mut ask = Self {
            listing,
            tenant,
            size: LARGEST,
            start: 0,
        };
        let mut seeks = false;
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "size" => {
                    let size = value
                        .parse()
                        .ok()
                        .filter(|size| (1..=LARGEST).contains(size));
                    ask.size = size.ok_or("size is wrong")?;
                }
                "seekOperation" if value == "Next" => seeks = true,
                "seekOperation" => return Err("seekOperation is wrong"),
                "filter" if !picks_deleted(&value) => return Err("filter is wrong"),
                _ => {}
            }
        }
        match (seeks, token) {
            (false, None) => Ok(ask),
            (true, Some(token)) => {
                ask.start = ask.place(token).ok_or("the continuation token is wrong")?;
                Ok(ask)
            }
            (true, None) => Err("the continuation token is missing"),
            (false, Some(_)) => Err("seekOperation is missing"),
        }
    }

    /// The token for the page that begins with this row; good for this listing of this tenant only.
    fn token(&self, start: usize) -> String {
        let tenant = self.tenant.bits();
        let kind = u64::from(self.listing == Listing::DeletedPartner);
        let mut check = mix(TOKENS ^ kind, start);
        for half in [tenant >> 64, tenant & u128::from(u64::MAX)] {
            check = mix(check ^ u64::try_from(half).unwrap_or(0), start);
        }
        BASE64.encode(format!("{start}.{check:016x}"))
    }

    /// The row that a token stands for.
    fn place(&self, token: &str) -> Option<usize> {
        let text = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
        let start = text.split_once('.')?.0.parse().ok()?;
        (self.token(start) == token).then_some(start)
    }

    /// The address of a page, relative and without `/v1`.
    fn uri(&self, seek: &str) -> String {
        let (tenant, size) = (self.tenant, self.size);
        let filter = match self.listing {
            Listing::DeletedPartner => DELETED,
            _ => "",
        };
        format!("/customers/{tenant}/users?size={size}{seek}{filter}")
    }

    /// The page as JSON; nothing for a 204.
    pub(super) fn write(
        &self,
        listed: Listed<'_>,
        strikes: &[Fault],
        limit: usize,
        foreign_origin: &str,
    ) -> Option<Vec<u8>> {
        let window = Window {
            listed,
            picked: None,
            start: if strikes.contains(&Fault::IgnoredIndex) {
                0
            } else {
                self.start
            },
            size: page::size(self.size, limit, strikes),
            strikes,
        };
        if window.has_no_content() {
            return None;
        }
        let mut writer = window.writer();
        writer.start_items(window.depth(), window.total());
        window.write_rows(&mut writer);
        let filling = window.link_filling();
        let mut next = self.uri("&seekOperation=Next") + &filling;
        let foreign = window.struck(Fault::ForeignLink);
        let linked = foreign || !filling.is_empty();
        if foreign {
            next = format!("{foreign_origin}/v1{next}");
        }
        let circle = window.struck(Fault::Circle);
        let token = self.token(if circle { 0 } else { window.end() });
        let links = Links {
            this: &self.uri(""),
            next: (linked || circle || window.goes_on()).then_some((&*next, &*token)),
            token_only: window.struck(Fault::TokenOnly),
            more_headers: if window.struck(Fault::ForeignHeader) {
                MORE_HEADERS
            } else {
                &[]
            },
            empty_next: window.struck(Fault::NullFields),
        };
        Some(writer.end_items(links))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId::from_bits(7);

    fn read(listing: Listing, query: &str, token: Option<&str>) -> Result<usize, &'static str> {
        PartnerAsk::read(listing, TENANT, query, token).map(|ask| ask.start)
    }

    #[test]
    fn a_continuation_token_is_good_for_its_own_listing_only() {
        let ask = PartnerAsk::read(Listing::Partner, TENANT, "size=5", None).unwrap();
        let token = ask.token(500);
        let next = "size=5&seekOperation=Next";
        assert_eq!(read(Listing::Partner, next, Some(&token)), Ok(500));
        let wrong = Err("the continuation token is wrong");
        assert_eq!(read(Listing::DeletedPartner, next, Some(&token)), wrong);
        let other = PartnerAsk {
            tenant: TenantId::from_bits(8),
            ..ask
        };
        assert_eq!(read(Listing::Partner, next, Some(&other.token(500))), wrong);
        for made_up in ["", "500", &BASE64.encode("500.0000000000000000")] {
            assert_eq!(read(Listing::Partner, next, Some(made_up)), wrong);
        }
    }

    #[test]
    fn a_wrong_query_is_refused() {
        for (query, problem) in [
            ("size=0", "size is wrong"),
            ("size=501", "size is wrong"),
            ("size=all", "size is wrong"),
            ("seekOperation=Next", "the continuation token is missing"),
            ("seekOperation=Last", "seekOperation is wrong"),
            ("filter=Inactive", "filter is wrong"),
        ] {
            assert_eq!(read(Listing::Partner, query, None), Err(problem), "{query}");
        }
        assert_eq!(
            read(Listing::Partner, "size=5", Some("x")),
            Err("seekOperation is missing")
        );
        assert_eq!(read(Listing::Partner, "", None), Ok(0));
    }
}
