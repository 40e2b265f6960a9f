//! How often one API host is asked: a token bucket, and a cap on requests under way. First come, first served.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::RateLimit;

/// Keeps the requests to one host within its rate limit. Each listing asks for one page at a time and
/// waiters are served in order, so a tenant of many pages cannot starve one of few.
#[derive(Debug)]
pub(super) struct Limiter {
    slots: Arc<Semaphore>,
    bucket: tokio::sync::Mutex<Bucket>,
}

impl Limiter {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(limit.max_concurrent_requests)),
            bucket: tokio::sync::Mutex::new(Bucket::new(limit, Instant::now())),
        }
    }

    /// Waits until a request may be sent. It is under way until what is returned is dropped.
    pub(super) async fn slot(&self) -> OwnedSemaphorePermit {
        let Ok(permit) = Arc::clone(&self.slots).acquire_owned().await else {
            unreachable!("the semaphore is never closed")
        };
        // Waiting with the bucket locked keeps the order, and costs nothing when the waiter is cancelled.
        let mut bucket = self.bucket.lock().await;
        while let Err(wait) = bucket.take(Instant::now()) {
            tokio::time::sleep(wait).await;
        }
        permit
    }
}

/// A token bucket: `burst` tokens at most, refilled at `per_second`.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(limit: RateLimit, now: Instant) -> Self {
        let burst = f64::from(limit.burst);
        Self {
            per_second: limit.requests_per_second,
            burst,
            tokens: burst,
            filled: now,
        }
    }

    /// Takes a token, or says how long to wait for the next.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.filled = now;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(
        requests_per_second: f64,
        burst: u32,
        max_concurrent_requests: usize,
    ) -> Arc<Limiter> {
        Arc::new(Limiter::new(RateLimit {
            requests_per_second,
            burst,
            max_concurrent_requests,
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_out_at_once_and_the_rest_at_the_rate() {
        let limiter = limiter(10.0, 5, 100);
        let start = Instant::now();
        let mut sent_at = Vec::new();
        for _ in 0..25 {
            drop(limiter.slot().await);
            sent_at.push(start.elapsed());
        }
        assert!(sent_at[4] < Duration::from_millis(1));
        // 20 requests at 10 per second.
        assert!(sent_at[24] >= Duration::from_secs(2), "{:?}", sent_at[24]);
        assert!(
            sent_at[24] < Duration::from_millis(2100),
            "{:?}",
            sent_at[24]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn never_more_than_the_cap_are_under_way() {
        let limiter = limiter(1000.0, 1000, 2);
        let (first, _second) = (limiter.slot().await, limiter.slot().await);
        let third = tokio::spawn({
            let limiter = Arc::clone(&limiter);
            async move { limiter.slot().await }
        });
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!third.is_finished());
        drop(first);
        drop(third.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_gives_up_takes_no_token_with_it() {
        let limiter = limiter(1.0, 1, 100);
        drop(limiter.slot().await);
        for _ in 0..10 {
            let gave_up = tokio::time::timeout(Duration::from_millis(10), limiter.slot()).await;
            assert!(gave_up.is_err());
        }
        let start = Instant::now();
        drop(limiter.slot().await);
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{:?}",
            start.elapsed()
        );
    }
}
