//! What collectors share to count users once and to find them in another listing. Pure.

mod codes;
mod exposure;
mod matching;
mod seen;

pub(super) use codes::{CodeCounts, CodeTable};
pub use exposure::Exposure;
pub use matching::ReferenceUsers;
pub(super) use matching::{Matching, Reference};
pub(super) use seen::SeenUsers;
