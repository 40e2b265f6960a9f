//! avepoint-exporter.

pub mod app;
pub mod collectors;
pub mod config;
pub mod domain;
pub mod exposition;
pub mod process;
pub mod scheduler;
pub mod server;
pub mod simulator;
pub mod snapshot;
pub mod upstream;
