//! The listings of AvePoint Elements, and what remains of their rows.

mod customers;
mod listing;
mod protected_users;
mod security_users;
#[cfg(test)]
mod tests;

pub use customers::{Customer, CustomerTenant};
pub use listing::{ListingSize, pages_of};
pub use protected_users::ProtectedUser;
pub use security_users::SecurityUser;
