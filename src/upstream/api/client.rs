//! One request to an API with all its tries: rate limiter, token, transport, retry policy.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::Instant;
use url::Url;

use crate::config::{self, RateLimit};
use crate::domain::{Clock, TargetId};
use crate::upstream::auth::{RefreshTokenFile, TokenSource};
use crate::upstream::http::json::JsonError;
use crate::upstream::http::request_id::RequestId;
use crate::upstream::http::retry::{Failure, Policy};
use crate::upstream::http::stats::{Api, Stats};
use crate::upstream::http::transport::{Answer, Fault, NoAnswer, Request, Transport};
use crate::upstream::http::tries::{Failed, Tries};

use super::error::{ApiError, Cause};
use super::limiter::{Limiter, Paused, RateNow, Slot, Turn};
use super::personal::Pseudonyms;

/// One kind of request: what all requests of a listing have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint {
    pub(crate) method: fn() -> Method,
    /// The path below the API's base, with placeholders for ids.
    pub(crate) route: &'static str,
    /// What a POST sends.
    pub(crate) body: &'static str,
    /// What the app registration must be allowed.
    pub(crate) permission: &'static str,
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

/// A request's success.
#[derive(Debug)]
pub(crate) struct Answered<T> {
    /// What the body held; `None` for a 204.
    pub(crate) value: Option<T>,
    pub(crate) request_id: Option<RequestId>,
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

/// The client of one API, shared by all polls.
#[derive(Debug)]
pub struct Client {
    pub(crate) api: Api,
    pub(crate) api_url: Url,
    pub(crate) max_rows: u64,
    pub(crate) pseudonyms: Pseudonyms,
    response_bytes: usize,
    timeout: Duration,
    policy: Policy,
    transport: Transport,
    tokens: TokenSource,
    limiter: Limiter,
    stats: Stats,
}

impl Client {
    /// A client of AvePoint Elements for the endpoints that need these permissions. Opens no connection yet.
    /// What it reads can be joined with what other clients read that share its pseudonyms.
    ///
    /// # Errors
    /// When TLS or the proxy cannot be set up as configured.
    pub fn elements(
        config: &config::Elements,
        permissions: &[&'static str],
        pseudonyms: &Pseudonyms,
        stats: &Stats,
        clock: &Clock,
    ) -> anyhow::Result<Arc<Self>> {
        let urls = [&config.api_url, &config.token_url];
        let transport = Transport::new(&config.http, urls, stats.clone(), clock.clone())?;
        let tokens = TokenSource::for_elements(
            config,
            permissions,
            transport.clone(),
            Policy::new(config.http.retry_deadline),
            stats.clone(),
            clock.clone(),
        );
        Ok(Self::new(
            Api::Elements,
            &config.api_url,
            config,
            config.rate_limit,
            tokens,
            transport,
            pseudonyms,
            stats,
        ))
    }

    /// A client of Microsoft Partner Center that signs in by this refresh token. What it has in common with the
    /// client of AvePoint Elements, such as deadlines and bounds, is in `elements`. Opens no connection yet.
    ///
    /// # Errors
    /// When TLS or the proxy cannot be set up as configured.
    pub fn partner_center(
        config: &config::PartnerCenter,
        elements: &config::Elements,
        refresh_token: Arc<RefreshTokenFile>,
        pseudonyms: &Pseudonyms,
        stats: &Stats,
        clock: &Clock,
    ) -> anyhow::Result<Arc<Self>> {
        let urls = [&config.api_url, &config.token_url];
        let transport = Transport::new(&elements.http, urls, stats.clone(), clock.clone())?;
        let tokens = TokenSource::for_partner_center(
            config,
            refresh_token,
            elements.http.timeout,
            transport.clone(),
            Policy::new(elements.http.retry_deadline),
            stats.clone(),
            clock.clone(),
        );
        Ok(Self::new(
            Api::PartnerCenter,
            &config.api_url,
            elements,
            config.rate_limit,
            tokens,
            transport,
            pseudonyms,
            stats,
        ))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "each is a part of the client, and the two callers differ in nearly all"
    )]
    fn new(
        api: Api,
        api_url: &Url,
        common: &config::Elements,
        rate_limit: RateLimit,
        tokens: TokenSource,
        transport: Transport,
        pseudonyms: &Pseudonyms,
        stats: &Stats,
    ) -> Arc<Self> {
        stats.begin_limited_api(api, rate_limit);
        Arc::new(Self {
            api,
            api_url: api_url.clone(),
            max_rows: common.limits.rows,
            pseudonyms: pseudonyms.clone(),
            response_bytes: common.limits.response_bytes,
            timeout: common.http.timeout,
            policy: Policy::new(common.http.retry_deadline),
            transport,
            tokens,
            limiter: Limiter::new(rate_limit),
            stats: stats.clone(),
        })
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
            let slot = self.slot(ask.target).await;
            let slot = slot.map_err(|cause| fail(cause, None))?;
            let token = self
                .tokens
                .token()
                .await
                .map_err(|error| fail(Cause::Credential(error), None))?;
            let timeout = tries.begin(self.timeout);
            let answer = self
                .transport
                .send(self.request(endpoint, ask, token.header(), timeout))
                .await;
            drop(slot);
            let failed = match judge(endpoint, answer, timeout, &decode) {
                Ok(answered) => {
                    token.was_accepted();
                    self.rate_is(self.limiter.succeeded());
                    return Ok(answered);
                }
                Err(failed) => failed,
            };
            if let Cause::Throttled { retry_after } = failed.problem {
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

    /// Whom it asks.
    pub fn api(&self) -> Api {
        self.api
    }

    /// Whatever the API asks for, no target is left alone for longer than this: the interval after which its listings
    /// are due again.
    pub fn pause_at_most(&self, longest: Duration) {
        self.limiter.pause_at_most(longest);
    }

    async fn slot(&self, target: TargetId) -> Result<Slot, Cause> {
        let start = Instant::now();
        // Who would have to wait longer than for any answer is told at once, and keeps no other from being polled.
        let slot = self.limiter.slot(target, self.policy.deadline).await;
        let waited = self
            .stats
            .rate_limit_wait
            .with_label_values(&[self.api.as_str()]);
        waited.inc_by(start.elapsed().as_secs_f64());
        slot.map_err(|Paused(left)| Cause::Throttled {
            retry_after: Some(left),
        })
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
            Some(Turn::Fell) => tracing::warn!(
                parent: None,
                api,
                requests_per_second = per_second,
                "the API answers by 429, and not for one tenant alone: it is asked less often until it takes more again"
            ),
            Some(Turn::Recovered) => tracing::info!(
                parent: None,
                api,
                requests_per_second = per_second,
                "the API is asked as often as configured again"
            ),
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
        let method = (endpoint.method)();
        if method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Request {
            api: self.api,
            route: endpoint.route,
            method,
            url: ask.url.clone(),
            headers,
            body: endpoint.body.as_bytes(),
            max_bytes: self.response_bytes,
            timeout,
        }
    }
}

/// Reads an answer, or says what its failure means.
fn judge<T>(
    endpoint: &Endpoint,
    answer: Result<Answer, NoAnswer>,
    timeout: Duration,
    decode: impl Fn(&[u8]) -> Result<T, JsonError>,
) -> Result<Answered<T>, Failed<Cause>> {
    let Answer {
        status,
        request_id,
        retry_after,
        body,
    } = match answer {
        Ok(answer) => answer,
        Err(no_answer) => {
            return Err(Failed::unanswered(no_answer, |fault| {
                unanswered(fault, timeout)
            }));
        }
    };
    let transient = Failure::Transient { retry_after };
    let (failure, problem) = match status.as_u16() {
        200 => match decode(&body) {
            Ok(value) => {
                return Ok(Answered {
                    value: Some(value),
                    request_id,
                });
            }
            Err(error @ JsonError::Truncated(_)) => (Failure::CutBody, Cause::unreadable(error)),
            Err(error) => (Failure::Final, Cause::unreadable(error)),
        },
        204 => {
            return Ok(Answered {
                value: None,
                request_id,
            });
        }
        401 => (Failure::Unauthorized, Cause::Unauthorized),
        403 => (
            Failure::Final,
            Cause::Forbidden {
                permission: endpoint.permission,
            },
        ),
        404 => (Failure::Final, Cause::NotFound),
        429 => (transient, Cause::Throttled { retry_after }),
        status @ (500 | 502 | 503 | 504) => (
            transient,
            Cause::Unavailable {
                status,
                retry_after,
            },
        ),
        status @ (501 | 505..600) => (
            Failure::Final,
            Cause::Unavailable {
                status,
                retry_after,
            },
        ),
        status @ 400..500 => (Failure::Final, Cause::BadRequest(status)),
        status @ 300..400 => (
            Failure::Final,
            Cause::Refused(format!("{status}: the API redirects elsewhere")),
        ),
        status => (Failure::Final, Cause::Decode(format!("status {status}"))),
    };
    Err(Failed {
        failure,
        problem,
        request_id,
    })
}

/// What a try without an answer means for people.
fn unanswered(fault: Fault, timeout: Duration) -> Cause {
    match fault {
        Fault::Timeout => Cause::Timeout { after: timeout },
        Fault::Connection(text) => Cause::Connection(text),
        Fault::Truncated => Cause::Truncated("inside its gzip encoding".to_owned()),
        Fault::Encoding(text) => Cause::Decode(text.to_owned()),
        Fault::TooLarge { max_bytes } => Cause::Limit(format!(
            "the answer is larger than {max_bytes} bytes; see elements.limits.response_bytes"
        )),
    }
}
