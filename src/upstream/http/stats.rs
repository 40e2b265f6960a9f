//! What the exporter counts about its own requests, in the registry of the `prometheus` crate.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    CounterVec, GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec, Registry, histogram_opts, opts,
};

use crate::config::RateLimit;
use crate::domain::{Api, Reason, Timestamp};
use crate::troubles::{Trouble, Troubles};

use super::clock_skew::{self, ClockSkews};

mod states;

pub use states::{ApiState, CredentialState};

/// What the exporter signs in with, by the section of the configuration that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    Elements,
    PartnerCenter,
}

impl Credential {
    /// The value of the label `credential`, and the section's name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Elements => "elements",
            Self::PartnerCenter => "partner_center",
        }
    }

    /// What it is when it gives no token.
    const fn trouble(self) -> Trouble {
        match self {
            Self::Elements => Trouble::Credential,
            Self::PartnerCenter => Trouble::PartnerCenterCredential,
        }
    }

    /// Who gives tokens for it.
    pub(crate) const fn identity(self) -> Api {
        match self {
            Self::Elements => Api::ElementsIdentity,
            Self::PartnerCenter => Api::MicrosoftIdentity,
        }
    }
}

/// Buckets for an answer's time in seconds: a page takes from some milliseconds on a near host to the timeout.
const DURATION_BUCKETS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A larger difference between the clocks, in seconds, is a trouble. The alert about it has the same threshold.
const LARGEST_SKEW: f64 = 60.0;

/// How long a request is taken to last while no answer has told. Neither API documents a time; a listing's page from
/// far away takes about that long, and one of the simulator a thousandth.
const ASSUMED_SECONDS: f64 = 1.0;

/// How many requests in a second an API can be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// The configured rate.
    pub by_rate: f64,
    /// The rate that the most concurrent requests can reach.
    pub by_concurrency: f64,
}

impl Capacity {
    /// Before the first answer: when each request takes a second.
    pub fn assumed(limit: RateLimit) -> Self {
        Self::at(limit, ASSUMED_SECONDS)
    }

    /// When a request takes this many seconds.
    fn at(limit: RateLimit, seconds: f64) -> Self {
        Self {
            by_rate: limit.requests_per_second,
            by_concurrency: limit.max_concurrent_requests as f64 / seconds,
        }
    }

    /// The smaller of the two.
    pub fn requests_per_second(self) -> f64 {
        self.by_rate.min(self.by_concurrency)
    }
}

/// Counters of requests, tokens and waiting.
#[derive(Debug, Clone)]
pub struct Stats {
    pub(crate) requests: IntCounterVec,
    request_duration: HistogramVec,
    pub(crate) retries: IntCounterVec,
    pub(crate) response_bytes: IntCounterVec,
    pub(crate) in_flight: IntGaugeVec,
    pub(crate) rate_limit: GaugeVec,
    pub(crate) rate_limit_wait: CounterVec,
    pub(crate) credential_up: IntGaugeVec,
    pub(crate) credential_failing: IntGaugeVec,
    pub(crate) token_expiry: GaugeVec,
    pub(crate) token_requests: IntCounterVec,
    pub(crate) token_failures: IntCounterVec,
    certificate_expiry: GaugeVec,
    pub(crate) refresh_token_rotation: GaugeVec,
    clock_skews: ClockSkews,
    mfa_compliant: IntGaugeVec,
    required_rate: GaugeVec,
    capacity: GaugeVec,
    /// By API.
    latencies: Arc<Mutex<HashMap<&'static str, Latency>>>,
    /// The certificates in use, by their credential.
    certificates: Arc<Mutex<BTreeMap<&'static str, Expiring>>>,
    /// What is wrong with the APIs and the credentials.
    pub troubles: Troubles,
}

/// A certificate that the exporter signs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// Where it was read.
    pub file: PathBuf,
    /// When it expires.
    pub at: Timestamp,
}

/// How long requests to an API take of late.
#[derive(Debug, Clone, Copy, Default)]
struct Latency {
    /// In seconds.
    mean: f64,
    /// How many requests it is the mean of; [`RECENT`] at most, later ones counting for more.
    requests: f64,
}

/// So many requests tell how long one takes: enough to even out, and few enough to follow an API that slows down.
const RECENT: f64 = 500.0;

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
        let [credential_up, credential_failing] = credential_gauges(registry)?;
        let stats = Self {
            requests: counters(
                "avepoint_api_requests_total",
                "Requests sent, counting each attempt; code is none if there was no response.",
                &["api", "route", "code"],
            )?,
            request_duration: durations(
                "avepoint_api_request_duration_seconds",
                "Time in seconds from sending a request to the last byte of its response, or to its failure.",
                &["api", "route"],
            )?,
            retries: counters(
                "avepoint_api_retries_total",
                "Retries, by the reason why the previous attempt failed.",
                &["api", "reason"],
            )?,
            response_bytes: counters(
                "avepoint_api_response_bytes_total",
                "Bytes of responses, after decompression.",
                &["api", "route"],
            )?,
            in_flight: wholes(
                "avepoint_api_requests_in_flight",
                "Requests in flight.",
                &["api"],
            )?,
            rate_limit: gauges(
                "avepoint_api_rate_limit_requests_per_second",
                "Current rate limit in requests per second.",
                &["api"],
            )?,
            rate_limit_wait: seconds(
                "avepoint_api_rate_limit_wait_seconds_total",
                "Time in seconds that requests waited for the rate limit.",
                &["api"],
            )?,
            required_rate: gauges(
                "avepoint_api_required_requests_per_second",
                "Requests per second that all tenants and discovery need for their intervals, based on the pages of \
                 their last successful polls.",
                &["api"],
            )?,
            capacity: gauges(
                "avepoint_api_capacity_requests_per_second",
                "Possible requests per second: the configured rate, or less if responses are slow.",
                &["api"],
            )?,
            credential_up,
            credential_failing,
            token_expiry: gauges(
                "avepoint_access_token_expiry_timestamp_seconds",
                "Time at which the current access token expires, in seconds since the Unix epoch; of several, the one received \
                 last.",
                &["credential"],
            )?,
            token_requests: counters(
                "avepoint_token_requests_total",
                "Token requests completed; a request and its retries count once.",
                &["credential"],
            )?,
            token_failures: counters(
                "avepoint_token_request_failures_total",
                "Token requests that failed.",
                &["credential", "reason"],
            )?,
            certificate_expiry: gauges(
                "avepoint_client_certificate_expiry_timestamp_seconds",
                "Time at which the certificate of the credential expires, in seconds since the Unix epoch.",
                &["credential"],
            )?,
            refresh_token_rotation: gauges(
                "avepoint_refresh_token_last_rotation_timestamp_seconds",
                "Time at which the refresh token was last saved, in seconds since the Unix epoch; after startup the \
                 modification time of its file.",
                &["credential"],
            )?,
            clock_skews: ClockSkews::new(registered(registry, clock_skew::gauge()?)?),
            mfa_compliant: mfa_compliant(registry)?,
            latencies: Arc::default(),
            certificates: Arc::default(),
            troubles: Troubles::default(),
        };
        Ok(stats)
    }

    /// Shows the failures of a credential's token requests from zero on, so that the first one is a rise.
    pub(crate) fn begin_credential(&self, credential: Credential) {
        for reason in token_reasons() {
            self.token_failures
                .with_label_values(&[credential.as_str(), reason]);
        }
        self.begin_api(credential.identity());
    }

    /// Shows why the last token requests of a credential failed, each with its reason and its text, and whether its
    /// refresh token is in memory alone: it gives tokens then, and is lost at the end of the process.
    pub(crate) fn show_credential(
        &self,
        credential: Credential,
        failing: &[(&'static str, String)],
        is_unsaved: bool,
        now: Timestamp,
    ) {
        self.note_credential(credential, failing, is_unsaved, now);
        let mut failing: BTreeSet<_> = failing.iter().map(|(reason, _)| *reason).collect();
        let credential = credential.as_str();
        self.credential_up
            .with_label_values(&[credential])
            .set(failing.is_empty().into());
        failing.extend(is_unsaved.then_some(STORAGE));
        for reason in token_reasons() {
            let labels = [credential, reason];
            if failing.contains(reason) {
                self.credential_failing.with_label_values(&labels).set(1);
            } else {
                let _ = self.credential_failing.remove_label_values(&labels);
            }
        }
    }

    fn note_credential(
        &self,
        credential: Credential,
        failing: &[(&'static str, String)],
        is_unsaved: bool,
        now: Timestamp,
    ) {
        let (trouble, name) = (credential.trouble(), credential.as_str());
        let is_of_storage = |failing: &&(&'static str, String)| failing.0 == STORAGE;
        let refused = failing.iter().find(|failing| !is_of_storage(failing));
        let unsaved = (
            STORAGE,
            "the new refresh token is in memory only, and is lost if the exporter stops".to_owned(),
        );
        let not_stored = failing.iter().find(is_of_storage);
        let not_stored = not_stored.or(is_unsaved.then_some(&unsaved));
        for (trouble, found) in [
            (trouble, refused),
            (Trouble::RefreshTokenNotStored, not_stored),
        ] {
            match found {
                Some((reason, text)) => {
                    self.troubles
                        .begin(trouble, name, reason, text.clone(), now);
                }
                None => {
                    self.troubles.end(trouble, name);
                }
            }
        }
    }

    /// Shows the certificate of a credential; a configuration before this one may have had another or none.
    pub(crate) fn show_certificate(&self, credential: Credential, certificate: Option<Expiring>) {
        let name = credential.as_str();
        let mut certificates = self.lock_certificates();
        if let Some(certificate) = certificate {
            self.certificate_expiry
                .with_label_values(&[name])
                .set(certificate.at.as_secs_f64());
            certificates.insert(name, certificate);
        } else {
            let _ = self.certificate_expiry.remove_label_values(&[name]);
            certificates.remove(name);
        }
    }

    /// The certificates in use, by their credential.
    pub fn certificates(&self) -> BTreeMap<&'static str, Expiring> {
        self.lock_certificates().clone()
    }

    fn lock_certificates(&self) -> MutexGuard<'_, BTreeMap<&'static str, Expiring>> {
        self.certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what time it was here and there when an API answered.
    pub(super) fn saw_clock(&self, api: Api, ours: Timestamp, theirs: Timestamp) {
        let skew = self.clock_skews.saw(api, ours, theirs);
        let name = api.as_str();
        if skew.abs() > LARGEST_SKEW {
            let side = if skew > 0.0 { "ahead of" } else { "behind" };
            let skew = skew.abs();
            let cause = format!("the clock of this machine is {skew:.0} s {side} that of {name}");
            if self
                .troubles
                .begin(Trouble::Clock, name, "", cause.clone(), ours)
            {
                tracing::warn!(parent: None, api = name, "{cause}; synchronise it");
            }
        } else if self.troubles.end(Trouble::Clock, name) {
            tracing::info!(parent: None, api = name, "the clock of this machine is right again");
        }
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
    pub(crate) fn begin_limited_api(&self, api: Api, limit: RateLimit) {
        self.begin_api(api);
        self.troubles.end(Trouble::Throttled, api.as_str());
        self.rate_limit
            .with_label_values(&[api.as_str()])
            .set(limit.requests_per_second);
    }

    /// Shows whether Partner Center accepts the sign-in as one with multi-factor authentication.
    pub(crate) fn show_mfa_compliant(&self, is_compliant: bool, now: Timestamp) {
        let name = Credential::PartnerCenter.as_str();
        if is_compliant {
            self.troubles.end(Trouble::Mfa, name);
        } else {
            let cause = "Partner Center reports that the user of the refresh token did not sign in with multi-factor \
                         authentication";
            self.troubles
                .begin(Trouble::Mfa, name, "", cause.to_owned(), now);
        }
        self.mfa_compliant
            .with_label_values::<&str>(&[])
            .set(is_compliant.into());
    }

    /// Removes the gauges of Partner Center's client, which is not in force any more. Counters stay.
    pub fn end_partner_center(&self) {
        for gauges in [&self.rate_limit, &self.required_rate, &self.capacity] {
            let _ = gauges.remove_label_values(&[Api::PartnerCenter.as_str()]);
        }
        for api in [Api::PartnerCenter, Api::MicrosoftIdentity] {
            self.clock_skews.forget(api);
            for trouble in [Trouble::Clock, Trouble::Throttled, Trouble::RateLimitTooLow] {
                self.troubles.end(trouble, api.as_str());
            }
        }
        self.troubles
            .end(Trouble::Mfa, Credential::PartnerCenter.as_str());
        self.show_credential(Credential::PartnerCenter, &[], false, Timestamp::default());
        self.show_certificate(Credential::PartnerCenter, None);
        let credential = [Credential::PartnerCenter.as_str()];
        let _ = self.credential_up.remove_label_values(&credential);
        let _ = self.mfa_compliant.remove_label_values::<&str>(&[]);
        for gauges in [&self.token_expiry, &self.refresh_token_rotation] {
            let _ = gauges.remove_label_values(&credential);
        }
    }

    /// Shows the request rate that an API needs, next to the rate that it can reach at the latency seen so far; before
    /// the first answer, at one of a second.
    pub fn forecast(&self, api: Api, required: f64, limit: RateLimit) -> Capacity {
        let capacity = match self.mean_latency(api) {
            Some(seconds) => Capacity::at(limit, seconds),
            None => Capacity::assumed(limit),
        };
        let api = api.as_str();
        self.required_rate.with_label_values(&[api]).set(required);
        self.capacity
            .with_label_values(&[api])
            .set(capacity.requests_per_second());
        capacity
    }

    /// Takes in how long a request took. One without a whole answer says nothing of how fast the API is: that it hangs or
    /// is gone is told by the failures.
    pub(crate) fn took(&self, api: Api, route: &str, time: Duration, was_answered: bool) {
        let seconds = time.as_secs_f64();
        self.request_duration
            .with_label_values(&[api.as_str(), route])
            .observe(seconds);
        if !was_answered {
            return;
        }
        let mut latencies = self.latencies();
        let latency = latencies.entry(api.as_str()).or_default();
        latency.requests = (latency.requests + 1.0).min(RECENT);
        latency.mean += (seconds - latency.mean) / latency.requests;
    }

    /// Seconds that a request took on average of late; `None` before the first.
    fn mean_latency(&self, api: Api) -> Option<f64> {
        self.latencies()
            .get(api.as_str())
            .map(|latency| latency.mean)
    }

    fn latencies(&self) -> MutexGuard<'_, HashMap<&'static str, Latency>> {
        // It is left whole at any moment.
        self.latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reason of a refresh token that cannot be saved.
pub(crate) const STORAGE: &str = "storage";

/// Why a token request can fail: beside the reasons of all requests, those that only a token service has, and a refresh
/// token that cannot be kept.
fn token_reasons() -> impl Iterator<Item = &'static str> {
    let own = ["invalid_client", "invalid_scope", "invalid_grant", STORAGE];
    own.into_iter()
        .chain(Reason::ALL.iter().map(|reason| reason.as_str()))
}

/// Whether token requests succeed, and why they do not.
fn credential_gauges(registry: &Registry) -> prometheus::Result<[IntGaugeVec; 2]> {
    let up = opts!(
        "avepoint_credential_up",
        "1 if the last token request succeeded, 0 if it failed; if permissions have tokens of their own, 0 if one of \
         these requests failed."
    );
    let failing = opts!(
        "avepoint_credential_failing",
        "Always 1, with the reason why the last token request failed; absent if it succeeded. storage: the refresh token \
         cannot be saved."
    );
    Ok([
        registered(registry, IntGaugeVec::new(up, &["credential"])?)?,
        registered(
            registry,
            IntGaugeVec::new(failing, &["credential", "reason"])?,
        )?,
    ])
}

/// Without labels, but absent until something is known.
fn mfa_compliant(registry: &Registry) -> prometheus::Result<IntGaugeVec> {
    let opts = opts!(
        "avepoint_partner_center_mfa_compliant",
        "1 if Partner Center reports that the user of the refresh token signed in with multi-factor authentication, 0 \
         if not; absent until it reports."
    );
    registered(registry, IntGaugeVec::new(opts, &[])?)
}

/// Registers a metric and keeps a handle on it.
fn registered<M: Collector + Clone + 'static>(
    registry: &Registry,
    metric: M,
) -> prometheus::Result<M> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_possible_follows_an_api_that_slows_down_after_a_long_time() {
        let stats = Stats::register(&Registry::new()).unwrap();
        let limit = RateLimit {
            requests_per_second: 10.0,
            burst: 20,
            max_concurrent_requests: 8,
        };
        let possible = || {
            let capacity = stats.forecast(Api::Elements, 1.0, limit);
            capacity.requests_per_second()
        };
        // Nothing is known yet: 8 requests at once, of a second each.
        assert!((7.9..8.1).contains(&possible()), "{}", possible());
        let took = |seconds, times| {
            for _ in 0..times {
                stats.took(Api::Elements, "/users", Duration::from_secs(seconds), true);
            }
        };
        took(0, 1_000_000);
        assert!(possible() >= 10.0);
        took(2, 3000);
        let slow = possible();
        assert!((3.9..4.2).contains(&slow), "{slow}");
        took(60, 1);
        let after = possible();
        assert!(after > 3.5, "one request is not all");
        for _ in 0..1000 {
            stats.took(Api::Elements, "/users", Duration::from_secs(30), false);
        }
        assert_eq!(possible().to_bits(), after.to_bits(), "it hangs");
    }
}
