//! The listing of Microsoft Partner Center, and what remains of its rows.

mod listing;
mod users;

pub use listing::partner_pages_of;
pub use users::{PartnerUser, UsageLocation};
