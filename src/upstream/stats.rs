//! What the exporter counts about its own requests, in the registry of the `prometheus` crate.

use std::time::Duration;

use prometheus::{
    CounterVec, GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec, Registry, histogram_opts, opts,
};

/// One host that the exporter asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// AvePoint Elements.
    Elements,
    /// The token service of AvePoint Elements.
    ElementsIdentity,
}

impl Api {
    /// The value of the label `api`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elements => "elements",
            Self::ElementsIdentity => "elements_identity",
        }
    }
}

/// Buckets for an answer's time in seconds: a page takes from some milliseconds on a near host to the timeout.
const DURATION_BUCKETS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Counters of requests, tokens and waiting.
#[derive(Debug, Clone)]
pub struct Stats {
    pub(super) requests: IntCounterVec,
    pub(super) request_duration: HistogramVec,
    pub(super) retries: IntCounterVec,
    pub(super) response_bytes: IntCounterVec,
    pub(super) in_flight: IntGaugeVec,
    pub(super) rate_limit: GaugeVec,
    pub(super) rate_limit_wait: CounterVec,
    pub(super) credential_up: IntGaugeVec,
    pub(super) token_expiry: GaugeVec,
    pub(super) token_requests: IntCounterVec,
    pub(super) token_failures: IntCounterVec,
}

impl Stats {
    /// Registers the counters.
    ///
    /// # Errors
    /// When the registry holds one of their names already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let stats = Self {
            requests: IntCounterVec::new(
                opts!(
                    "avepoint_api_requests_total",
                    "Requests sent, each try for itself; code is none without an answer."
                ),
                &["api", "route", "code"],
            )?,
            request_duration: HistogramVec::new(
                histogram_opts!(
                    "avepoint_api_request_duration_seconds",
                    "Time from sending a request to the last byte of its answer.",
                    DURATION_BUCKETS.to_vec()
                ),
                &["api", "route"],
            )?,
            retries: IntCounterVec::new(
                opts!(
                    "avepoint_api_retries_total",
                    "Tries after a first one, by what was wrong with the one before."
                ),
                &["api", "reason"],
            )?,
            response_bytes: IntCounterVec::new(
                opts!(
                    "avepoint_api_response_bytes_total",
                    "Bytes of answers, after decompression."
                ),
                &["api", "route"],
            )?,
            in_flight: IntGaugeVec::new(
                opts!("avepoint_api_requests_in_flight", "Requests under way."),
                &["api"],
            )?,
            rate_limit: GaugeVec::new(
                opts!(
                    "avepoint_api_rate_limit_requests_per_second",
                    "Requests per second that may be sent now."
                ),
                &["api"],
            )?,
            rate_limit_wait: CounterVec::new(
                opts!(
                    "avepoint_api_rate_limit_wait_seconds_total",
                    "Time that requests waited for the rate limiter."
                ),
                &["api"],
            )?,
            credential_up: IntGaugeVec::new(
                opts!(
                    "avepoint_credential_up",
                    "Whether the last token request succeeded."
                ),
                &["credential"],
            )?,
            token_expiry: GaugeVec::new(
                opts!(
                    "avepoint_access_token_expiry_timestamp_seconds",
                    "When the access token in use expires."
                ),
                &["credential"],
            )?,
            token_requests: IntCounterVec::new(
                opts!(
                    "avepoint_token_requests_total",
                    "Token requests that ended, with their retries as one."
                ),
                &["credential"],
            )?,
            token_failures: IntCounterVec::new(
                opts!(
                    "avepoint_token_request_failures_total",
                    "Token requests that failed."
                ),
                &["credential", "reason"],
            )?,
        };
        registry.register(Box::new(stats.requests.clone()))?;
        registry.register(Box::new(stats.request_duration.clone()))?;
        registry.register(Box::new(stats.retries.clone()))?;
        registry.register(Box::new(stats.response_bytes.clone()))?;
        registry.register(Box::new(stats.in_flight.clone()))?;
        registry.register(Box::new(stats.rate_limit.clone()))?;
        registry.register(Box::new(stats.rate_limit_wait.clone()))?;
        registry.register(Box::new(stats.credential_up.clone()))?;
        registry.register(Box::new(stats.token_expiry.clone()))?;
        registry.register(Box::new(stats.token_requests.clone()))?;
        registry.register(Box::new(stats.token_failures.clone()))?;
        Ok(stats)
    }

    /// How long an answer of this API took on average so far; `None` before the first.
    pub fn mean_latency(&self, api: Api, route: &str) -> Option<Duration> {
        let histogram = self
            .request_duration
            .with_label_values(&[api.as_str(), route]);
        let count = histogram.get_sample_count();
        (count > 0).then(|| Duration::from_secs_f64(histogram.get_sample_sum() / count as f64))
    }
}
