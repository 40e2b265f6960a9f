//! Signing in: where access tokens come from and how long they are used.
//!
//! In the order in which one comes about: `groups` knows which token carries a permission; `source` hands out the one in use and knows when it is time for another;
//! `refresh_token` keeps what Partner Center needs for that; `service` asks, with `proof` (and `assertion`) of who
//! is asking, and judges the `answer`.

mod answer;
mod assertion;
mod error;
mod groups;
mod proof;
mod refresh_token;
mod service;
mod source;

pub(super) use error::TokenError;
pub(super) use groups::Tokens;
pub use refresh_token::{RefreshTokenFile, RefreshTokenFileError};

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
