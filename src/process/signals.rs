//! The program's start and its end by SIGTERM and SIGINT. SIGHUP is the matter of `serve` alone: it ends the
//! other commands, as it should when their terminal is closed.

use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::threads::Threads;

/// From a signal to the end in any case: a pipe that nobody reads must not keep the process alive.
const PATIENCE: Duration = Duration::from_millis(4500);

/// Runs the program on threads of its own, and hands it other threads for all that deals with an upstream, and the
/// shutdown that a signal brings. This thread only waits: for the program's end, or for a signal and then a few seconds
/// more. `None` if the program has not ended by then.
///
/// # Errors
/// When the program could not be started, or panicked.
pub fn run<P>(
    program: impl FnOnce(Handle, CancellationToken) -> P,
) -> anyhow::Result<Option<P::Output>>
where
    P: Future<Output: Send> + Send + 'static,
{
    let threads = Threads::start().context("failed to start threads")?;
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
        let patience = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            shutdown.cancel();
            tokio::time::sleep(PATIENCE).await;
        };
        let program = threads
            .serving()
            .spawn(program(threads.polling().clone(), shutdown.clone()));
        tokio::select! {
            biased;
            outcome = program => outcome.map(Some).context("bug in the exporter; please report it"),
            () = patience => Ok(None),
        }
    });
    threads.end();
    outcome
}
