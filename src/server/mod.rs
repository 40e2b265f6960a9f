//! Floor 5: HTTP. Answers come from memory and never wait for the upstream.

mod connections;
mod encoding;
mod pages;
mod parts;
mod ready;

pub use connections::{Limits, serve};
pub use pages::{Pages, Sources, is_taken};
