//! One request and its answer: connections, bounds, retries, JSON. It knows no tokens and no listings.
//!
//! Reading order: `transport` (one try) with its `body`, `encoding`, `retry_after`, `clock_skew`, `peer` and `trust`, `verdict`
//! (its result) with `fault`, `tries` with `retry` (the policy, pure), `json`, `time`, `request_id`, `stats` with `gauges`.

pub(super) mod body;
mod clock_skew;
mod encoding;
pub(super) mod fault;
mod gauges;
pub(crate) mod json;
mod peer;
pub(super) mod request_id;
pub(super) mod retry;
mod retry_after;
pub(super) mod stats;
pub(crate) mod time;
pub(super) mod transport;
pub(super) mod tries;
pub(super) mod trust;
pub(super) mod verdict;

pub use peer::Peers;
pub use request_id::RequestId;
pub use stats::{ApiState, Capacity, CredentialState, Expiring, Stats};
