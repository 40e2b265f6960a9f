//! What came of a poll, for the snapshot and for the log.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;

use crate::collectors::{Polled, ReferenceUsers, Totals};
use crate::domain::Reason;
use crate::snapshot::LastPoll;
use crate::upstream::{ApiError, ListingSize};

/// What a successful poll found.
pub(super) struct Found {
    pub(super) totals: Totals,
    /// The users that the next poll of the protected users is matched against.
    pub(super) users: Option<Arc<ReferenceUsers>>,
    /// How many pages it took.
    pub(super) pages: u64,
}

/// Says how a poll went. A panic is a failure of its poll alone.
pub(super) fn conclude(
    ended: Result<(Polled, Duration), JoinError>,
    was_failing: bool,
) -> (LastPoll, Option<Found>) {
    let Ok((Polled { size, outcome }, duration)) = ended else {
        // The panic itself was logged where it happened.
        tracing::error!(reason = %Reason::Internal, "poll failed by a fault of the exporter; please report it");
        return (
            last_poll(
                ListingSize::default(),
                Duration::ZERO,
                Some(Reason::Internal),
            ),
            None,
        );
    };
    match outcome {
        Ok((totals, users)) => {
            let duration_seconds = duration.as_secs_f64();
            if was_failing {
                tracing::info!(rows = size.rows, duration_seconds, "poll succeeded again");
            } else {
                tracing::debug!(rows = size.rows, duration_seconds, "poll succeeded");
            }
            let found = Found {
                totals,
                users,
                pages: size.pages,
            };
            (last_poll(size, duration, None), Some(found))
        }
        Err(error) => {
            log_failure(&error, duration);
            (last_poll(size, duration, Some(error.reason())), None)
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

fn log_failure(error: &ApiError, duration: Duration) {
    let reason = error.reason();
    if reason == Reason::Credential {
        // Said once, where the token was asked for, and not by each of the polls that share it.
        tracing::debug!(%reason, "poll failed for want of an access token");
        return;
    }
    tracing::warn!(
        %reason,
        %error,
        request_id = error.request_id.as_ref().map(tracing::field::display),
        correlation_id = error.correlation_id.as_ref().map(tracing::field::display),
        duration_seconds = duration.as_secs_f64(),
        "poll failed"
    );
}
