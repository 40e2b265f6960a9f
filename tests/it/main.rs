//! The integration tests: one binary, a module per behaviour.

mod bad_config;
mod config_example;
