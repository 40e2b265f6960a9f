//! The program's threads, and its end by SIGTERM and SIGINT. SIGHUP is the matter of `serve` alone: it ends the
//! other commands, as it should when their terminal is closed.

use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::{self, Arguments, Failed};

/// From a signal to the end in any case: a pipe that nobody reads must not keep the process alive.
const PATIENCE: Duration = Duration::from_millis(4500);

/// Runs the program on threads of its own. This one only waits: for its end, or for a signal and, should the
/// program not end by it, no longer.
///
/// # Errors
/// What went wrong with the program; or that it did not end in time.
pub fn run(arguments: Arguments) -> Result<(), Failed> {
    let threads = Runtime::new().context("failed to start threads")?;
    let waiting = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to wait for signals")?;
    let shutdown = CancellationToken::new();
    let outcome = waiting.block_on(async {
        let mut terminate =
            signal(SignalKind::terminate()).context("failed to listen for signals")?;
        let mut interrupt =
            signal(SignalKind::interrupt()).context("failed to listen for signals")?;
        let mut program = threads.spawn(cli::run(arguments, shutdown.clone()));
        tokio::select! {
            outcome = &mut program => return outcome.context("the program has a fault")?,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
        match tokio::time::timeout(PATIENCE, program).await {
            Ok(outcome) => outcome.context("the program has a fault")?,
            Err(_) => Err(Failed::Stuck),
        }
    });
    threads.shutdown_background();
    outcome
}
