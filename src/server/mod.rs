//! Floor 5: HTTP. Answers come from memory and never wait for the upstream; only a reload
//! waits, for the disk.

mod answers;
mod connections;
mod encoding;
mod files;
mod limits;
mod lock;
mod pages;
mod parts;
mod reload;
mod status;
mod tls;
mod traffic;
mod troubles;
mod wires;

pub use connections::serve;
pub use limits::Limits;
pub use lock::Lock;
pub use pages::{Pages, Sources, is_taken};
pub use reload::{Asked, Reload};
pub use status::StorageStatus;
