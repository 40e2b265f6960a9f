//! Keeps the snapshot over a restart: every few minutes, and at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::domain::Clock;
use crate::scheduler::InForce;
use crate::snapshot::Snapshots;
use crate::state::StateDir;

/// At most this much time is lost when the exporter is killed.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// How long the shutdown waits for the disk: shorter than the time after which it is ended in any case.
const PATIENCE: Duration = Duration::from_secs(3);

/// Writes what is known to where the configuration in force says, if it does.
#[derive(Debug)]
pub(super) struct Saving {
    /// Where it begins to write; opened already.
    pub(super) folder: Option<StateDir>,
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
        let written = task::spawn_blocking(move || {
            folder.write(&snapshot, now);
            folder
        });
        self.folder = written.await.ok();
    }
}

#[cfg(test)]
mod tests;
