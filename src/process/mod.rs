//! The process: its threads, its end by a signal, its log, its memory, the addresses it listens on, its own metrics, the
//! service manager. Knows no command.

pub mod files;
pub mod listen;
pub mod logging;
pub mod memory;
pub mod metrics;
pub mod signals;
pub mod systemd;
mod threads;
