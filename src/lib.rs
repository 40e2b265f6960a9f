//! avepoint-exporter.

pub mod app;
pub mod check;
pub mod cli;
pub mod collectors;
pub mod config;
pub mod domain;
pub mod exposition;
pub mod listen;
pub mod logging;
pub mod process;
pub mod progress;
pub mod scheduler;
pub mod server;
pub mod simulated;
pub mod simulator;
pub mod snapshot;
pub mod upstream;
