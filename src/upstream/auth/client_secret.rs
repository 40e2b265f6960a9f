//! OAuth 2.0 client credentials with a client secret. Source: AvePoint's documentation of its token service.

use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::de::MapAccess;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::config;
use crate::domain::Secret;
use crate::upstream::json::{self, Fields, JsonError, Text};
use crate::upstream::retry::{Failure, Policy};
use crate::upstream::stats::{Api, Stats};
use crate::upstream::transport::{Answer, Fault, NoAnswer, Request, Transport};
use crate::upstream::tries::{Failed, Tries};

use super::error::{Problem, TokenError};

/// The route of token requests in metrics and logs; the real path is the operator's.
const ROUTE: &str = "token";

/// A token's answer is about a kilobyte; this leaves room for large tokens.
const MAX_BYTES: usize = 256 * 1024;

/// The life of a token whose answer does not tell it. Short, since the documented one is an hour: a token
/// used too long costs a failed request each time.
const DEFAULT_LIFE: Duration = Duration::from_mins(5);

/// Lives are cut to this range: no answer, however wrong, keeps a token for ever, or has every request to the
/// API preceded by one for a token.
const LIVES: [Duration; 2] = [Duration::from_secs(1), Duration::from_hours(24)];

/// A token as the service handed it out.
#[derive(Debug)]
pub(super) struct Granted {
    /// `Bearer …`, marked as sensitive.
    pub(super) header: HeaderValue,
    pub(super) life: Duration,
}

/// Asks for tokens with a client id and its secret.
#[derive(Debug)]
pub(super) struct ClientSecret {
    token_url: Url,
    client_id: String,
    secret: Secret,
    scopes: String,
    timeout: Duration,
    policy: Policy,
    transport: Transport,
    stats: Stats,
}

impl ClientSecret {
    pub(super) fn new(
        config: &config::Elements,
        permissions: &[&'static str],
        transport: Transport,
        policy: Policy,
        stats: Stats,
    ) -> Self {
        let config::ClientCredential::Secret(secret) = &config.credential;
        Self {
            token_url: config.token_url.clone(),
            client_id: config.client_id.clone(),
            secret: secret.clone(),
            scopes: permissions.join(" "),
            timeout: config.http.timeout,
            policy,
            transport,
            stats,
        }
    }

    /// Asks for a token, again where that can help.
    pub(super) async fn request(&self) -> Result<Granted, TokenError> {
        let body = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.secret.expose())
            .append_pair("scope", &self.scopes)
            .finish();
        let body = Secret::from(body);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );

        let mut tries = Tries::new(&self.policy, &self.stats, Api::ElementsIdentity, ROUTE);
        loop {
            let timeout = tries.begin(self.timeout);
            let request = Request {
                api: Api::ElementsIdentity,
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
            let reason = failed.problem.reason();
            tries.failed(failed, reason).await.map_err(
                |Failed {
                     problem,
                     request_id,
                     ..
                 }| TokenError {
                    problem,
                    request_id,
                },
            )?;
        }
    }

    fn judge(
        &self,
        answer: Result<Answer, NoAnswer>,
        timeout: Duration,
    ) -> Result<Granted, Failed<Problem>> {
        let Answer {
            status,
            request_id,
            retry_after,
            body,
        } = match answer {
            Ok(answer) => answer,
            Err(no_answer) => {
                let failure = no_answer.failure();
                let NoAnswer { fault, request_id } = no_answer;
                return Err(Failed {
                    failure,
                    problem: unanswered(fault, timeout),
                    request_id,
                });
            }
        };
        let (failure, problem) = match status.as_u16() {
            200 => match granted(&body) {
                Ok(granted) => return Ok(granted),
                Err(JsonError::Truncated(place)) => (
                    Failure::CutBody,
                    Problem::Decode(format!("it ends {place}")),
                ),
                Err(JsonError::TooMuch(text) | JsonError::Unexpected(text)) => {
                    (Failure::Final, Problem::Decode(text))
                }
            },
            429 => (
                Failure::Transient { retry_after },
                Problem::Throttled { retry_after },
            ),
            status @ (500 | 502 | 503 | 504) => (
                Failure::Transient { retry_after },
                Problem::Unavailable {
                    status,
                    retry_after,
                },
            ),
            status @ 500..600 => (
                Failure::Final,
                Problem::Unavailable {
                    status,
                    retry_after,
                },
            ),
            300..400 => (Failure::Final, Problem::Redirect),
            status => (Failure::Final, self.refused(status, &body)),
        };
        Err(Failed {
            failure,
            problem,
            request_id,
        })
    }

    /// What a refusal means, by the closed list of error codes in RFC 6749, section 5.2.
    fn refused(&self, status: u16, body: &[u8]) -> Problem {
        let refusal: Refusal<'_> = json::read(body).unwrap_or_default();
        match refusal.error.as_ref().map(|error| error.0.as_ref()) {
            Some("invalid_client" | "unauthorized_client") => Problem::InvalidClient,
            Some("invalid_scope") => Problem::InvalidScope {
                scopes: self.scopes.clone(),
            },
            Some("invalid_grant") => Problem::InvalidGrant,
            _ => Problem::Status(status),
        }
    }
}

/// What a try without an answer means for people.
fn unanswered(fault: Fault, timeout: Duration) -> Problem {
    match fault {
        Fault::Timeout => Problem::Timeout(timeout),
        Fault::Connection(text) => Problem::Connection(text),
        Fault::Truncated => Problem::Decode("it ends inside its gzip encoding".to_owned()),
        Fault::Encoding(text) => Problem::Decode(text.to_owned()),
        Fault::TooLarge { .. } => Problem::TooLarge,
    }
}

fn granted(body: &[u8]) -> Result<Granted, JsonError> {
    let unexpected = |text: &str| JsonError::Unexpected(text.to_owned());
    let grant: Grant<'_> = json::read(body)?;
    let token = grant
        .access_token
        .ok_or_else(|| unexpected("it holds no access_token"))?;
    if grant
        .token_type
        .is_some_and(|kind| !kind.0.eq_ignore_ascii_case("bearer"))
    {
        return Err(unexpected("its token_type is not Bearer"));
    }
    let header = Secret::from(format!("Bearer {}", token.0));
    let mut header = HeaderValue::from_str(header.expose())
        .map_err(|_| unexpected("its access_token does not fit a header"))?;
    header.set_sensitive(true);
    let life = grant
        .expires_in
        .map_or(DEFAULT_LIFE, Duration::from_secs)
        .clamp(LIVES[0], LIVES[1]);
    Ok(Granted { header, life })
}

/// A token request's success.
#[derive(Default)]
struct Grant<'de> {
    access_token: Option<Text<'de>>,
    token_type: Option<Text<'de>>,
    expires_in: Option<u64>,
}

impl<'de> Fields<'de> for Grant<'de> {
    const EXPECTED: &'static str = "a token";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "access_token" => self.access_token = map.next_value()?,
            "token_type" => self.token_type = map.next_value()?,
            "expires_in" => self.expires_in = map.next_value()?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// A token request's refusal. Its description is not read: it is free text.
#[derive(Default)]
struct Refusal<'de> {
    error: Option<Text<'de>>,
}

impl<'de> Fields<'de> for Refusal<'de> {
    const EXPECTED: &'static str = "an error";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "error" => self.error = map.next_value()?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_marked_as_sensitive_and_lives_as_long_as_it_says() {
        let token =
            granted(br#"{"access_token": "abc", "expires_in": 3600, "token_type": "Bearer"}"#)
                .unwrap();
        assert_eq!(
            (token.header.to_str().unwrap(), token.life.as_secs()),
            ("Bearer abc", 3600)
        );
        assert_eq!(format!("{:?}", token.header), "Sensitive");
        assert_eq!(
            granted(br#"{"access_token": "abc"}"#).unwrap().life,
            DEFAULT_LIFE
        );
        let for_ever = granted(br#"{"access_token": "abc", "expires_in": 18446744073709551615}"#);
        assert_eq!(for_ever.unwrap().life, LIVES[1]);
        let no_time = granted(br#"{"access_token": "abc", "expires_in": 0}"#);
        assert_eq!(no_time.unwrap().life, LIVES[0]);
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_quoted() {
        for body in [
            r#"{"token_type": "Bearer"}"#,
            r#"{"access_token": "hunter2\n"}"#,
            r#"{"access_token": "hunter2", "token_type": "mac"}"#,
            r#"{"access_token": ["hunter2"]}"#,
            r#"{"access_token": "x", "expires_in": "hunter2"}"#,
        ] {
            let Err(JsonError::Unexpected(text)) = granted(body.as_bytes()) else {
                panic!("{body}")
            };
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
