//! What the gauges say of each credential and each API now, for the status.

use std::collections::BTreeMap;

use super::Stats;
use crate::upstream::http::gauges::{label, metrics, values};

/// What is known of a credential.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CredentialState {
    /// Whether the last token request succeeded; `None` before the first.
    pub up: Option<bool>,
    /// Why the last token requests failed.
    pub reasons: Vec<String>,
    /// When the access token expires, in seconds since the Unix epoch.
    pub token_expiry: Option<f64>,
    /// When the refresh token was saved last, in seconds since the Unix epoch.
    pub refresh_token_saved: Option<f64>,
}

/// What is known of an API. All but the last are requests per second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ApiState {
    /// The rate limit of now, which falls below the configured one while the API throttles; `None` for a token service.
    pub rate_limit: Option<f64>,
    /// What all intervals need.
    pub required: Option<f64>,
    /// What is possible.
    pub capacity: Option<f64>,
    /// This machine's clock minus that of the API, in seconds.
    pub clock_skew: Option<f64>,
}

impl Stats {
    /// What is known of each credential, by its name.
    pub fn credentials(&self) -> BTreeMap<String, CredentialState> {
        let mut states = BTreeMap::<_, CredentialState>::new();
        for (name, value) in values(&self.credential_up, "credential") {
            states.entry(name).or_default().up = Some(value > 0.0);
        }
        for metric in metrics(&self.credential_failing) {
            let name = label(&metric, "credential");
            let reason = label(&metric, "reason");
            states.entry(name).or_default().reasons.push(reason);
        }
        for (name, value) in values(&self.token_expiry, "credential") {
            states.entry(name).or_default().token_expiry = Some(value);
        }
        for (name, value) in values(&self.refresh_token_rotation, "credential") {
            states.entry(name).or_default().refresh_token_saved = Some(value);
        }
        states
    }

    /// What is known of each API, by its name.
    pub fn apis(&self) -> BTreeMap<String, ApiState> {
        let mut states = BTreeMap::<_, ApiState>::new();
        for (name, value) in values(&self.rate_limit, "api") {
            states.entry(name).or_default().rate_limit = Some(value);
        }
        for (name, value) in values(&self.required_rate, "api") {
            states.entry(name).or_default().required = Some(value);
        }
        for (name, value) in values(&self.capacity, "api") {
            states.entry(name).or_default().capacity = Some(value);
        }
        for (name, value) in self.clock_skews.all() {
            states.entry(name).or_default().clock_skew = Some(value);
        }
        states
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder as _, Registry, TextEncoder};

    use super::*;
    use crate::config::RateLimit;
    use crate::domain::{Api, Timestamp};
    use crate::upstream::http::stats::Credential;

    #[test]
    fn what_is_not_known_is_absent_and_looking_makes_no_series() {
        let registry = Registry::new();
        let stats = Stats::register(&registry).unwrap();
        let text = || {
            let mut text = Vec::new();
            TextEncoder::new()
                .encode(&registry.gather(), &mut text)
                .unwrap();
            String::from_utf8(text).unwrap()
        };
        let before = text();
        assert!(stats.credentials().is_empty() && stats.apis().is_empty());
        assert_eq!(text(), before);
        let limit = RateLimit {
            requests_per_second: 10.0,
            burst: 20,
            max_concurrent_requests: 8,
        };
        stats.begin_limited_api(Api::Elements, limit);
        stats.forecast(Api::Elements, 2.5, limit);
        let failing = [("invalid_client", "why".to_owned())];
        stats.show_credential(Credential::Elements, &failing, false, Timestamp::default());
        assert_eq!(
            stats.apis()["elements"],
            ApiState {
                rate_limit: Some(10.0),
                required: Some(2.5),
                capacity: Some(8.0),
                clock_skew: None,
            }
        );
        assert_eq!(
            stats.credentials()["elements"],
            CredentialState {
                up: Some(false),
                reasons: vec!["invalid_client".to_owned()],
                ..CredentialState::default()
            }
        );
    }
}
