//! A Prometheus exporter for AvePoint Elements: which users of which Microsoft 365 tenant are at risk,
//! which are not backed up, and which are both.
//!
//! Data flows one way: config → upstream → collectors → snapshot → exposition → server. A module imports
//! from lower floors, or from its own floor without a cycle. To get to know the program, read from the bottom up:
//!
//! - floor 0, [`domain`]: the field's words as types, among them the table of collectors and their targets; [`bundle`]:
//!   the dashboards, rules and runbooks; [`lock`]: a file that one process at a time holds; [`troubles`]: what is wrong
//!   now, and since when.
//! - floor 1, [`config`]: the YAML file as written, and the validated configuration; [`metric`]: what there is to say
//!   about a metric, and its samples as text.
//! - floor 2, [`upstream`]: OAuth 2, HTTP, and how the listings of both APIs are paged.
//! - floor 3, [`collectors`]: a folder for each, in which pages become figures and figures become metrics;
//!   [`snapshot`]: the state of all targets at one moment, published as a whole; [`state`]: a snapshot over a restart.
//! - floor 4, [`fleet`]: which targets to poll; [`scheduler`]: when, and the only writer of the snapshot;
//!   [`exposition`]: a snapshot as text.
//! - floor 5, [`server`]: HTTP, from memory only; [`process`]: signals, the log, addresses to listen on and the
//!   process's own metrics. It knows no command.
//! - floor 6, [`app`]: the exporter put together, with reload and saving for a warm start; [`cli`]: one file per command.
//! - beside them, [`simulator`]: the upstream's peer for tests and the demo. It imports [`domain`] only.

pub mod app;
pub mod bundle;
pub mod cli;
pub mod collectors;
pub mod config;
pub mod domain;
pub mod exposition;
pub mod fleet;
pub mod lock;
pub mod metric;
pub mod process;
pub mod scheduler;
pub mod server;
pub mod simulator;
pub mod snapshot;
pub mod state;
pub mod troubles;
pub mod upstream;
