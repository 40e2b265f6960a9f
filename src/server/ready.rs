//! Whether the exporter has something to show.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::domain::Timestamp;

/// The exporter is ready after this time in any case: a tenant that hangs must not keep the others from
/// being scraped.
const READY_AFTER: Duration = Duration::from_secs(120);

/// A latch: once ready, always ready.
#[derive(Debug)]
pub(super) struct Ready {
    started: Timestamp,
    latched: AtomicBool,
}

impl Ready {
    pub(super) fn new(started: Timestamp) -> Self {
        Self {
            started,
            latched: AtomicBool::new(false),
        }
    }

    /// Whether what is shown holds a whole first round or a warm start, or the time is up.
    pub(super) fn is_ready(&self, has_figures: bool, now: Timestamp) -> bool {
        if self.latched.load(Ordering::Relaxed) {
            return true;
        }
        let ready = has_figures || now.since(self.started) >= READY_AFTER;
        self.latched.fetch_or(ready, Ordering::Relaxed);
        ready
    }
}
