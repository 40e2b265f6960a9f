//! A bucket of tokens, as `golang.org/x/time/rate` has it.

use tokio::time::Instant;

use crate::config::web::RequestRate;

/// How many requests may come now.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: RequestRate,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(rate: RequestRate) -> Self {
        Self {
            rate,
            tokens: rate.burst.into(),
            at: Instant::now(),
        }
    }

    /// Takes a token, if there is one.
    pub(super) fn takes_one(&mut self, now: Instant) -> bool {
        let passed = now.duration_since(self.at).as_secs_f64();
        let more = passed / self.rate.interval.as_secs_f64();
        self.tokens = (self.tokens + more).min(self.rate.burst.into());
        self.at = now;
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_let_in_and_then_one_per_interval() {
        let interval = Duration::from_secs(10);
        let mut bucket = Bucket::new(RequestRate { interval, burst: 2 });
        let mut takes = || bucket.takes_one(Instant::now());
        assert_eq!([takes(), takes(), takes()], [true, true, false]);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(!takes());
        // What was refused has used nothing up.
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!([takes(), takes()], [true, false]);
        tokio::time::advance(Duration::from_secs(1000)).await;
        assert_eq!([takes(), takes(), takes()], [true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_burst_nothing_is_let_in() {
        let interval = Duration::from_secs(1);
        let mut bucket = Bucket::new(RequestRate { interval, burst: 0 });
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!bucket.takes_one(Instant::now()));
    }
}
