//! The command `serve`: polls and serves until the shutdown.

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::flags::ServeFlags;
use super::outcome::Failed;
use crate::app::{Exporter, Web};
use crate::domain::Clock;

pub(super) async fn serve(
    flags: &ServeFlags,
    polling: Handle,
    shutdown: CancellationToken,
) -> Result<(), Failed> {
    // Before all else: one that comes too early must not end the program.
    let mut hangups = signal(SignalKind::hangup()).context("failed to listen for signals")?;
    let (file, config) = flags.config.read()?;
    // Before the files of state_dir are touched, which may be those of an exporter that has the address already.
    let bound = flags.web.open().await?;
    let exporter = Exporter::warm(&config, Clock::system()).map_err(Failed::Usage)?;
    let (exporter, reload) = exporter.reloading(&flags.config.config_file, file);
    bound.log();
    let web = Web {
        reload: flags.enable_lifecycle.then(|| reload.clone()),
        ..flags.web.web(bound.lock.clone())
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config_file = %flags.config.config_file.display(),
        listed_tenants = config.tenants.len(),
        metrics = bound.url(&flags.web.telemetry_path),
        "exporter started"
    );
    let lock = bound.lock;
    tokio::spawn(async move {
        // What comes of it is logged where it is done.
        while hangups.recv().await.is_some() {
            let _ = reload.ask().await;
            if let Some(lock) = &lock {
                let _ = lock.reread().await;
            }
        }
    });
    let exporter = exporter.probed_on(bound.probes);
    Box::pin(exporter.run(bound.pages, web, polling, shutdown)).await?;
    tracing::info!("exporter stopped");
    Ok(())
}
