//! How often a listing is asked for that the API refuses: less and less, until it is given again. Pure.

use std::time::Duration;

use crate::domain::Reason;

/// From so many refusals in a row on. One alone may be a mishap of the API's.
const ENTERED_AT: u32 = 2;

/// No two probes are further apart than so many intervals,
const MOST_INTERVALS: u32 = 16;

/// and than this, unless the interval itself is longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How often in a row the API has refused a listing: with 403 or 404, which the next try does not mend, but somebody
/// who grants a permission or corrects an id. A success ends the row. A failure of another kind says nothing about
/// it: it neither ends the row nor makes it longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Quarantine {
    refusals: u32,
}

impl Quarantine {
    /// Takes in how a poll ended.
    #[must_use]
    pub(super) fn after(self, failure: Option<Reason>) -> Self {
        let refusals = match failure {
            None => 0,
            Some(Reason::Forbidden | Reason::NotFound) => self.refusals.saturating_add(1),
            Some(_) => self.refusals,
        };
        Self { refusals }
    }

    /// Somebody else asks now, who may be allowed to: that counts as the first refusal at most.
    #[must_use]
    pub(super) fn begun_again(self) -> Self {
        Self {
            refusals: self.refusals.min(ENTERED_AT - 1),
        }
    }

    /// Whether polls are fewer than the interval asks for.
    pub(super) fn is_on(self) -> bool {
        self.refusals >= ENTERED_AT
    }

    /// How many intervals the next poll comes after the last one.
    pub(super) fn intervals(self, interval: Duration) -> u32 {
        if !self.is_on() {
            return 1;
        }
        let doubled = 2_u32.saturating_pow(self.refusals - (ENTERED_AT - 1));
        let within_longest = LONGEST.as_nanos() / interval.as_nanos().max(1);
        let within_longest = u32::try_from(within_longest).unwrap_or(u32::MAX);
        doubled.min(MOST_INTERVALS).min(within_longest).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES: Duration = Duration::from_secs(300);
    const HOUR: Duration = Duration::from_secs(3600);

    /// The distances after each of these polls.
    fn distances(interval: Duration, polls: &[Option<Reason>]) -> Vec<u32> {
        let mut quarantine = Quarantine::default();
        let after = polls.iter().map(|failure| {
            quarantine = quarantine.after(*failure);
            quarantine.intervals(interval)
        });
        after.collect()
    }

    #[test]
    fn the_distance_doubles_from_the_second_refusal_in_a_row_on_up_to_16_intervals() {
        for refusal in [Reason::Forbidden, Reason::NotFound] {
            assert_eq!(
                distances(MINUTES, &[Some(refusal); 8]),
                [1, 2, 4, 8, 16, 16, 16, 16]
            );
        }
    }

    #[test]
    fn the_first_success_ends_it() {
        let refused = Some(Reason::Forbidden);
        let polls = [refused, refused, refused, None, refused, refused];
        assert_eq!(distances(MINUTES, &polls), [1, 2, 4, 1, 1, 2]);
    }

    #[test]
    fn a_failure_for_another_reason_neither_ends_nor_deepens_it() {
        let refused = Some(Reason::NotFound);
        for reason in Reason::ALL {
            if matches!(reason, Reason::Forbidden | Reason::NotFound) {
                continue;
            }
            let other = Some(*reason);
            let polls = [other, other, refused, other, refused, other, other, refused];
            assert_eq!(
                distances(MINUTES, &polls),
                [1, 1, 1, 1, 2, 2, 2, 4],
                "{reason}"
            );
        }
    }

    #[test]
    fn the_distance_is_never_over_a_day_and_never_under_the_interval() {
        let refused = [Some(Reason::Forbidden); 40];
        let furthest = |interval| distances(interval, &refused).into_iter().max();
        assert_eq!(furthest(HOUR), Some(16));
        assert_eq!(furthest(HOUR * 5), Some(4));
        assert_eq!(furthest(HOUR * 24), Some(1));
        assert_eq!(furthest(HOUR * 100), Some(1));
    }

    #[test]
    fn whoever_asks_again_is_refused_once_at_the_usual_distance_at_most() {
        let mut quarantine = Quarantine::default();
        assert_eq!(quarantine.begun_again(), quarantine);
        for _ in 0..5 {
            quarantine = quarantine.after(Some(Reason::Forbidden));
        }
        quarantine = quarantine.begun_again();
        assert!(!quarantine.is_on());
        assert_eq!(quarantine.intervals(MINUTES), 1);
        quarantine = quarantine.after(Some(Reason::Forbidden));
        assert!(quarantine.is_on());
        assert_eq!(quarantine.intervals(MINUTES), 2);
    }

    #[test]
    fn refusals_for_ever_overflow_nothing() {
        let quarantine = Quarantine { refusals: u32::MAX };
        let quarantine = quarantine.after(Some(Reason::Forbidden));
        assert_eq!(quarantine.intervals(MINUTES), MOST_INTERVALS);
    }
}
