//! One API: a client that signs in and keeps within a rate limit, and the pages and rows of any listing. Knows no
//! listing by name.
//!
//! Reading order: `client` (one request), `limiter`, `listing` (page by page), `paging` (where it ends; pure),
//! `ahead`, `rows`, `personal`, `error`.

mod ahead;
pub(super) mod client;
mod error;
mod limiter;
pub(super) mod listing;
pub(super) mod paging;
pub(super) mod personal;
pub(super) mod rows;

pub use client::{Client, Clients, Shared};
pub use error::{ApiError, Cause};
pub use paging::Page;
pub use personal::Pseudonyms;
pub use rows::{ListingSize, Progress};
