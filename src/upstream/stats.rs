//! What the exporter counts about its own requests, in the registry of the `prometheus` crate.

use std::fmt;

use prometheus::core::Collector;
use prometheus::proto::{Metric, MetricFamily};
use prometheus::{
    CounterVec, GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec, Registry, histogram_opts, opts,
};

use crate::config::RateLimit;
use crate::domain::Reason;

/// One host that the exporter asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// AvePoint Elements.
    Elements,
    /// The token service of AvePoint Elements.
    ElementsIdentity,
    /// Microsoft Partner Center.
    PartnerCenter,
    /// The token service of Microsoft.
    MicrosoftIdentity,
}

impl Api {
    /// The value of the label `api`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elements => "elements",
            Self::ElementsIdentity => "elements_identity",
            Self::PartnerCenter => "partner_center",
            Self::MicrosoftIdentity => "microsoft_identity",
        }
    }

    /// Whether it hands out tokens.
    pub(super) const fn is_identity(self) -> bool {
        matches!(self, Self::ElementsIdentity | Self::MicrosoftIdentity)
    }
}

/// What the exporter signs in with, by the section of the configuration that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    Elements,
    PartnerCenter,
}

impl Credential {
    /// The value of the label `credential`, and the section's name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Elements => "elements",
            Self::PartnerCenter => "partner_center",
        }
    }

    /// Who gives tokens for it.
    pub(super) const fn identity(self) -> Api {
        match self {
            Self::Elements => Api::ElementsIdentity,
            Self::PartnerCenter => Api::MicrosoftIdentity,
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Buckets for an answer's time in seconds: a page takes from some milliseconds on a near host to the timeout.
const DURATION_BUCKETS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// How many requests in a second an API can be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// The configured rate.
    pub by_rate: f64,
    /// What as many requests at once as may be can do; infinite before the first answer.
    pub by_concurrency: f64,
}

impl Capacity {
    /// The smaller of the two.
    pub fn requests_per_second(self) -> f64 {
        self.by_rate.min(self.by_concurrency)
    }
}

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
    pub(super) certificate_expiry: GaugeVec,
    pub(super) refresh_token_rotation: GaugeVec,
    required_rate: GaugeVec,
    capacity: GaugeVec,
}

impl Stats {
    /// Registers the counters.
    ///
    /// # Errors
    /// When the registry holds one of their names already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counters = |name, help, labels: &[_]| {
            registered(registry, IntCounterVec::new(opts!(name, help), labels)?)
        };
        let seconds = |name, help, labels: &[_]| {
            registered(registry, CounterVec::new(opts!(name, help), labels)?)
        };
        let gauges = |name, help, labels: &[_]| {
            registered(registry, GaugeVec::new(opts!(name, help), labels)?)
        };
        let wholes = |name, help, labels: &[_]| {
            registered(registry, IntGaugeVec::new(opts!(name, help), labels)?)
        };
        let durations = |name, help, labels: &[_]| {
            let opts = histogram_opts!(name, help, DURATION_BUCKETS.to_vec());
            registered(registry, HistogramVec::new(opts, labels)?)
        };
        let stats = Self {
            requests: counters(
                "avepoint_api_requests_total",
                "Requests sent, each try for itself; code is none without an answer.",
                &["api", "route", "code"],
            )?,
            request_duration: durations(
                "avepoint_api_request_duration_seconds",
                "Time from sending a request to the last byte of its answer, or to its failure.",
                &["api", "route"],
            )?,
            retries: counters(
                "avepoint_api_retries_total",
                "Tries after a first one, by what was wrong with the one before.",
                &["api", "reason"],
            )?,
            response_bytes: counters(
                "avepoint_api_response_bytes_total",
                "Bytes of answers, after decompression.",
                &["api", "route"],
            )?,
            in_flight: wholes(
                "avepoint_api_requests_in_flight",
                "Requests under way.",
                &["api"],
            )?,
            rate_limit: gauges(
                "avepoint_api_rate_limit_requests_per_second",
                "Requests per second that may be sent now.",
                &["api"],
            )?,
            rate_limit_wait: seconds(
                "avepoint_api_rate_limit_wait_seconds_total",
                "Time that requests waited for the rate limiter.",
                &["api"],
            )?,
            required_rate: gauges(
                "avepoint_api_required_requests_per_second",
                "Requests per second that all tenants, and discovery, need to keep their intervals, by the pages of their last polls.",
                &["api"],
            )?,
            capacity: gauges(
                "avepoint_api_capacity_requests_per_second",
                "Requests per second that are possible: the configured rate, or less where answers are slow.",
                &["api"],
            )?,
            credential_up: wholes(
                "avepoint_credential_up",
                "Whether the last token request succeeded.",
                &["credential"],
            )?,
            token_expiry: gauges(
                "avepoint_access_token_expiry_timestamp_seconds",
                "When the access token in use expires.",
                &["credential"],
            )?,
            token_requests: counters(
                "avepoint_token_requests_total",
                "Token requests that ended, each with its retries as one.",
                &["credential"],
            )?,
            token_failures: counters(
                "avepoint_token_request_failures_total",
                "Token requests that failed.",
                &["credential", "reason"],
            )?,
            certificate_expiry: gauges(
                "avepoint_client_certificate_expiry_timestamp_seconds",
                "When the certificate expires that the credential proves itself with.",
                &["credential"],
            )?,
            refresh_token_rotation: gauges(
                "avepoint_refresh_token_last_rotation_timestamp_seconds",
                "When a new refresh token was last stored.",
                &["credential"],
            )?,
        };
        Ok(stats)
    }

    /// Shows the failures of a credential's token requests from zero on, so that the first one is a rise.
    pub(super) fn begin_credential(&self, credential: Credential) {
        let reasons = Reason::ALL.iter().map(|reason| reason.as_str());
        for reason in ["invalid_client", "invalid_scope", "invalid_grant"]
            .into_iter()
            .chain(reasons)
        {
            self.token_failures
                .with_label_values(&[credential.as_str(), reason]);
        }
        self.begin_api(credential.identity());
    }

    /// Shows the second tries of requests to an API from zero on.
    fn begin_api(&self, api: Api) {
        for reason in [
            Reason::Throttled,
            Reason::Unavailable,
            Reason::Timeout,
            Reason::Connection,
            Reason::Decode,
        ] {
            self.retries
                .with_label_values(&[api.as_str(), reason.as_str()]);
        }
    }

    /// Shows the rate that an API allows, and the second tries of requests to it from zero on.
    pub(super) fn begin_limited_api(&self, api: Api, limit: RateLimit) {
        self.begin_api(api);
        self.rate_limit
            .with_label_values(&[api.as_str()])
            .set(limit.requests_per_second);
    }

    /// Shows no more of what Partner Center's client said of itself, for it is not in force any more. Counters stay.
    pub fn end_partner_center(&self) {
        for gauges in [&self.rate_limit, &self.required_rate, &self.capacity] {
            let _ = gauges.remove_label_values(&[Api::PartnerCenter.as_str()]);
        }
        let credential = [Credential::PartnerCenter.as_str()];
        let _ = self.credential_up.remove_label_values(&credential);
        for gauges in [
            &self.token_expiry,
            &self.certificate_expiry,
            &self.refresh_token_rotation,
        ] {
            let _ = gauges.remove_label_values(&credential);
        }
    }

    /// Shows what is asked of an API, in requests per second, beside what it gives at the latency seen so far.
    pub fn forecast(&self, api: Api, required: f64, limit: RateLimit) -> Capacity {
        let capacity = Capacity {
            by_rate: limit.requests_per_second,
            by_concurrency: self.mean_latency(api).map_or(f64::INFINITY, |latency| {
                limit.max_concurrent_requests as f64 / latency
            }),
        };
        let api = api.as_str();
        self.required_rate.with_label_values(&[api]).set(required);
        self.capacity
            .with_label_values(&[api])
            .set(capacity.requests_per_second());
        capacity
    }

    /// Seconds that an answer took on average so far; `None` before the first.
    fn mean_latency(&self, api: Api) -> Option<f64> {
        let families = self.request_duration.collect();
        let of_api = families
            .iter()
            .flat_map(MetricFamily::get_metric)
            .filter(|metric| {
                metric
                    .get_label()
                    .iter()
                    .any(|label| label.name() == "api" && label.value() == api.as_str())
            });
        let (sum, count) =
            of_api
                .map(Metric::get_histogram)
                .fold((0.0, 0), |(sum, count), histogram| {
                    (
                        sum + histogram.get_sample_sum(),
                        count + histogram.get_sample_count(),
                    )
                });
        (count > 0).then(|| sum / count as f64)
    }
}

/// Registers a metric and keeps a handle on it.
fn registered<M: Collector + Clone + 'static>(
    registry: &Registry,
    metric: M,
) -> prometheus::Result<M> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
