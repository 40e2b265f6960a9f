//! The access token in use: asked for once, shared by all, renewed ahead of its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::HeaderValue;
use tokio::time::Instant;

use crate::config;
use crate::domain::Clock;
use crate::upstream::retry::Policy;
use crate::upstream::stats::Stats;
use crate::upstream::transport::Transport;

use super::client_secret::{ClientSecret, Granted};
use super::error::TokenError;

/// The value of the label `credential`.
const CREDENTIAL: &str = "elements";

/// A token is renewed when a tenth of its life is left, but not earlier than this before its end.
const RENEW_AT_MOST_BEFORE: Duration = Duration::from_mins(5);

/// After a failed token request nothing is asked for so long, and all who want a token share that failure:
/// a thousand polls must not become a thousand refused sign-ins.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// Hands out access tokens.
#[derive(Debug)]
pub(in crate::upstream) struct TokenSource {
    credential: ClientSecret,
    state: Mutex<State>,
    /// Held while a token request is under way.
    requesting: tokio::sync::Mutex<()>,
    stats: Stats,
    clock: Clock,
}

/// An access token in use.
#[derive(Debug)]
pub(in crate::upstream) struct Token {
    granted: Granted,
    received: Instant,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Arc<Token>>,
    failure: Option<(TokenError, Instant)>,
}

impl Token {
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
            .filter(|(_, at)| at.elapsed() < PAUSE_AFTER_FAILURE);
        match &self.token {
            Some(token) if token.is_fresh() || (token.is_valid() && paused.is_some()) => {
                Some(Ok(Arc::clone(token)))
            }
            _ => paused.map(|(error, _)| Err(error.clone())),
        }
    }

    fn valid(&self) -> Option<Arc<Token>> {
        self.token
            .as_ref()
            .filter(|token| token.is_valid())
            .map(Arc::clone)
    }
}

impl TokenSource {
    pub(in crate::upstream) fn new(
        config: &config::Elements,
        permissions: &[&'static str],
        transport: Transport,
        policy: Policy,
        stats: Stats,
        clock: Clock,
    ) -> Self {
        Self {
            credential: ClientSecret::new(config, permissions, transport, policy, stats.clone()),
            state: Mutex::default(),
            requesting: tokio::sync::Mutex::default(),
            stats,
            clock,
        }
    }

    /// A token that is valid now. Who comes while one is being asked for waits for it, unless the one
    /// before is still valid.
    pub(in crate::upstream) async fn token(&self) -> Result<Arc<Token>, TokenError> {
        if let Some(current) = self.with_state(|state| state.current()) {
            return current;
        }
        let _guard = match self.with_state(|state| state.valid()) {
            Some(token) => match self.requesting.try_lock() {
                Ok(guard) => guard,
                Err(_) => return Ok(token),
            },
            None => self.requesting.lock().await,
        };
        if let Some(current) = self.with_state(|state| state.current()) {
            return current;
        }
        self.renew().await
    }

    /// Says that the API refuses this token; the next who asks gets another one.
    pub(in crate::upstream) fn reject(&self, refused: &Arc<Token>) {
        self.with_state(|state| state.token.take_if(|token| Arc::ptr_eq(token, refused)));
    }

    async fn renew(&self) -> Result<Arc<Token>, TokenError> {
        let outcome = self.credential.request().await;
        self.stats
            .token_requests
            .with_label_values(&[CREDENTIAL])
            .inc();
        self.stats
            .credential_up
            .with_label_values(&[CREDENTIAL])
            .set(outcome.is_ok().into());
        match outcome {
            Ok(granted) => {
                let expiry = self.clock.now().after(granted.life).as_secs_f64();
                self.stats
                    .token_expiry
                    .with_label_values(&[CREDENTIAL])
                    .set(expiry);
                let token = Arc::new(Token {
                    granted,
                    received: Instant::now(),
                });
                self.with_state(|state| {
                    *state = State {
                        token: Some(Arc::clone(&token)),
                        failure: None,
                    }
                });
                Ok(token)
            }
            Err(error) => {
                self.stats
                    .token_failures
                    .with_label_values(&[CREDENTIAL, error.problem.reason()])
                    .inc();
                tracing::warn!(reason = error.problem.reason(), %error, "token request failed");
                self.with_state(|state| {
                    state.failure = Some((error.clone(), Instant::now()));
                    state.valid().ok_or(error)
                })
            }
        }
    }

    fn with_state<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
