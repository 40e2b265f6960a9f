//! Keeps the snapshot over a restart: every few minutes, and at the end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntGaugeVec, Registry, opts};
use tokio::sync::watch;
use tokio::task;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::domain::{Clock, PromDuration};
use crate::scheduler::InForce;
use crate::server::StorageStatus;
use crate::snapshot::Snapshots;
use crate::state::StateDir;
use crate::troubles::{Trouble, Troubles};

/// At most this much time is lost when the exporter is killed.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// A write takes some milliseconds; one that takes so long will not end soon.
const LONGEST_WRITE: Duration = Duration::from_secs(60);

/// How long the shutdown waits for the disk: shorter than the time after which it is ended in any case.
const PATIENCE: Duration = Duration::from_secs(3);

/// Writes what is known to where the configuration in force says, if it does.
#[derive(Debug)]
pub(super) struct Saving {
    /// Where it begins to write; opened already.
    pub(super) folder: Option<StateDir>,
    /// How that goes, for everybody to see.
    pub(super) storage: Storage,
    pub(super) in_force: watch::Receiver<Arc<InForce>>,
    pub(super) snapshots: Snapshots,
    pub(super) clock: Clock,
}

impl Saving {
    /// Writes every [`SAVE_EVERY`] while something changes, and a last time at the shutdown, from which on no poll counts.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut saves = tokio::time::interval_at(Instant::now() + SAVE_EVERY, SAVE_EVERY);
        saves.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Ok(()) = self.in_force.changed() => self.follow().await,
                _ = saves.tick() => self.save().await,
            }
        }
        if tokio::time::timeout(PATIENCE, self.save()).await.is_err() {
            tracing::error!("saving the warm-start file timed out; the previous file stays");
        }
    }

    /// Goes where the configuration now says. What was kept there is of no interest: this process knows better.
    async fn follow(&mut self) {
        let wanted = self.in_force.borrow_and_update().config.state_dir.clone();
        if wanted.as_deref() == self.folder.as_ref().map(StateDir::folder) {
            return;
        }
        let now = self.clock.now();
        let opened = task::spawn_blocking(move || wanted.map(|path| StateDir::open(&path, now).0));
        // A panic was logged where it happened.
        self.folder = opened.await.unwrap_or_default();
        self.storage.show(self.folder.as_ref());
        // All that is known is new there.
        self.snapshots.mark_changed();
    }

    /// Writes the snapshot, unless that was written already.
    async fn save(&mut self) {
        if !self.snapshots.has_changed().unwrap_or(true) {
            return;
        }
        let Some(mut folder) = self.folder.take() else {
            return;
        };
        let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
        let now = self.clock.now();
        let path = folder.folder().to_owned();
        let mut written = task::spawn_blocking(move || {
            folder.write(&snapshot, now);
            folder
        });
        let ended = if let Ok(ended) = tokio::time::timeout(LONGEST_WRITE, &mut written).await {
            ended
        } else {
            // A disk whose server does not answer holds it up for as long.
            self.storage.hangs(&path);
            written.await
        };
        self.folder = ended.ok();
        self.storage.show(self.folder.as_ref());
    }
}

/// How the last write to the folder went, or its trial: the metric, and what the status says of it.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    /// Without labels, and absent where there is no folder.
    up: IntGaugeVec,
    status: watch::Sender<Option<StorageStatus>>,
    troubles: Troubles,
    clock: Clock,
}

impl Storage {
    /// # Errors
    /// When the registry holds the name already.
    pub(super) fn register(
        registry: &Registry,
        troubles: Troubles,
        clock: Clock,
    ) -> prometheus::Result<Self> {
        let opts = opts!(
            "avepoint_exporter_state_dir_up",
            "1 if the last write to state_dir or trial of it succeeded, 0 if not; absent without state_dir."
        );
        let up = IntGaugeVec::new(opts, &[])?;
        registry.register(Box::new(up.clone()))?;
        Ok(Self {
            up,
            status: watch::Sender::new(None),
            troubles,
            clock,
        })
    }

    /// What the status says, now and later.
    pub(super) fn status(&self) -> watch::Receiver<Option<StorageStatus>> {
        self.status.subscribe()
    }

    pub(super) fn show(&self, folder: Option<&StateDir>) {
        self.put(folder.map(|folder| StorageStatus {
            folder: folder.folder().to_owned(),
            error: folder.complaint().map(str::to_owned),
        }));
    }

    fn hangs(&self, folder: &Path) {
        let waited = PromDuration(LONGEST_WRITE);
        let error =
            format!("no answer within {waited}; a network disk whose server does not answer?");
        tracing::error!(folder = %folder.display(), error, "failed to write the warm-start file");
        self.put(Some(StorageStatus {
            folder: folder.to_owned(),
            error: Some(error),
        }));
    }

    fn put(&self, status: Option<StorageStatus>) {
        match &status {
            Some(status) => self
                .up
                .with_label_values::<&str>(&[])
                .set(status.error.is_none().into()),
            None => drop(self.up.remove_label_values::<&str>(&[])),
        }
        let error = status.as_ref().and_then(|status| {
            let error = status.error.as_ref()?;
            Some(format!("{}: {error}", status.folder.display()))
        });
        match error {
            Some(error) => {
                let now = self.clock.now();
                self.troubles
                    .begin(Trouble::Storage, "state_dir", "", error, now);
            }
            None => {
                self.troubles.end(Trouble::Storage, "state_dir");
            }
        }
        self.status.send_replace(status);
    }
}

#[cfg(test)]
mod tests;
