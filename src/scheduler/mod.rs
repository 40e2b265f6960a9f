//! Floor 4: which listing is read when. One task decides, starts polls and publishes what they found; it is
//! the only writer of the snapshot.

mod again;
mod discovered;
mod forecast;
mod jobs;
mod outcome;
mod quarantine;
mod roster;
mod run;
mod slots;

pub use run::{InForce, Scheduler};
