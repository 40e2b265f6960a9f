//! Floor 5: HTTP. Answers come from memory and never wait for the upstream; only a reload
//! waits, for the disk.

mod answers;
mod connections;
mod encoding;
mod files;
mod pages;
mod parts;
mod reload;
mod status;
mod troubles;

pub use connections::{Limits, serve};
pub use pages::{Pages, Sources, is_taken};
pub use reload::{Asked, Reload};
pub use status::StorageStatus;
