//! The process: its threads, its end by a signal, its log, the addresses it listens on, its own metrics. Knows no command.

pub mod listen;
pub mod logging;
pub mod metrics;
pub mod signals;
mod threads;
