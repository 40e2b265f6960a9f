//! The simulated upstream: a peer of the real service, which misbehaves on request. It has its own
//! structs and writes its own JSON, so that one mistake cannot cancel itself out; it knows nothing of
//! the client. Read `world` (what is true), `faults` (what goes wrong), `page`, then `answer`.

mod answer;
mod body;
mod chance;
mod dates;
mod distort;
mod faults;
mod identity;
mod names;
mod page;
mod partner_rows;
mod places;
mod rows;
mod seeded;
mod server;
mod tenant;
#[cfg(test)]
mod tests;
mod wire;
mod world;

pub use distort::{null_protected_fields, null_security_fields, unknown_modules, unknown_statuses};
pub use faults::{Fault, InvalidFault, Listing, Rule, When};
pub use identity::{CLIENT_ID, CLIENT_SECRET, PERMISSIONS};
pub use partner_rows::{PartnerUser, Word};
pub use rows::{
    Customer, CustomerTenant, DirectoryUser, Module, OlderSecurityUser, ProtectedUser,
    SecurityUser, Statuses,
};
pub use server::{Moment, Options, Simulator, Stats};
pub use tenant::Tenant;
pub use world::World;
