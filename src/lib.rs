//! A Prometheus exporter for AvePoint Elements: which users of which Microsoft 365 tenant are at risk,
//! which are not backed up, and which are both.
//!
//! Data flows one way: config → upstream → collectors → snapshot → exposition → server. A module imports
//! from lower floors, or from its own floor where that makes no cycle. To get to know the program, read
//! from the bottom up:
//!
//! - floor 0, [`domain`]: the field's words as types, among them what is secret and what is the time; [`bundle`]:
//!   the dashboards, rules and runbooks.
//! - floor 1, [`config`]: the YAML file as written, and the validated configuration that all else sees.
//! - floor 2, [`upstream`]: the only code that knows the upstream's JSON, OAuth 2 and HTTP statuses.
//! - floor 3, [`collectors`]: pages become figures, and figures are joined; [`discovery`]: which tenants are
//!   watched; [`snapshot`]: what is known at one moment, published whole; [`state`]: that, kept over a restart.
//! - floor 4, [`scheduler`]: what is polled when, and the only writer of the snapshot; [`exposition`]: the
//!   table of metrics, and a snapshot as text.
//! - floor 5, [`server`]: HTTP, from memory only; [`process`]: signals, the log, addresses to listen on and the
//!   process's own metrics. It knows no command.
//! - floor 6, [`app`]: the exporter put together, with reading the configuration again and saving for a warm start;
//!   [`cli`]: one file per command.
//! - beside them, [`simulator`]: the upstream's peer for tests and the demo. It imports [`domain`] only.

pub mod app;
pub mod bundle;
pub mod cli;
pub mod collectors;
pub mod config;
pub mod discovery;
pub mod domain;
pub mod exposition;
pub mod process;
pub mod scheduler;
pub mod server;
pub mod simulator;
pub mod snapshot;
pub mod state;
pub mod upstream;
