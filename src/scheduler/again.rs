//! How soon a poll is tried again that failed for a reason which ends when somebody acts, or that has never succeeded.
//! Pure.

use std::time::Duration;

use crate::domain::{Collector, Reason};

/// The first such wait; each further one is twice as long, up to the interval.
const FIRST: Duration = Duration::from_mins(1);

/// Doublings beyond this are longer than any interval.
const MOST_DOUBLINGS: u32 = 16;

/// The failures in a row that are tried again soon. With them, a collector with a long interval is not blind for all of
/// it: a secret was mistyped and is right a minute later, or the network was not there yet at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Again {
    failures: u32,
}

impl Again {
    /// Takes in how a poll ended. Returns how long the next one waits at most; `None` where its interval is right.
    pub(super) fn after(
        &mut self,
        failure: Option<Reason>,
        has_succeeded: bool,
        collector: Collector,
    ) -> Option<Duration> {
        let is_soon = match failure {
            None => false,
            Some(Reason::Credential) => true,
            // A refusal does not mend itself, and an API that throttles says when to come back. Nothing else can be
            // polled before discovery.
            Some(Reason::Forbidden | Reason::NotFound | Reason::Throttled) => {
                !has_succeeded && collector.is_discovery()
            }
            Some(_) => !has_succeeded,
        };
        if !is_soon {
            self.failures = 0;
            return None;
        }
        // Until it has succeeded once nothing else may be polled.
        let doublings = if collector.is_discovery() && !has_succeeded {
            0
        } else {
            self.failures.min(MOST_DOUBLINGS)
        };
        self.failures = self.failures.saturating_add(1);
        Some(FIRST * (1 << doublings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits in minutes after these polls; 0 where the interval is right.
    fn waits(collector: Collector, has_succeeded: bool, polls: &[Option<Reason>]) -> Vec<u64> {
        let mut again = Again::default();
        let waits = polls.iter().map(|failure| {
            let wait = again.after(*failure, has_succeeded, collector);
            wait.unwrap_or_default().as_secs() / 60
        });
        waits.collect()
    }

    #[test]
    fn without_a_token_a_poll_is_tried_again_after_a_minute_two_and_four() {
        let credential = Some(Reason::Credential);
        for has_succeeded in [false, true] {
            let polls = [credential, credential, credential, None, credential];
            let found = waits(Collector::Directory, has_succeeded, &polls);
            assert_eq!(found, [1, 2, 4, 0, 1]);
        }
        let found = waits(Collector::Directory, true, &[credential; 40]);
        assert_eq!(found.last(), Some(&65_536), "longer than any interval");
    }

    #[test]
    fn until_the_first_success_all_failures_are_tried_again_soon_but_refusals_and_throttling() {
        for reason in Reason::ALL {
            let is_refusal = matches!(
                reason,
                Reason::Forbidden | Reason::NotFound | Reason::Throttled
            );
            let first = waits(Collector::Directory, false, &[Some(*reason); 3]);
            let expected = if is_refusal { [0, 0, 0] } else { [1, 2, 4] };
            assert_eq!(first, expected, "{reason}");
            if *reason != Reason::Credential {
                let later = waits(Collector::Directory, true, &[Some(*reason); 3]);
                assert_eq!(later, [0, 0, 0], "{reason}");
            }
        }
    }

    #[test]
    fn until_its_first_success_discovery_is_tried_again_each_minute_whatever_it_failed_with() {
        for reason in Reason::ALL {
            let first = waits(Collector::Customers, false, &[Some(*reason); 3]);
            assert_eq!(first, [1, 1, 1], "{reason}");
        }
        let polls = [Some(Reason::Forbidden), Some(Reason::Credential)];
        assert_eq!(waits(Collector::Customers, true, &polls), [0, 1]);
    }
}
