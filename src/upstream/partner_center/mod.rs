//! The manners of Microsoft Partner Center: how its listings are paged.

mod listing;

pub use listing::partner_pages_of;
