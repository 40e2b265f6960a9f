//! The command `poll`: polls everything once and prints the metrics.

use anyhow::Context as _;
use indicatif::MultiProgress;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::flags::ConfigFlags;
use super::outcome::{Failed, print};
use super::progress::show_first_round;
use crate::app::Exporter;
use crate::domain::Clock;

pub(super) async fn poll(
    config: &ConfigFlags,
    progress: &MultiProgress,
    polling: &Handle,
    shutdown: CancellationToken,
) -> Result<(), Failed> {
    let (_, config) = config.read()?;
    let exporter = Exporter::new(&config, Clock::system()).map_err(Failed::Usage)?;
    tokio::spawn(show_first_round(progress.clone(), exporter.snapshots()));
    let settled = exporter.settled();
    let polls = AbortOnDropHandle::new(polling.spawn(exporter.poll_once()));
    let polled = shutdown.run_until_cancelled(polls).await;
    settled.await;
    let Some(polled) = polled else {
        return Err(Failed::Other(anyhow::anyhow!(
            "interrupted before all polls ended; printed nothing"
        )));
    };
    let (text, failures) = polled.context("bug in the exporter; please report it")?;
    print(&text)?;
    if failures > 0 {
        return Err(Failed::Other(anyhow::anyhow!(
            "{failures} polls failed; see the log above"
        )));
    }
    Ok(())
}
