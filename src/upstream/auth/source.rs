//! The access token in use: asked for once, shared by all, renewed ahead of its end.

use std::collections::BTreeMap;
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::HeaderValue;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use crate::config::{self, HttpSettings};
#[cfg(test)]
use crate::upstream::http::stats::Stats;
use crate::upstream::http::stats::{Credential, Expiring};
use crate::upstream::http::transport::Transport;

use super::answer::AccessToken;
use super::error::TokenError;
use super::proof::Proof;
use super::refresh_token::RefreshTokenFile;
use super::service::{Grant, TokenService};

/// A token is renewed when a tenth of its life is left, but not earlier than this before its end.
const RENEW_AT_MOST_BEFORE: Duration = Duration::from_mins(5);

/// The pause after a failed token request. Until it ends, every request for a token gets the same failure:
/// a thousand polls must not become a thousand refused sign-ins. For the same reason only one token that the
/// API never accepted is thrown away in that time.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// The longest such pause that a token service may ask for: an answer that asks for a year is a mistake.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// The same after a refused scope: an administrator must act first, and the other polls go on meanwhile.
const PAUSE_AFTER_REFUSED_SCOPE: Duration = Duration::from_mins(1);

/// Hands out access tokens for one list of scopes.
#[derive(Debug, Clone)]
pub(in crate::upstream) struct TokenSource(Arc<Inner>);

/// What is shown of a credential.
#[derive(Debug, Default)]
struct Shown {
    /// The lists of scopes whose last token request failed, and why: as a word of the closed list, and for people.
    failing: BTreeMap<String, (&'static str, String)>,
    /// Whether another client is in force. What still comes of requests from before is not shown any more.
    is_retired: bool,
}

#[derive(Debug)]
struct Inner {
    service: TokenService,
    /// What is exchanged for access tokens; `None` where the app asks in its own name.
    refresh_token: Option<Arc<RefreshTokenFile>>,
    /// The same for all lists of scopes of the same credential.
    shown: Arc<Mutex<Shown>>,
    state: Mutex<State>,
    /// Held while a token request is under way.
    requesting: Arc<tokio::sync::Mutex<()>>,
}

/// An access token in use.
#[derive(Debug)]
pub(in crate::upstream) struct Token {
    granted: AccessToken,
    received: Instant,
    /// Whether a request succeeded with it.
    accepted: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Arc<Token>>,
    failure: Option<(TokenError, Instant)>,
    /// When a token was last thrown away with which no request had succeeded.
    wasted: Option<Instant>,
}

impl Token {
    fn new(granted: AccessToken) -> Self {
        Self {
            granted,
            received: Instant::now(),
            accepted: AtomicBool::new(false),
        }
    }

    /// Says that a request succeeded with it.
    pub(in crate::upstream) fn was_accepted(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    /// The value of the header `Authorization`.
    pub(in crate::upstream) fn header(&self) -> HeaderValue {
        self.granted.header.clone()
    }

    fn is_valid(&self) -> bool {
        self.received.elapsed() < self.granted.life
    }

    fn is_fresh(&self) -> bool {
        let renew_before = (self.granted.life / 10).min(RENEW_AT_MOST_BEFORE);
        self.received.elapsed() + renew_before < self.granted.life
    }
}

impl State {
    /// The token, or the shared failure; `None` when it is time to ask.
    fn current(&self) -> Option<Result<Arc<Token>, TokenError>> {
        let paused = self
            .failure
            .as_ref()
            .filter(|(error, at)| at.elapsed() < pause_after(error));
        match &self.token {
            Some(token) if token.is_fresh() || (token.is_valid() && paused.is_some()) => {
                Some(Ok(Arc::clone(token)))
            }
            _ => paused.map(|(error, _)| Err(error.clone())),
        }
    }

    /// Throws this token away, unless it is not in use any more, or the API refuses every token.
    fn reject(&mut self, refused: &Arc<Token>) {
        let in_use = self
            .token
            .as_ref()
            .is_some_and(|token| Arc::ptr_eq(token, refused));
        if !in_use {
            return;
        }
        if !refused.accepted.load(Ordering::Relaxed) {
            let just_wasted = |at: Instant| at.elapsed() < PAUSE_AFTER_FAILURE;
            if self.wasted.is_some_and(just_wasted) {
                return;
            }
            self.wasted = Some(Instant::now());
        }
        self.token = None;
    }

    fn valid(&self) -> Option<Arc<Token>> {
        self.token
            .as_ref()
            .filter(|token| token.is_valid())
            .map(Arc::clone)
    }
}

/// How long nothing is asked after this failure.
fn pause_after(error: &TokenError) -> Duration {
    if error.refuses_scope() {
        return PAUSE_AFTER_REFUSED_SCOPE;
    }
    let asked = error.problem.retry_after().unwrap_or_default();
    asked.clamp(PAUSE_AFTER_FAILURE, LONGEST_PAUSE)
}

impl TokenSource {
    /// Tokens of Microsoft Partner Center, for the user whose refresh token this is.
    pub(in crate::upstream) fn for_partner_center(
        config: &config::PartnerCenter,
        refresh_token: Arc<RefreshTokenFile>,
        http: &HttpSettings,
        transport: Transport,
    ) -> Self {
        let service = TokenService::new(
            Credential::PartnerCenter,
            Proof::new(&config.client_id, &config.credential, &config.token_url),
            &config.token_url,
            config.scope.clone(),
            http,
            transport,
        );
        // The process before this one may have stored it, weeks ago.
        if let Some(written) = refresh_token.written() {
            let rotation = &service.stats.refresh_token_rotation;
            rotation
                .with_label_values(&[service.credential.as_str()])
                .set(written.as_secs_f64());
        }
        Self::new(service, Some(refresh_token))
    }

    /// Tokens of this service, for the user whose refresh token this is, or for the app itself.
    pub(super) fn new(service: TokenService, refresh_token: Option<Arc<RefreshTokenFile>>) -> Self {
        service.stats.begin_credential(service.credential);
        let certificate = service.proof.certificate().map(|certificate| Expiring {
            file: certificate.file.clone(),
            at: certificate.not_after,
        });
        service
            .stats
            .show_certificate(service.credential, certificate);
        Self(Arc::new(Inner {
            service,
            refresh_token,
            shown: Arc::default(),
            state: Mutex::default(),
            requesting: Arc::default(),
        }))
    }

    /// Tokens of the same credential for a part of its scopes, which this source will not be asked for any more.
    pub(super) fn narrowed(&self, scopes: String) -> Self {
        let inner = &self.0;
        inner.shown().failing.remove(self.scopes());
        Self(Arc::new(Inner {
            service: TokenService {
                scopes,
                ..inner.service.clone()
            },
            refresh_token: inner.refresh_token.clone(),
            shown: Arc::clone(&inner.shown),
            state: Mutex::default(),
            requesting: Arc::default(),
        }))
    }

    /// Says that another client is in force, or none: a request that is under way may fail a minute later, and says
    /// nothing of the credential that is in use then.
    pub(super) fn retire(&self) {
        self.0.shown().is_retired = true;
    }

    /// The scopes of its tokens, separated by spaces.
    pub(super) fn scopes(&self) -> &str {
        &self.0.service.scopes
    }

    /// What it counts in.
    #[cfg(test)]
    pub(super) fn stats(&self) -> &Stats {
        &self.0.service.stats
    }

    /// Whether both are the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A token that is valid now. Where there is none, all wait for the same request; while there is one, nobody
    /// waits for the next, which is asked for meanwhile.
    pub(in crate::upstream) async fn token(&self) -> Result<Arc<Token>, TokenError> {
        let inner = &self.0;
        if let Some(refresh_token) = &inner.refresh_token {
            let was_unsaved = refresh_token.is_unsaved();
            refresh_token.tend(&inner.service);
            if was_unsaved && !refresh_token.is_unsaved() {
                inner.show();
            }
        }
        if let Some(current) = inner.with_state(|state| state.current()) {
            return current;
        }
        let requesting = Arc::clone(&inner.requesting);
        let valid = inner.with_state(|state| state.valid());
        let guard = match &valid {
            Some(token) => match requesting.try_lock_owned() {
                Ok(guard) => guard,
                Err(_) => return Ok(Arc::clone(token)),
            },
            None => requesting.lock_owned().await,
        };
        if let Some(current) = inner.with_state(|state| state.current()) {
            return current;
        }
        // In a task of its own, since a poll may be cancelled, and a refresh token's exchange must not be.
        let renewal = Arc::clone(inner).renew(guard);
        let renewal = match &inner.refresh_token {
            Some(refresh_token) => refresh_token.spawn(renewal),
            None => tokio::spawn(renewal),
        };
        if let Some(token) = valid {
            return Ok(token);
        }
        match renewal.await {
            Ok(token) => token,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime is about to end, and this task too.
                Err(_) => pending().await,
            },
        }
    }

    /// Says that the API refuses this token; the next request gets another one, if that may help.
    pub(in crate::upstream) fn reject(&self, refused: &Arc<Token>) {
        self.0.with_state(|state| state.reject(refused));
    }
}

impl Inner {
    async fn renew(
        self: Arc<Self>,
        _requesting: OwnedMutexGuard<()>,
    ) -> Result<Arc<Token>, TokenError> {
        let TokenService { stats, clock, .. } = &self.service;
        let outcome = match &self.refresh_token {
            Some(refresh_token) => refresh_token.exchange(&self.service).await,
            None => self
                .service
                .ask(Grant::ClientCredentials)
                .await
                .map_err(|denied| denied.error)
                .and_then(|granted| self.service.access_token(granted)),
        };
        let credential = self.service.credential.as_str();
        if outcome.as_ref().err().is_none_or(|error| !error.repeated) {
            stats.token_requests.with_label_values(&[credential]).inc();
        }
        let reason_before = match &outcome {
            Ok(_) => self.shown().failing.remove(&self.service.scopes),
            Err(error) => self.shown().failing.insert(
                self.service.scopes.clone(),
                (error.problem.reason(), error.to_string()),
            ),
        };
        if outcome.is_ok() && reason_before.is_some() {
            tracing::info!(parent: None, credential, "token requests succeed again");
        }
        self.show();
        match outcome {
            Ok(granted) => {
                let shown = self.shown();
                if !shown.is_retired {
                    let expiry = clock.now().after(granted.life).as_secs_f64();
                    let gauge = stats.token_expiry.with_label_values(&[credential]);
                    gauge.set(expiry);
                }
                drop(shown);
                let token = Arc::new(Token::new(granted));
                self.with_state(|state| {
                    state.token = Some(Arc::clone(&token));
                    state.failure = None;
                });
                Ok(token)
            }
            Err(error) => {
                let reason = error.problem.reason();
                if !error.repeated {
                    stats
                        .token_failures
                        .with_label_values(&[credential, reason])
                        .inc();
                    // Of no tenant, though one of their polls was the one to ask.
                    tracing::warn!(parent: None, credential, reason, %error, "token request failed");
                }
                self.with_state(|state| state.failure = Some((error.clone(), Instant::now())));
                Err(error)
            }
        }
    }

    /// Shows why the last token request of each list of scopes failed, and whether the refresh token is in memory alone.
    fn show(&self) {
        let is_unsaved = |token: &Arc<RefreshTokenFile>| token.is_unsaved();
        let is_unsaved = self.refresh_token.as_ref().is_some_and(is_unsaved);
        // Held until it is shown, so that nothing is after `retire`.
        let shown = self.shown();
        if shown.is_retired {
            return;
        }
        let failing: Vec<_> = shown.failing.values().cloned().collect();
        let TokenService {
            credential,
            stats,
            clock,
            ..
        } = &self.service;
        stats.show_credential(*credential, &failing, is_unsaved, clock.now());
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_state<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::auth::answer::Codes;
    use crate::upstream::auth::error::Problem;

    const HOUR: u64 = 3600;

    fn state(life: u64) -> (State, Arc<Token>) {
        let token = token(life);
        let state = State {
            token: Some(Arc::clone(&token)),
            ..State::default()
        };
        (state, token)
    }

    fn token(life: u64) -> Arc<Token> {
        Arc::new(Token::new(AccessToken {
            header: HeaderValue::from_static("Bearer x"),
            life: Duration::from_secs(life),
        }))
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    fn is_used(state: &State) -> bool {
        matches!(state.current(), Some(Ok(_)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_five_minutes_or_a_tenth_of_its_life_ahead_of_its_end() {
        for (life, renewed_after) in [(HOUR, HOUR - 300), (1000, 900), (10, 9)] {
            let (state, _) = state(life);
            pass(renewed_after - 1).await;
            assert!(is_used(&state), "{life}");
            pass(1).await;
            assert!(state.current().is_none(), "{life}");
            assert!(
                state.valid().is_some(),
                "it serves while another is asked for"
            );
            pass(life - renewed_after).await;
            assert!(state.valid().is_none(), "{life}");
        }
    }

    fn fail(state: &mut State, problem: Problem) {
        let error = TokenError {
            credential: Credential::Elements,
            problem,
            request_id: None,
            repeated: false,
        };
        state.failure = Some((error, Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_asks_for_time_is_given_up_to_an_hour() {
        let seconds = Duration::from_secs;
        for (asked, given) in [
            (None, 10),
            (Some(1), 10),
            (Some(90), 90),
            (Some(9000), HOUR),
        ] {
            let retry_after = asked.map(seconds);
            let unavailable = Problem::Unavailable {
                status: 503,
                retry_after,
                codes: Codes::default(),
            };
            let throttled = Problem::Throttled {
                status: 429,
                retry_after,
                codes: Codes::default(),
            };
            for problem in [throttled, unavailable] {
                let mut state = State::default();
                fail(&mut state, problem);
                pass(given - 1).await;
                assert!(matches!(state.current(), Some(Err(_))), "{asked:?}");
                pass(1).await;
                assert!(state.current().is_none(), "{asked:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_request_is_shared_for_ten_seconds_and_a_valid_token_used_meanwhile() {
        let (mut state, _) = state(HOUR);
        pass(HOUR - 100).await;
        fail(&mut state, Problem::RefreshTokenFile(String::new()));
        assert!(is_used(&state), "it is due for renewal, but still valid");
        pass(10).await;
        assert!(state.current().is_none());
        pass(90).await;
        fail(&mut state, Problem::RefreshTokenFile(String::new()));
        pass(9).await;
        assert!(matches!(state.current(), Some(Err(_))));
        pass(1).await;
        assert!(state.current().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_thrown_away_once() {
        let (mut state, first) = state(HOUR);
        first.was_accepted();
        state.reject(&first);
        assert!(state.token.is_none());
        let second = token(HOUR);
        second.was_accepted();
        state.token = Some(Arc::clone(&second));
        state.reject(&first);
        assert!(
            is_used(&state),
            "a late refusal of the first says nothing of the second"
        );
        state.reject(&second);
        assert!(state.token.is_none(), "it was good once, so it has died");
    }

    #[tokio::test(start_paused = true)]
    async fn one_token_in_ten_seconds_is_thrown_away_that_was_never_accepted() {
        let (mut state, mut refused) = state(HOUR);
        state.reject(&refused);
        assert!(state.token.is_none());
        for _ in 0..3 {
            refused = token(HOUR);
            state.token = Some(Arc::clone(&refused));
            pass(9).await;
            state.reject(&refused);
            assert!(is_used(&state));
            pass(1).await;
            state.reject(&refused);
            assert!(state.token.is_none());
        }
    }
}
