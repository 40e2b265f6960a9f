//! The rate at which one host is asked: a token bucket whose rate falls while the host throttles and rises again
//! with success. Pure: times in, decisions out.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::RateLimit;
use crate::domain::TargetId;

/// Two targets that are throttled within this time show that the host is overloaded. The rate falls once in
/// such a time: so that the lower rate has shown its effect, and two targets that are always throttled do not bring
/// all others to a stop.
const TOGETHER: Duration = Duration::from_secs(10);

/// What a rate falls to when the host throttles.
const FALL: f64 = 0.5;

/// A rate never falls below this part of the configured one, so that it finds out when it may rise again.
const LOWEST: f64 = 0.01;

/// Success brings the whole configured rate back within this time.
const RECOVERY: Duration = Duration::from_mins(1);

/// A token bucket: `burst` tokens at most, refilled at `per_second`.
#[derive(Debug)]
pub(super) struct Rate {
    configured: f64,
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
    /// When the rate last fell or rose.
    changed: Instant,
    /// When it last fell.
    fell: Option<Instant>,
    /// The target that was throttled last.
    throttled: Option<Throttled>,
    /// The last one before it that is another target.
    throttled_before: Option<Throttled>,
}

#[derive(Debug, Clone, Copy)]
struct Throttled {
    target: TargetId,
    at: Instant,
}

impl Rate {
    pub(super) fn new(limit: RateLimit, now: Instant) -> Self {
        let burst = f64::from(limit.burst);
        Self {
            configured: limit.requests_per_second,
            per_second: limit.requests_per_second,
            burst,
            tokens: burst,
            filled: now,
            changed: now,
            fell: None,
            throttled: None,
            throttled_before: None,
        }
    }

    /// Requests per second that may be sent now.
    pub(super) fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Takes a token, or says how long to wait for the next.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        // A millisecond more than computed, so that rounding never wakes the waiter too early for nothing.
        Err(
            Duration::from_secs_f64((1.0 - self.tokens) / self.per_second)
                + Duration::from_millis(1),
        )
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.filled = now;
    }

    /// Takes in that a request about a target was answered by 429. The rate falls only where that tells of
    /// the host: when another target was throttled too a moment ago, or when there is no other.
    pub(super) fn throttled(&mut self, target: TargetId, is_only_one: bool, now: Instant) {
        if let Some(last) = self.throttled.filter(|last| last.target != target) {
            self.throttled_before = Some(last);
        }
        self.throttled = Some(Throttled { target, at: now });
        let another = self
            .throttled_before
            .is_some_and(|before| now.saturating_duration_since(before.at) <= TOGETHER);
        let fell_just_now = self
            .fell
            .is_some_and(|fell| now.saturating_duration_since(fell) < TOGETHER);
        if (another || is_only_one) && !fell_just_now {
            self.fill(now);
            // A burst would be too much for a host that is overloaded already.
            self.tokens = self.tokens.min(1.0);
            self.per_second = (self.per_second * FALL).max(self.configured * LOWEST);
            self.changed = now;
            self.fell = Some(now);
        }
    }

    /// Takes in that a request succeeded.
    pub(super) fn succeeded(&mut self, now: Instant) {
        if self.per_second < self.configured {
            self.fill(now);
            let passed = now.saturating_duration_since(self.changed).as_secs_f64();
            let more = self.configured * passed / RECOVERY.as_secs_f64();
            self.per_second = (self.per_second + more).min(self.configured);
            self.changed = now;
        }
    }

    /// Whether less is sent than is configured.
    pub(super) fn is_lowered(&self) -> bool {
        self.per_second < self.configured
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CustomerId, TenantId};

    const FIRST: TargetId = TargetId::Tenant(TenantId::from_bits(1));
    const SECOND: TargetId = TargetId::Tenant(TenantId::from_bits(2));
    const CUSTOMER: TargetId = TargetId::Customer(CustomerId::from_bits(1));

    /// Ten requests per second, and times in seconds.
    struct Ten {
        rate: Rate,
        start: Instant,
    }

    impl Ten {
        fn new() -> Self {
            let start = Instant::now();
            let limit = RateLimit {
                requests_per_second: 10.0,
                burst: 20,
                max_concurrent_requests: 8,
            };
            Self {
                rate: Rate::new(limit, start),
                start,
            }
        }

        fn at(&self, seconds: f64) -> Instant {
            self.start + Duration::from_secs_f64(seconds)
        }

        /// A request that was sent and answered by 429 at this time.
        fn throttled(&mut self, target: TargetId, seconds: f64) -> f64 {
            let at = self.at(seconds);
            self.rate.throttled(target, false, at);
            self.rate.per_second()
        }

        fn succeeded(&mut self, seconds: f64) -> f64 {
            let at = self.at(seconds);
            self.rate.succeeded(at);
            self.rate.per_second()
        }
    }

    #[track_caller]
    fn check(rate: f64, expected: f64) {
        assert!((rate - expected).abs() < 1e-9, "{rate} is not {expected}");
    }

    #[test]
    fn one_tenant_that_is_throttled_for_ever_slows_no_other() {
        let mut ten = Ten::new();
        for second in 0..100 {
            check(ten.throttled(FIRST, f64::from(second)), 10.0);
        }
        assert!(!ten.rate.is_lowered());
    }

    #[test]
    fn the_rate_is_halved_when_two_tenants_are_throttled_within_ten_seconds() {
        let mut ten = Ten::new();
        check(ten.throttled(FIRST, 0.0), 10.0);
        check(ten.throttled(SECOND, 11.0), 10.0);
        check(ten.throttled(FIRST, 20.0), 5.0);
        check(ten.throttled(FIRST, 40.0), 5.0);
        check(ten.throttled(SECOND, 41.0), 2.5);
        assert!(ten.rate.is_lowered());
    }

    #[test]
    fn the_partner_and_a_customer_count_as_others_even_where_their_ids_are_alike() {
        for other in [TargetId::Partner, CUSTOMER] {
            let mut ten = Ten::new();
            ten.throttled(other, 0.0);
            check(ten.throttled(FIRST, 1.0), 5.0);
        }
    }

    #[test]
    fn the_rate_is_halved_at_once_where_there_is_one_tenant_only() {
        let mut ten = Ten::new();
        let at = ten.at(0.0);
        ten.rate.throttled(FIRST, true, at);
        check(ten.rate.per_second(), 5.0);
    }

    #[test]
    fn the_rate_falls_once_in_ten_seconds_however_many_are_throttled() {
        let mut ten = Ten::new();
        ten.throttled(FIRST, 0.0);
        check(ten.throttled(SECOND, 1.0), 5.0);
        for tenth in 10..110 {
            let tenant = if tenth % 2 == 0 { FIRST } else { SECOND };
            check(ten.throttled(tenant, f64::from(tenth) / 10.0), 5.0);
        }
        check(ten.throttled(FIRST, 11.0), 2.5);
    }

    #[test]
    fn two_tenants_that_are_throttled_for_ever_leave_the_others_a_good_part_of_the_rate() {
        let mut ten = Ten::new();
        let mut lowest = f64::INFINITY;
        for second in 0..600 {
            ten.throttled(FIRST, f64::from(second));
            ten.throttled(SECOND, f64::from(second));
            lowest = lowest.min(ten.succeeded(f64::from(second) + 0.5));
        }
        assert!(lowest > 1.5, "{lowest}");
    }

    #[test]
    fn the_rate_never_falls_to_nothing() {
        let mut ten = Ten::new();
        for second in 0..1000 {
            ten.throttled(FIRST, f64::from(second));
            ten.throttled(SECOND, f64::from(second));
        }
        check(ten.rate.per_second(), 0.1);
    }

    #[test]
    fn success_brings_the_rate_back_within_a_minute_and_no_further() {
        let mut ten = Ten::new();
        ten.throttled(FIRST, 0.0);
        ten.throttled(SECOND, 0.0);
        check(ten.succeeded(6.0), 6.0);
        check(ten.succeeded(6.0), 6.0);
        check(ten.succeeded(12.0), 7.0);
        check(ten.succeeded(60.0), 10.0);
        check(ten.succeeded(90.0), 10.0);
        assert!(!ten.rate.is_lowered());
    }

    #[test]
    fn tokens_come_at_the_rate_of_their_time_and_none_is_saved_up_while_the_host_throttles() {
        let mut ten = Ten::new();
        ten.throttled(FIRST, 0.0);
        check(ten.throttled(SECOND, 0.0), 5.0);
        let start = ten.at(0.0);
        assert_eq!(ten.rate.take(start), Ok(()));
        let wait = ten.rate.take(start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(201));
        let late = ten.at(0.201);
        assert_eq!(ten.rate.take(late), Ok(()));
    }
}
