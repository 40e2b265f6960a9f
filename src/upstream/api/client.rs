//! One request to an API with all its tries: rate limiter, token, transport, retry policy.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::Instant;
use url::Url;

use crate::config::{self, RateLimit};
use crate::domain::{Api, Clock, Reason, TargetId};
use crate::troubles::Trouble;
use crate::upstream::auth::{RefreshTokenFile, Tokens};
use crate::upstream::http::json::JsonError;
use crate::upstream::http::request_id::RequestId;
use crate::upstream::http::retry::{Failure, Policy};
use crate::upstream::http::stats::Stats;
use crate::upstream::http::transport::{Answer, NoAnswer, Request, Transport};
use crate::upstream::http::tries::{Failed, Tries};
use crate::upstream::http::verdict::{Answered, verdict};

use super::error::{ApiError, Cause};
use super::limiter::{Limiter, Paused, RateNow, Slot, Turn};
use super::personal::Pseudonyms;

/// One kind of request: what all requests of a listing have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint {
    /// The path below the API's base, with placeholders for ids.
    pub(crate) route: &'static str,
    /// What a POST sends. Without it, the request is a GET.
    pub(crate) body: Option<&'static str>,
    /// What the app registration must be allowed.
    pub(crate) permission: &'static str,
}

impl Endpoint {
    /// A GET of this route, which needs this permission.
    pub(crate) const fn get(route: &'static str, permission: &'static str) -> Self {
        Self {
            route,
            body: None,
            permission,
        }
    }

    /// A POST of this route without any filter, which needs this permission.
    pub(crate) const fn post(route: &'static str, permission: &'static str) -> Self {
        Self {
            route,
            body: Some("{}"),
            permission,
        }
    }
}

/// One request of its kind.
#[derive(Debug)]
pub(crate) struct Ask {
    /// Whose listing it is about.
    pub(crate) target: TargetId,
    pub(crate) url: Url,
    /// Beside those of every request.
    pub(crate) headers: HeaderMap,
    /// The ids that it sends along, for logs.
    pub(crate) ids: Option<Ids>,
}

/// The ids that a request sends along.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    /// Of the request.
    pub(crate) request: RequestId,
    /// Of all requests of a poll.
    pub(crate) correlation: RequestId,
}

impl Ask {
    /// A request with nothing but its address.
    pub(crate) fn new(target: TargetId, url: Url) -> Self {
        Self {
            target,
            url,
            headers: HeaderMap::new(),
            ids: None,
        }
    }
}

/// The clients of all APIs, shared by all polls.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Of AvePoint Elements.
    pub elements: Arc<Client>,
    /// Of Microsoft Partner Center, where a collector asks it.
    pub partner_center: Option<Arc<Client>>,
    /// What that client signs in with. It outlives the client, since its lock bars this process too.
    pub refresh_token: Option<Arc<RefreshTokenFile>>,
}

impl Clients {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Client>> {
        [&self.elements].into_iter().chain(&self.partner_center)
    }
}

/// The values that all clients of a process share, whatever configuration is in force.
#[derive(Debug)]
pub struct Shared {
    /// The same for all, so that users in the listings of one client are found in those of another.
    pseudonyms: Pseudonyms,
    /// Counters of all requests.
    pub stats: Stats,
    /// The time.
    pub clock: Clock,
}

impl Shared {
    /// New values, with pseudonyms that no other process has.
    pub fn new(stats: Stats, clock: Clock) -> Self {
        Self {
            pseudonyms: Pseudonyms::default(),
            stats,
            clock,
        }
    }
}

#[cfg(test)]
impl Clients {
    /// For tests: a client of AvePoint Elements alone.
    pub(crate) fn of_elements(config: &config::Elements, stats: &Stats, clock: &Clock) -> Self {
        let shared = Shared::new(stats.clone(), clock.clone());
        Self {
            elements: Client::elements(config, &["a"], &shared).unwrap(),
            partner_center: None,
            refresh_token: None,
        }
    }
}

/// The client of one API, shared by all polls.
#[derive(Debug)]
pub struct Client {
    pub(crate) api: Api,
    pub(crate) api_url: Url,
    pub(crate) max_rows: u64,
    pub(crate) ignores_totals: bool,
    pub(crate) pseudonyms: Pseudonyms,
    response_bytes: usize,
    timeout: Duration,
    policy: Policy,
    transport: Transport,
    tokens: Tokens,
    limiter: Limiter,
    stats: Stats,
}

impl Client {
    /// A client of AvePoint Elements for the endpoints that need these permissions. Opens no connection yet.
    ///
    /// # Errors
    /// When TLS or the proxy cannot be set up as configured.
    pub fn elements(
        config: &config::Elements,
        permissions: &[&'static str],
        shared: &Shared,
    ) -> anyhow::Result<Arc<Self>> {
        let urls = [&config.api_url, &config.token_url];
        let tokens = |transport| Tokens::for_elements(config, permissions, transport);
        Self::new(
            Api::Elements,
            urls,
            config.rate_limit,
            config,
            shared,
            tokens,
        )
    }

    /// A client of Microsoft Partner Center that signs in with this refresh token. It shares settings such as deadlines
    /// and bounds with the client of AvePoint Elements; they are in `elements`. Opens no connection yet.
    ///
    /// # Errors
    /// When TLS or the proxy cannot be set up as configured.
    pub fn partner_center(
        config: &config::PartnerCenter,
        elements: &config::Elements,
        refresh_token: Arc<RefreshTokenFile>,
        shared: &Shared,
    ) -> anyhow::Result<Arc<Self>> {
        let urls = [&config.api_url, &config.token_url];
        let tokens = |transport| {
            Tokens::for_partner_center(config, refresh_token, &elements.http, transport)
        };
        Self::new(
            Api::PartnerCenter,
            urls,
            config.rate_limit,
            elements,
            shared,
            tokens,
        )
    }

    /// A client of the API at the first of these addresses; its token service is at the second.
    fn new(
        api: Api,
        urls: [&Url; 2],
        rate_limit: RateLimit,
        common: &config::Elements,
        shared: &Shared,
        tokens: impl FnOnce(Transport) -> Tokens,
    ) -> anyhow::Result<Arc<Self>> {
        let stats = shared.stats.clone();
        let transport = Transport::new(&common.http, urls, stats.clone(), shared.clock.clone())?;
        let tokens = tokens(transport.clone());
        stats.begin_limited_api(api, rate_limit);
        Ok(Arc::new(Self {
            api,
            api_url: urls[0].clone(),
            max_rows: common.limits.rows,
            ignores_totals: common.limits.ignore_totals,
            pseudonyms: shared.pseudonyms.clone(),
            response_bytes: common.limits.response_bytes,
            timeout: common.http.timeout,
            policy: Policy::new(common.http.retry_deadline),
            transport,
            tokens,
            limiter: Limiter::new(rate_limit),
            stats,
        }))
    }

    /// Sends a request until it succeeds or another try is no use. `decode` reads the body of a 200.
    pub(crate) async fn call<T>(
        &self,
        endpoint: &Endpoint,
        ask: &Ask,
        decode: impl Fn(&[u8]) -> Result<T, JsonError>,
    ) -> Result<Answered<T>, ApiError> {
        let mut tries = Tries::new(&self.policy, &self.stats, self.api, endpoint.route);
        loop {
            let fail = |cause, request_id: Option<RequestId>| {
                self.failed(endpoint, cause, request_id.as_ref(), ask.ids.as_ref())
            };
            // In this order: a token that was got first could die while its request waits.
            let slot = self.slot(ask.target, endpoint.route).await;
            let slot = slot.map_err(|cause| fail(cause, None))?;
            let token = self
                .tokens
                .token(endpoint.permission)
                .await
                .map_err(|error| fail(Cause::Credential(Box::new(error)), None))?;
            let timeout = tries.begin(self.timeout);
            let answer = self
                .transport
                .send(self.request(endpoint, ask, token.header(), timeout))
                .await;
            drop(slot);
            self.heed_mfa(&answer);
            let failed = match judge(endpoint, answer, timeout, &decode) {
                Ok(answered) => {
                    token.was_accepted();
                    self.rate_is(self.limiter.succeeded());
                    return Ok(answered);
                }
                Err(failed) => failed,
            };
            if let Cause::Throttled { retry_after, .. } = failed.problem {
                let pause = retry_after.unwrap_or(self.policy.first_wait);
                self.rate_is(self.limiter.throttled(ask.target, pause));
            }
            let refused = failed.failure == Failure::Unauthorized;
            let reason = failed.problem.reason();
            tries
                .failed(failed, reason.as_str())
                .await
                .map_err(|failed| fail(failed.problem, failed.request_id))?;
            // Only where another try follows: what fails with a fresh token too is not the token's fault.
            if refused {
                self.tokens.reject(&token);
            }
        }
    }

    /// An error of a request to this API. The id that was sent is the one that its support knows; an API without
    /// such ids tells one in its answer, `request_id`.
    pub(crate) fn failed(
        &self,
        endpoint: &Endpoint,
        cause: Cause,
        request_id: Option<&RequestId>,
        ids: Option<&Ids>,
    ) -> ApiError {
        ApiError {
            api: self.api,
            route: endpoint.route,
            cause,
            request_id: ids.map(|ids| &ids.request).or(request_id).cloned(),
            correlation_id: ids.map(|ids| ids.correlation.clone()),
        }
    }

    /// The address of a path below the API's base.
    pub(crate) fn below_api_url(&self, path: &str) -> Url {
        let mut url = self.api_url.clone();
        url.set_path(&format!(
            "{}{path}",
            self.api_url.path().trim_end_matches('/')
        ));
        url
    }

    /// The API that it sends requests to.
    pub fn api(&self) -> Api {
        self.api
    }

    /// No target is paused for longer than this, even if the API asks for more: the interval after which its listings
    /// are due again.
    pub fn pause_at_most(&self, longest: Duration) {
        self.limiter.pause_at_most(longest);
    }

    async fn slot(&self, target: TargetId, route: &'static str) -> Result<Slot, Cause> {
        let start = Instant::now();
        // A request that would wait past the deadline fails now, so it does not block other targets.
        let slot = self.limiter.slot(target, route, self.policy.deadline).await;
        let waited = self
            .stats
            .rate_limit_wait
            .with_label_values(&[self.api.as_str()]);
        waited.inc_by(start.elapsed().as_secs_f64());
        slot.map_err(|Paused(left)| Cause::Paused(left))
    }

    /// Shows what an answer says of multi-factor authentication; only those of Partner Center do.
    fn heed_mfa(&self, answer: &Result<Answer, NoAnswer>) {
        if self.api == Api::PartnerCenter
            && let Ok(answer) = answer
            && let Some(is_compliant) = answer.is_mfa_compliant
        {
            self.stats
                .show_mfa_compliant(is_compliant, self.transport.clock.now());
        }
    }

    /// Says that another client is in force, or none: what still comes of its token requests is not shown any more.
    pub fn retire(&self) {
        self.tokens.retire();
    }

    fn rate_is(&self, rate: RateNow) {
        let RateNow { per_second, turn } = rate;
        let api = self.api.as_str();
        self.stats
            .rate_limit
            .with_label_values(&[api])
            .set(per_second);
        // Of the host, and of none of the polls.
        match turn {
            Some(Turn::Fell) => {
                let cause = format!(
                    "{api} throttles several targets; the request rate was lowered to {per_second:.1} per second"
                );
                let reason = Reason::Throttled.as_str();
                let now = self.transport.clock.now();
                let troubles = &self.stats.troubles;
                troubles.begin(Trouble::Throttled, api, reason, cause, now);
                tracing::warn!(
                    parent: None,
                    api,
                    requests_per_second = per_second,
                    "API is throttling requests; request rate lowered"
                );
            }
            Some(Turn::Recovered) => {
                self.stats.troubles.end(Trouble::Throttled, api);
                tracing::info!(
                    parent: None,
                    api,
                    requests_per_second = per_second,
                    "API request rate restored to the configured value"
                );
            }
            None => {}
        }
    }

    fn request<'a>(
        &self,
        endpoint: &'a Endpoint,
        ask: &Ask,
        token: HeaderValue,
        timeout: Duration,
    ) -> Request<'a> {
        let mut headers = ask.headers.clone();
        headers.insert(AUTHORIZATION, token);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut method = Method::GET;
        if endpoint.body.is_some() {
            method = Method::POST;
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Request {
            api: self.api,
            route: endpoint.route,
            method,
            url: ask.url.clone(),
            headers,
            body: endpoint.body.unwrap_or_default().as_bytes(),
            max_bytes: self.response_bytes,
            timeout,
        }
    }
}

/// Reads the result of a try. A failure has a meaning for the retry policy and a message for people.
fn judge<T>(
    endpoint: &Endpoint,
    answer: Result<Answer, NoAnswer>,
    timeout: Duration,
    decode: impl Fn(&[u8]) -> Result<T, JsonError>,
) -> Result<Answered<T>, Failed<Cause>> {
    verdict(answer, decode).map_err(|failed| {
        let mut failed = failed.map(|fault| Cause::of(fault, endpoint.permission, timeout));
        // A 401 refuses the access token; a new one may be accepted.
        if matches!(failed.problem, Cause::Unauthorized) {
            failed.failure = Failure::Unauthorized;
        }
        failed
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::http::fault::Fault;

    const ENDPOINT: Endpoint = Endpoint::get("/users", "users.read");

    /// A try that failed, by its answer.
    fn failed(answer: Result<Answer, NoAnswer>) -> Failed<Cause> {
        let decode = |body: &[u8]| {
            Err::<(), _>(match body {
                b"cut" => JsonError::Truncated("here".to_owned()),
                b"deep" => JsonError::TooMuch("nested".to_owned()),
                _ => JsonError::Unexpected("a list expected".to_owned()),
            })
        };
        judge(&ENDPOINT, answer, Duration::from_secs(30), decode).unwrap_err()
    }

    #[test]
    fn each_failure_has_a_message() {
        let body = |text| Ok(Answer::of(200, text));
        let status = |status| Ok(Answer::of(status, ""));
        let status_for_good = |status| {
            Ok(Answer {
                retry_after: None,
                ..Answer::of(status, "")
            })
        };
        let none = |fault| Err(NoAnswer::of(fault));
        for (answer, message) in [
            (body("cut"), "incomplete response, it ends here"),
            (body("deep"), "limit exceeded: nested"),
            (body("odd"), "unexpected response: a list expected"),
            (status(201), "unexpected response: status 201"),
            (
                status(302),
                "302: redirect to another URL; not followed, because the token must not leave the API's host",
            ),
            (
                status(400),
                "400: the API rejected the request; this is a bug in the exporter or a change of the API",
            ),
            (status(401), "401 although the access token is fresh"),
            (status(403), "403, retry after 7s"),
            (status_for_good(403), "403"),
            (status(404), "404"),
            (
                status(408),
                "408, retry after 7s; the API has a problem, the next poll retries",
            ),
            (status(429), "429, retry after 7s"),
            (
                status(501),
                "501, retry after 7s; the API has a problem, the next poll retries",
            ),
            (status(600), "unexpected response: status 600"),
            (
                none(Fault::Timeout("api.example:443".to_owned())),
                "no complete response from api.example:443 within 30s; the API is slow, or elements.timeout or retry_deadline is too short",
            ),
            (
                none(Fault::Connection(
                    "api.example:443".to_owned(),
                    "refused".to_owned(),
                )),
                "connection to api.example:443 failed: refused",
            ),
            (
                none(Fault::TooLarge { max_bytes: 5 }),
                "limit exceeded: the response is larger than 5 bytes; see elements.limits.response_bytes",
            ),
        ] {
            assert_eq!(failed(answer).problem.to_string(), message);
        }
    }

    #[test]
    fn only_a_401_refuses_the_token() {
        for status in 300..1000 {
            let refused = failed(Ok(Answer::of(status, ""))).failure == Failure::Unauthorized;
            assert_eq!(refused, status == 401, "{status}");
        }
    }
}
