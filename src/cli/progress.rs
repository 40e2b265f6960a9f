//! Shows on a terminal how far the first round has come.

use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::snapshot::{Snapshot, Snapshots};

/// Draws a bar until each listing was polled once. Nothing is drawn where stderr is no terminal.
pub(super) async fn show_first_round(progress: MultiProgress, mut snapshots: Snapshots) {
    let bar = progress.add(ProgressBar::new(
        snapshots.borrow().collectors().count() as u64
    ));
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {pos}/{len} listings, {msg} ({elapsed}, {eta} left)")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let ended = snapshot
            .collectors()
            .filter(|collector| collector.last_poll.is_some())
            .count();
        // Discovery finds more.
        bar.set_length(snapshot.collectors().count() as u64);
        bar.set_message(message(&snapshot));
        bar.set_position(ended as u64);
        if snapshot.first_round_ended() || snapshots.changed().await.is_err() {
            bar.finish_and_clear();
            return;
        }
    }
}

fn message(snapshot: &Snapshot) -> String {
    let polls = || {
        snapshot
            .collectors()
            .filter_map(|collector| collector.last_poll)
    };
    let rows: u64 = polls().map(|poll| poll.rows).sum();
    match polls().filter(|poll| poll.failure.is_some()).count() {
        0 => format!("{rows} rows"),
        failed => format!("{rows} rows, {failed} failed"),
    }
}
