//! One question to a token service, with all its tries: how the client proves itself is joined with what it asks
//! for, sent, and the answer judged.

use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::config::HttpSettings;
use crate::domain::{Clock, Secret};
use crate::upstream::http::fault::Fault;
use crate::upstream::http::json::JsonError;
use crate::upstream::http::retry::{Failure, Policy};
use crate::upstream::http::stats::{Credential, Stats};
use crate::upstream::http::transport::{Answer, NoAnswer, Request, Transport};
use crate::upstream::http::tries::{Failed, Tries};
use crate::upstream::http::verdict::{Answered, verdict};

use super::answer::{AccessToken, Codes, Granted, granted};
use super::error::{Problem, TokenError};
use super::proof::Proof;

/// The route of token requests in metrics and logs; the real path is the operator's.
const ROUTE: &str = "token";

/// A token's answer is about a kilobyte; this leaves room for large tokens.
const MAX_BYTES: usize = 256 * 1024;

/// A token service, and who asks it.
#[derive(Debug, Clone)]
pub(super) struct TokenService {
    pub(super) credential: Credential,
    pub(super) proof: Proof,
    pub(super) token_url: Url,
    /// Separated by spaces.
    pub(super) scopes: String,
    pub(super) timeout: Duration,
    pub(super) policy: Policy,
    pub(super) transport: Transport,
    pub(super) stats: Stats,
    pub(super) clock: Clock,
}

/// What a token is asked for with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Grant<'a> {
    /// In the app's own name.
    ClientCredentials,
    /// In the name of the user who consented.
    RefreshToken(&'a Secret),
}

/// No token.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) error: TokenError,
    /// Whether a try may have been carried out without its answer coming through.
    pub(super) in_doubt: bool,
}

impl TokenService {
    /// A token service at this address. `http` has its deadlines.
    pub(super) fn new(
        credential: Credential,
        proof: Proof,
        token_url: &Url,
        scopes: String,
        http: &HttpSettings,
        transport: Transport,
    ) -> Self {
        Self {
            credential,
            proof,
            token_url: token_url.clone(),
            scopes,
            timeout: http.timeout,
            policy: Policy::new(http.retry_deadline),
            stats: transport.stats.clone(),
            clock: transport.clock.clone(),
            transport,
        }
    }

    /// Asks for a token, again where that can help.
    pub(super) async fn ask(&self, grant: Grant<'_>) -> Result<Granted, Denied> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let api = self.credential.identity();
        let mut in_doubt = false;
        let mut tries = Tries::new(&self.policy, &self.stats, api, ROUTE);
        loop {
            let timeout = tries.begin(self.timeout);
            // Made for each try, since an assertion is good for one only.
            let body = self.body(grant).map_err(|problem| Denied {
                error: self.error(problem),
                in_doubt,
            })?;
            let request = Request {
                api,
                route: ROUTE,
                method: Method::POST,
                url: self.token_url.clone(),
                headers: headers.clone(),
                body: body.expose().as_bytes(),
                max_bytes: MAX_BYTES,
                timeout,
            };
            let failed = match self.judge(self.transport.send(request).await, timeout) {
                Ok(granted) => return Ok(granted),
                Err(failed) => failed,
            };
            in_doubt |= failed.problem.leaves_doubt();
            let reason = failed.problem.reason();
            tries
                .failed(failed, reason)
                .await
                .map_err(|failed| Denied {
                    error: TokenError {
                        request_id: failed.request_id,
                        ..self.error(failed.problem)
                    },
                    in_doubt,
                })?;
        }
    }

    /// The access token of the grant, if it is of use.
    pub(super) fn access_token(&self, granted: Granted) -> Result<AccessToken, TokenError> {
        granted.access_token.map_err(|error| match error {
            JsonError::Truncated(text) | JsonError::TooMuch(text) | JsonError::Unexpected(text) => {
                self.error(Problem::Decode(text))
            }
        })
    }

    /// An error of this service that no answer was about.
    pub(super) fn error(&self, problem: Problem) -> TokenError {
        TokenError {
            credential: self.credential,
            problem,
            request_id: None,
            repeated: false,
        }
    }

    fn body(&self, grant: Grant<'_>) -> Result<Secret, Problem> {
        let proof = self.proof.fields(self.clock.now())?;
        let mut form = Serializer::new(String::new());
        match grant {
            Grant::ClientCredentials => {
                form.append_pair("grant_type", "client_credentials");
            }
            Grant::RefreshToken(token) => {
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("refresh_token", token.expose());
            }
        }
        for (name, value) in &proof {
            form.append_pair(name, value.expose());
        }
        form.append_pair("scope", &self.scopes);
        Ok(Secret::from(form.finish()))
    }

    pub(super) fn judge(
        &self,
        answer: Result<Answer, NoAnswer>,
        timeout: Duration,
    ) -> Result<Granted, Failed<Problem>> {
        let codes = answer
            .as_ref()
            .map_or_else(|_| Codes::default(), |answer| Codes::read(&answer.body));
        // The code says so, whatever the status is: some services send it with a 200.
        if let Ok(answer) = &answer
            && codes.is_passing()
        {
            let (status, retry_after) = (answer.status.as_u16(), answer.retry_after);
            return Err(Failed {
                failure: Failure::Transient { retry_after },
                problem: Problem::Unavailable {
                    status,
                    retry_after,
                    codes,
                },
                request_id: answer.request_id.clone(),
            });
        }
        Err(match verdict(answer, granted) {
            Ok(Answered {
                value: Some(granted),
                ..
            }) => return Ok(granted),
            Ok(Answered { request_id, .. }) => Failed {
                failure: Failure::Final,
                problem: Problem::Status { status: 204, codes },
                request_id,
            },
            Err(failed) => failed.map(|fault| self.problem(fault, codes, timeout)),
        })
    }

    /// The fault of a try in words for people, with the codes of its answer. The try had `timeout` to end.
    fn problem(&self, fault: Fault, codes: Codes, timeout: Duration) -> Problem {
        match fault {
            Fault::Timeout(peer) => Problem::Timeout {
                peer,
                after: timeout,
            },
            Fault::Connection(peer, why) => Problem::Connection(peer, why),
            Fault::Untrusted(peer, why) => Problem::Untrusted(peer, why),
            Fault::TooLarge { .. } => Problem::TooLarge,
            // Some services send their refusals with a 200.
            Fault::Unreadable(_) if codes.error().is_some() => self.refused(200, codes),
            Fault::Unreadable(JsonError::Truncated(place)) => {
                Problem::Decode(format!("it ends {place}"))
            }
            Fault::Unreadable(JsonError::TooMuch(text) | JsonError::Unexpected(text)) => {
                Problem::Decode(text)
            }
            Fault::Throttled {
                status,
                retry_after,
            } => Problem::Throttled {
                status,
                retry_after,
                codes,
            },
            Fault::Unavailable {
                status,
                retry_after,
            } => Problem::Unavailable {
                status,
                retry_after,
                codes,
            },
            Fault::Redirect(_) => Problem::Redirect,
            Fault::Status(status, _) => self.refused(status, codes),
        }
    }

    /// The meaning of a refusal, by the closed list of error codes in RFC 6749, section 5.2, and by those of `OpenID`
    /// Connect (Core, section 3.1.2.6) with which Microsoft says that a person must sign in or consent again.
    fn refused(&self, status: u16, codes: Codes) -> Problem {
        match codes.error() {
            Some("invalid_client" | "unauthorized_client") => Problem::InvalidClient {
                proof: self.proof.name(),
                codes,
            },
            Some("invalid_scope") => Problem::InvalidScope {
                scopes: self.scopes.clone(),
                codes,
            },
            Some(
                "invalid_grant" | "interaction_required" | "consent_required" | "login_required",
            ) => Problem::InvalidGrant(codes),
            _ => Problem::Status { status, codes },
        }
    }
}

impl Problem {
    /// Whether the service may have done what it was asked for.
    pub(super) fn leaves_doubt(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. }
                | Self::Timeout { .. }
                | Self::Connection(..)
                | Self::Decode(_)
                | Self::TooLarge
        )
    }
}
