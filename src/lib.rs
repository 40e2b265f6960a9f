//! avepoint-exporter.

pub mod collectors;
pub mod config;
pub mod domain;
pub mod scheduler;
pub mod simulator;
pub mod snapshot;
pub mod upstream;
