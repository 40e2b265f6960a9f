//! The simulated upstream: a peer of the real service, which misbehaves on request. It has its own
//! structs and writes its own JSON, so that one mistake cannot cancel itself out; it knows nothing of
//! the client. Read `world` (what is true), `faults` (what goes wrong), `page`, then `answer`.

mod answer;
mod ask;
mod assertion;
mod body;
mod chance;
mod credential;
mod dates;
mod distort;
mod faults;
mod form;
mod grants;
mod identity;
mod listed;
mod names;
mod page;
mod partner_page;
mod partner_rows;
mod places;
mod refresh;
mod refuse;
mod reply;
mod rise;
mod rows;
mod seeded;
mod server;
mod stats;
mod target;
mod tenant;
#[cfg(test)]
mod tests;
mod wire;
mod world;

pub use distort::Distort;
pub use faults::{Fault, InvalidFault, Listing, Rule, When};
pub use identity::{CLIENT_ID, CLIENT_SECRET, PERMISSIONS};
pub use partner_rows::{PartnerUser, Word};
pub use refresh::{FIRST_REFRESH_TOKEN, PARTNER_CLIENT_ID, PARTNER_CLIENT_SECRET, PARTNER_TENANT};
pub use rows::{
    Customer, CustomerTenant, DirectoryUser, Module, OlderSecurityUser, ProtectedUser,
    SecurityUser, Statuses,
};
pub use server::{Options, Simulator};
pub use stats::{Moment, NO_TENANT, PartnerRequest, Stats};
pub use tenant::{CannotRise, Tenant};
pub use world::World;
