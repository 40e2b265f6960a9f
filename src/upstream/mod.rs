//! Floor 2: the only code that knows the upstream's JSON, OAuth 2 and HTTP statuses.
//!
//! Five parts, each of which imports only those before it. Reading order: `http` (one request and its answer), `auth`
//! (access tokens), `api` (one API's client, rate and paging), `elements` and `partner_center` (the manners of each).

mod api;
mod auth;
mod elements;
pub(crate) mod http;
mod partner_center;

pub use self::http::{ApiState, Capacity, CredentialState, Expiring, Peers, RequestId, Stats};
pub(crate) use api::client::{Ask, Endpoint};
pub(crate) use api::listing::PAGES_AT_ONCE;
pub(crate) use api::rows::{NOBODY, Rows};
pub use api::{ApiError, Cause, Client, Clients, ListingSize, Page, Progress, Pseudonyms, Shared};
pub use auth::{RefreshTokenFile, RefreshTokenFileError};
pub use elements::{ElementsUser, pages_of};
pub(crate) use elements::{UserRows, UserWire, read_page as read_elements_page};
pub use partner_center::partner_pages_of;

#[cfg(test)]
pub(crate) use elements::tests::check_allocations;
