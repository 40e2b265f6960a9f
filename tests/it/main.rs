//! The integration tests: one binary, a module per behaviour.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "inside tests a panic is the report; clippy.toml reaches only functions marked as tests"
)]

mod api;
mod architecture;
mod bad_config;
mod certificates;
mod cli;
mod config_example;
mod exposition;
mod faults;
mod hostile_config;
mod http;
mod leaks;
mod metrics_md;
mod oracle;
mod program;
mod promql;
mod rotation;
mod schedule;
mod server;
mod support;
mod tls;
#[expect(dead_code, reason = "shared with tests/e2e, which uses the rest")]
mod web_cases;
mod web_config;
mod words;
