//! The listings of AvePoint Elements, and what remains of their rows.

mod ahead;
mod customers;
mod directory;
mod listing;
mod protected_users;
mod security_users;
mod status;
#[cfg(test)]
mod tests;

pub use customers::{Customer, CustomerTenant};
pub use directory::DirectoryUser;
pub use listing::pages_of;
pub use protected_users::ProtectedUser;
pub use security_users::{COUNT_REQUESTS, SecurityUser};
