//! The manners of AvePoint Elements: how its listings are paged, and how several of them describe a user.

mod listing;
#[cfg(test)]
pub(crate) mod tests;
mod user;

pub use listing::pages_of;
pub(crate) use listing::read_page;
pub use user::ElementsUser;
pub(crate) use user::{UserRows, UserWire};
