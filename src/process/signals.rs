//! The program's threads, and its end by SIGTERM and SIGINT. SIGHUP is the matter of `serve` alone: it ends the
//! other commands, as it should when their terminal is closed.

use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// From a signal to the end in any case: a pipe that nobody reads must not keep the process alive.
const PATIENCE: Duration = Duration::from_millis(4500);

/// Why there is no outcome of the program.
#[derive(Debug)]
pub enum NoOutcome {
    /// It did not end when it was told to, so nobody may be listening to why.
    Stuck,
    /// It could not be started, or it panicked.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for NoOutcome {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Runs the program on threads of its own, and hands it the shutdown that a signal brings. This thread only waits: for
/// the program's end, or for a signal and, should the program not end by it, no longer.
///
/// # Errors
/// Why there is no outcome of the program.
pub fn run<P>(program: impl FnOnce(CancellationToken) -> P) -> Result<P::Output, NoOutcome>
where
    P: Future<Output: Send> + Send + 'static,
{
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
        let mut program = threads.spawn(program(shutdown.clone()));
        tokio::select! {
            outcome = &mut program => return Ok(outcome.context("bug in the exporter; please report it")?),
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
        match tokio::time::timeout(PATIENCE, program).await {
            Ok(outcome) => Ok(outcome.context("bug in the exporter; please report it")?),
            Err(_) => Err(NoOutcome::Stuck),
        }
    });
    threads.shutdown_background();
    outcome
}
