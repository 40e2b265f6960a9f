//! Floor 2: the only code that knows the upstream's JSON, OAuth 2 and HTTP statuses.
//!
//! Five parts, each of which imports only those before it. Reading order: `http` (one request and its answer), `auth`
//! (access tokens), `api` (one API's client, rate and paging), `elements` and `partner_center` (the manners of each).

mod api;
mod auth;
mod elements;
pub(crate) mod http;
mod partner_center;

pub use self::http::{Api, Capacity, RequestId, Stats};
pub use api::{ApiError, Cause, Client, Clients, ListingSize, Page, Pseudonyms, Shared};
pub use auth::{RefreshTokenFile, RefreshTokenFileError};
pub use elements::{
    COUNT_REQUESTS, Customer, CustomerTenant, DirectoryUser, ProtectedUser, SecurityUser, pages_of,
};
pub use partner_center::{PartnerUser, UsageLocation, partner_pages_of};
