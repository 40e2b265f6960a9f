//! Floor 4: which listing is read when. One task decides, starts polls and publishes what they found; it is
//! the only writer of the snapshot.

mod again;
mod demand;
mod discovered;
mod forecast;
mod jobs;
mod outcome;
mod quarantine;
mod roster;
mod run;
mod slots;

pub use demand::Demand;
pub use run::{InForce, Scheduler};
