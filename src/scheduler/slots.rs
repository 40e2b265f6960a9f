//! The slots of a poll: one in each interval, at a place that is its own and stays the same over restarts,
//! so that the load is level. Pure.

use std::time::Duration;

use crate::domain::{Collector, Target, Timestamp};

/// When a poll is due, once in each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    interval: Duration,
    /// From the start of an interval to the slot in it.
    phase: Duration,
}

/// What comes after a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct After {
    /// The next slot.
    pub(super) next: Timestamp,
    /// Slots in use that passed while the poll ran or waited.
    pub(super) skipped: u64,
}

impl Slots {
    pub(super) fn new(target: &Target, collector: Collector, interval: Duration) -> Self {
        let mut name = target.seed();
        // Discovery was the first listing of the partner, and keeps the place that it had.
        if !collector.is_discovery() {
            name.extend(collector.as_str().bytes());
        }
        let seed = name
            .into_iter()
            .fold(0, |seed, byte| mix(seed ^ u64::from(byte)));
        let fraction = seed as f64 / u64::MAX as f64;
        Self {
            interval,
            phase: interval.mul_f64(fraction),
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// The slot after a poll that was due at `due` and has ended by `now`, with every so many slots in use.
    pub(super) fn after(&self, due: Timestamp, now: Timestamp, every: u32) -> After {
        let step = self.interval * every;
        // Half an interval before the step's end: for a slot that is the one a step later, and it keeps the second
        // poll from following at once on the first, which is not due at a slot.
        let left_out = self.interval * every.saturating_sub(1);
        let planned = self.at_or_after(due.after(left_out + self.interval / 2));
        let skipped = if planned > now {
            0
        } else {
            now.since(planned).as_nanos() / step.as_nanos().max(1) + 1
        };
        let skipped = u64::try_from(skipped).unwrap_or(u64::MAX);
        After {
            next: planned.after(times(step, skipped)),
            skipped,
        }
    }

    /// No poll is planned further ahead than this, with every so many slots in use.
    pub(super) fn furthest(&self, now: Timestamp, every: u32) -> Timestamp {
        now.after(self.interval * every.saturating_add(1))
    }

    /// The first slot that is not before `time`.
    pub(super) fn at_or_after(&self, time: Timestamp) -> Timestamp {
        let interval = self.interval.as_nanos().max(1);
        let phase = self.phase.as_nanos();
        let intervals = time
            .since_unix()
            .as_nanos()
            .saturating_sub(phase)
            .div_ceil(interval);
        let nanos = u64::try_from(intervals * interval + phase).unwrap_or(u64::MAX);
        Timestamp::from_unix(Duration::from_nanos(nanos))
    }
}

/// So many times this long.
fn times(step: Duration, times: u64) -> Duration {
    let nanos = step.as_nanos().saturating_mul(u128::from(times));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Spreads bits evenly (splitmix64).
fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::domain::Tenant;

    const INTERVAL: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(Duration::from_secs(seconds))
    }

    fn slots(tenant: u128, collector: Collector) -> Slots {
        let tenant = Tenant::bare(0, tenant);
        Slots::new(&Target::Tenant(Arc::new(tenant)), collector, INTERVAL)
    }

    /// Slots at 100, 400, 700, …
    const SLOTS: Slots = Slots {
        interval: INTERVAL,
        phase: Duration::from_secs(100),
    };

    #[track_caller]
    fn check(due: u64, now: u64, next: u64, skipped: u64) {
        check_every(1, due, now, next, skipped);
    }

    #[track_caller]
    fn check_every(every: u32, due: u64, now: u64, next: u64, skipped: u64) {
        assert_eq!(
            SLOTS.after(at(due), at(now), every),
            After {
                next: at(next),
                skipped
            }
        );
    }

    #[test]
    fn after_a_poll_comes_the_next_slot() {
        check(1000, 1001, 1300, 0);
        check(1000, 1299, 1300, 0);
    }

    #[test]
    fn slots_that_passed_meanwhile_are_left_out_and_counted() {
        check(1000, 1300, 1600, 1);
        check(1000, 1301, 1600, 1);
        check(1000, 2650, 2800, 5);
    }

    #[test]
    fn the_first_poll_takes_its_place_in_the_schedule_without_a_second_one_close_behind() {
        check(900, 910, 1300, 0);
        check(1040, 1050, 1300, 0);
        check(1200, 1210, 1600, 0);
    }

    #[test]
    fn a_clock_that_was_set_back_breaks_nothing() {
        check(1000, 0, 1300, 0);
    }

    #[test]
    fn slots_that_are_not_in_use_are_no_missed_ones() {
        check_every(2, 1000, 1001, 1600, 0);
        check_every(16, 1000, 1001, 5800, 0);
        // The one at 2200 is missed, and the next in use is as far from it again.
        check_every(4, 1000, 2199, 2200, 0);
        check_every(4, 1000, 2200, 3400, 1);
        check_every(4, 1000, 3399, 3400, 1);
        check_every(4, 1000, 3400, 4600, 2);
    }

    #[test]
    fn no_poll_is_planned_further_ahead_than_the_furthest() {
        for every in [1, 2, 16] {
            for due in 1000..1300 {
                let next = SLOTS.after(at(due), at(due + 1), every).next;
                assert!(next <= SLOTS.furthest(at(due + 1), every), "{every} {due}");
            }
        }
    }

    #[test]
    fn phases_are_stable_and_spread_evenly() {
        let phase = |tenant, collector| slots(tenant, collector).phase.as_secs();
        let first = phase(
            0x0c77_15b3_bc2f_4c4c_a8a0_f363_4dcf_acec,
            Collector::SecurityUsers,
        );
        assert_eq!(
            first, 86,
            "changing this moves all polls of all users at their next update"
        );
        let mut tenths = [0; 10];
        for tenant in 0..1000 {
            for collector in Collector::configured() {
                tenths[(phase(tenant, collector) / 30) as usize] += 1;
            }
        }
        assert!(tenths.iter().all(|n| (320..480).contains(n)), "{tenths:?}");
    }
}
