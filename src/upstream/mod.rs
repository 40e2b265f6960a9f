//! Floor 2: the only code that knows the upstream's JSON, OAuth 2 and HTTP statuses.
//!
//! Reading order: `elements` (listings and what a row becomes), `client` (one request with its
//! `tries`), `paging`, `retry` (policy), `limiter`, `transport`, `auth`, `json`, `personal`, `error`, `request_id`, `stats`.

mod auth;
mod body;
mod client;
mod elements;
mod error;
pub(crate) mod json;
mod limiter;
mod paging;
mod partner_center;
mod personal;
mod request_id;
mod retry;
mod rows;
mod stats;
mod time;
mod transport;
mod tries;

pub use auth::{RefreshTokenFile, RefreshTokenFileError};
pub use client::{Client, Clients};
pub use elements::{
    COUNT_REQUESTS, Customer, CustomerTenant, DirectoryUser, ProtectedUser, SecurityUser, pages_of,
};
pub use error::{ApiError, Cause};
pub use paging::Page;
pub use partner_center::{PartnerUser, UsageLocation, partner_pages_of};
pub use personal::Pseudonyms;
pub use request_id::RequestId;
pub use rows::ListingSize;
pub use stats::{Api, Capacity, Stats};
