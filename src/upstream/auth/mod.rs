//! Signing in: where access tokens come from and how long they are used.

mod client_secret;
mod error;
mod source;

pub(super) use error::TokenError;
pub(super) use source::TokenSource;
