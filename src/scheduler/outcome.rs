//! What came of a poll, for the snapshot and for the log.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;

use crate::collectors::{Found, Polled, ReferenceUsers, Totals};
use crate::domain::{Collector, PromDuration, Reason, Timestamp};
use crate::snapshot::{Figures, LastFailure, LastPoll};
use crate::upstream::{ApiError, ListingSize};

/// What people read of a panic. What it says itself was logged where it happened.
const PANICKED: &str = "bug in the exporter; please report it, with the log";

/// The users that a poll found for others to be matched against.
type Users = Option<Arc<ReferenceUsers>>;

/// Says how a poll went that has ended now. A panic is a failure of its poll alone.
pub(super) fn conclude(
    ended: Result<(Polled, Duration), JoinError>,
    collector: Collector,
    was_failing: bool,
    now: Timestamp,
) -> (LastPoll, Result<(Figures, Users), LastFailure>) {
    let what = if collector.is_discovery() {
        "discovery"
    } else {
        "poll"
    };
    let Ok((Polled { size, outcome }, duration)) = ended else {
        // The panic itself was logged where it happened.
        tracing::error!(reason = %Reason::Internal, "{what} failed: bug in the exporter; please report it");
        return (
            last_poll(
                ListingSize::default(),
                Duration::ZERO,
                Some(Reason::Internal),
            ),
            Err(LastFailure {
                at: now,
                reason: Reason::Internal,
                message: PANICKED.into(),
            }),
        );
    };
    match outcome {
        Ok(Found {
            figures: totals,
            users,
        }) => {
            log_success(what, &totals, size, duration, was_failing);
            let figures = Figures {
                at: now,
                pages: size.pages,
                unreadable_dates: size.unreadable_dates,
                totals: Arc::new(totals),
                is_restored: false,
            };
            (last_poll(size, duration, None), Ok((figures, users)))
        }
        Err(error) => {
            log_failure(what, &error, duration);
            let reason = error.reason();
            let failure = LastFailure {
                at: now,
                reason,
                message: error.to_string().into(),
            };
            (last_poll(size, duration, Some(reason)), Err(failure))
        }
    }
}

fn last_poll(size: ListingSize, duration: Duration, failure: Option<Reason>) -> LastPoll {
    LastPoll {
        duration,
        rows: size.rows,
        failure,
    }
}

/// Says that a collector is in quarantine from now on, or not any longer.
pub(super) fn log_quarantine(is_on: bool, failure: Option<Reason>, next_poll: Timestamp) {
    match failure {
        Some(reason) if is_on => tracing::warn!(
            %reason,
            %next_poll,
            "listing quarantined after repeated refusals; polled less often until a poll succeeds"
        ),
        _ => tracing::info!(%next_poll, "listing no longer quarantined; polled on schedule again"),
    }
}

fn log_success(
    what: &str,
    totals: &Totals,
    size: ListingSize,
    duration: Duration,
    was_failing: bool,
) {
    // Of customers each counts once, though it may have several rows.
    let (customers, rows) = match totals {
        Totals::Customers(found) => (Some(found.customers.len()), None),
        _ => (None, Some(size.rows)),
    };
    let duration = PromDuration(duration);
    if was_failing {
        tracing::info!(customers, rows, %duration, "{what} succeeded again");
    } else {
        tracing::debug!(customers, rows, %duration, "{what} succeeded");
    }
}

fn log_failure(what: &str, error: &ApiError, duration: Duration) {
    let reason = error.reason();
    if reason == Reason::Credential {
        // Said once, where the token was asked for, and not by each of the polls that share it.
        tracing::debug!(%reason, "{what} failed: no access token");
        return;
    }
    tracing::warn!(
        %reason,
        %error,
        request_id = error.request_id.as_ref().map(tracing::field::display),
        correlation_id = error.correlation_id.as_ref().map(tracing::field::display),
        duration = %PromDuration(duration),
        "{what} failed"
    );
}
