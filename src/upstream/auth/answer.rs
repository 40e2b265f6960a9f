//! What a token service answers: a token, or why there is none. RFC 6749, sections 5.1 and 5.2.

use std::fmt;
use std::time::Duration;

use http::header::HeaderValue;
use serde_json::Value;

use crate::domain::Secret;
use crate::upstream::http::json::{self, JsonError, Text, wire};

/// The life of a token whose answer does not tell it. Short, since the documented one is an hour: a token
/// used too long costs a failed request each time.
const DEFAULT_LIFE: Duration = Duration::from_mins(5);

/// Lives are cut to this range: no answer, however wrong, keeps a token for ever, or has every request to the
/// API preceded by one for a token.
const LIVES: [Duration; 2] = [Duration::from_secs(1), Duration::from_hours(24)];

/// What the service handed out.
#[derive(Debug)]
pub(super) struct Granted {
    /// What is wrong with it, where it is of no use: that is no reason to lose the refresh token beside it.
    pub(super) access_token: Result<AccessToken, JsonError>,
    /// The refresh token to use from now on, where the service gave one.
    pub(super) refresh_token: Option<Secret>,
}

/// An access token as the service handed it out.
#[derive(Debug)]
pub(super) struct AccessToken {
    /// `Bearer …`, marked as sensitive.
    pub(super) header: HeaderValue,
    pub(super) life: Duration,
}

/// Reads a success: a token of one kind, or of both.
pub(super) fn granted(body: &[u8]) -> Result<Granted, JsonError> {
    match (access_token(body), refresh_token(body)?) {
        (Err(error), None) => Err(error),
        (access_token, refresh_token) => Ok(Granted {
            access_token,
            refresh_token,
        }),
    }
}

fn unexpected(text: &str) -> JsonError {
    JsonError::Unexpected(text.to_owned())
}

fn access_token(body: &[u8]) -> Result<AccessToken, JsonError> {
    let grant: AccessGrant<'_> = json::read(body)?;
    let token = grant
        .access_token
        .ok_or_else(|| unexpected("it contains no access_token"))?;
    if token.0.trim().is_empty() {
        return Err(unexpected("its access_token is empty"));
    }
    if grant
        .token_type
        .is_some_and(|kind| !kind.0.eq_ignore_ascii_case("bearer"))
    {
        return Err(unexpected("its token_type is not Bearer"));
    }
    let header = Secret::from(format!("Bearer {}", token.0));
    let mut header = HeaderValue::from_str(header.expose())
        .map_err(|_| unexpected("its access_token is not a valid header value"))?;
    header.set_sensitive(true);
    let life = seconds(&grant.expires_in)
        .map_or(DEFAULT_LIFE, Duration::from_secs)
        .clamp(LIVES[0], LIVES[1]);
    Ok(AccessToken { header, life })
}

/// A number of seconds, which some services write as text.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn refresh_token(body: &[u8]) -> Result<Option<Secret>, JsonError> {
    let grant: RefreshGrant<'_> = json::read(body)?;
    let token = grant.refresh_token.map(|token| token.0.into_owned());
    // It is kept as a line of a file, so it must be one.
    match token {
        Some(token) if token.trim().is_empty() || token.contains(char::is_control) => {
            Err(unexpected("its refresh_token is not one line of text"))
        }
        token => Ok(token.map(Secret::from)),
    }
}

wire! {
    /// What a success says of the access token.
    struct AccessGrant<'de>: "a token" {
        "access_token" => access_token: Option<Text<'de>>,
        "token_type" => token_type: Option<Text<'de>>,
        "expires_in" => expires_in: Value,
    }
}

wire! {
    /// What a success says of the refresh token. Read apart, so that nothing odd elsewhere in the answer loses it.
    struct RefreshGrant<'de>: "a token" {
        "refresh_token" => refresh_token: Option<Text<'de>>,
    }
}

wire! {
    /// A token request's refusal. Its description is not read: it is free text, and can hold names.
    struct Refusal<'de>: "an error" {
        "error" => error: Option<Text<'de>>,
        "error_codes" => numbers: Value,
    }
}

/// The most characters of an error code. Those of OAuth 2 have up to 27.
const CODE_CHARS: usize = 64;

/// The most numbers of one refusal that are shown.
const NUMBERS: usize = 4;

/// Microsoft's numbers have five to seven digits. A longer one may be a telephone number.
const NUMBERS_BELOW: u64 = 10_000_000;

/// The codes of a refusal, as far as they look like such: everything else in it can be personal data. For the end of
/// a message, since there may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Codes(Vec<String>);

/// What Microsoft's documentation puts before the numbers.
const NUMBER: &str = "AADSTS";

impl Codes {
    /// Those of the refusal with this body; none if it cannot be read, or is a token.
    pub(super) fn read(body: &[u8]) -> Self {
        if granted(body).is_ok() {
            return Self::default();
        }
        let Refusal { error, numbers } = json::read(body).unwrap_or_default();
        let is_code = |text: &String| {
            (1..=CODE_CHARS).contains(&text.len())
                && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'))
        };
        let error = error.map(|Text(text)| text.into_owned()).filter(is_code);
        let numbers = numbers.as_array().into_iter().flatten();
        let numbers = numbers
            .filter_map(Value::as_u64)
            .filter(|number| *number < NUMBERS_BELOW)
            .take(NUMBERS)
            .map(|number| format!("{NUMBER}{number}"));
        Self(error.into_iter().chain(numbers).collect())
    }

    /// The code `error`.
    pub(super) fn error(&self) -> Option<&str> {
        let code = self.0.first()?;
        (!code.starts_with(NUMBER)).then_some(code)
    }

    /// Whether the problem passes by itself.
    pub(super) fn is_passing(&self) -> bool {
        self.error().is_some_and(|code| PASSING.contains(&code))
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            [] => Ok(()),
            codes => write!(f, " ({})", codes.join(", ")),
        }
    }
}

/// The error codes of problems that pass by themselves: RFC 6749, section 4.1.2.1, whose first one Microsoft documents
/// for token requests too, and RFC 8628, section 3.5.
const PASSING: [&str; 3] = ["temporarily_unavailable", "server_error", "slow_down"];

#[cfg(test)]
mod tests {
    use super::*;

    fn access(body: &str) -> AccessToken {
        granted(body.as_bytes()).unwrap().access_token.unwrap()
    }

    #[test]
    fn a_token_is_marked_as_sensitive_and_lives_as_long_as_it_says() {
        let token =
            access(r#"{"access_token": "abc", "expires_in": 3600, "token_type": "Bearer"}"#);
        assert_eq!(
            (token.header.to_str().unwrap(), token.life.as_secs()),
            ("Bearer abc", 3600)
        );
        assert_eq!(format!("{:?}", token.header), "Sensitive");
        assert_eq!(access(r#"{"access_token": "abc"}"#).life, DEFAULT_LIFE);
        for (expires_in, life) in [
            ("18446744073709551615", LIVES[1]),
            ("0", LIVES[0]),
            (r#""3599""#, Duration::from_secs(3599)),
            (r#""an hour""#, DEFAULT_LIFE),
            ("3599.5", DEFAULT_LIFE),
            ("-1", DEFAULT_LIFE),
            ("null", DEFAULT_LIFE),
            ("[3599]", DEFAULT_LIFE),
        ] {
            let body = format!(r#"{{"access_token": "abc", "expires_in": {expires_in}}}"#);
            assert_eq!(access(&body).life, life, "{expires_in}");
        }
    }

    #[test]
    fn a_problem_that_passes_is_known_by_its_code_unless_there_is_a_token() {
        for code in PASSING {
            let body =
                format!(r#"{{"error": "{code}", "error_codes": [90033], "access_token": null}}"#);
            assert!(Codes::read(body.as_bytes()).is_passing(), "{code}");
            for token in ["access_token", "refresh_token"] {
                let body = format!(r#"{{"error": "{code}", "{token}": "abc"}}"#);
                assert_eq!(Codes::read(body.as_bytes()), Codes::default(), "{token}");
            }
        }
        for body in [
            "",
            "temporarily_unavailable",
            r#"{"error": null}"#,
            r#"{"error": {"code": "server_error"}}"#,
            r#"{"error": "invalid_client", "error_description": "server_error"}"#,
            r#"{"error": "temporarily_unavailable_for_good"}"#,
        ] {
            assert!(!Codes::read(body.as_bytes()).is_passing(), "{body}");
        }
    }

    #[test]
    fn a_refresh_token_is_not_lost_with_an_access_token_that_is_of_no_use() {
        for access in [
            r#""access_token": ["a"]"#,
            r#""access_token": "a\n""#,
            r#""access_token": """#,
            r#""access_token": " ""#,
            r#""access_token": "a", "token_type": "mac""#,
            r#""scope": "s""#,
        ] {
            let body = format!(r#"{{{access}, "refresh_token": "hunter2"}}"#);
            let granted = granted(body.as_bytes()).unwrap();
            assert_eq!(granted.refresh_token.unwrap().expose(), "hunter2");
            assert!(granted.access_token.is_err(), "{access}");
        }
    }

    #[test]
    fn a_refresh_token_may_come_with_it() {
        let body = br#"{"access_token": "abc", "refresh_token": "hunter2"}"#;
        let token = granted(body).unwrap();
        assert!(!format!("{token:?}").contains("hunter2"));
        assert_eq!(token.refresh_token.unwrap().expose(), "hunter2");
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_quoted() {
        for body in [
            r#"{"token_type": "Bearer"}"#,
            r#"{"access_token": "hunter2\n"}"#,
            r#"{"access_token": ""}"#,
            r#"{"access_token": " \t "}"#,
            r#"{"access_token": "hunter2", "token_type": "mac"}"#,
            r#"{"access_token": ["hunter2"]}"#,
            r#"{"access_token": "x", "refresh_token": "hunter2\n"}"#,
            r#"{"access_token": "x", "refresh_token": " "}"#,
        ] {
            let Err(JsonError::Unexpected(text)) = granted(body.as_bytes()) else {
                panic!("{body}")
            };
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn the_codes_of_a_refusal_are_shown_as_far_as_they_look_like_codes() {
        let long = format!(r#"{{"error": "{}"}}"#, "a".repeat(65));
        for (body, expected) in [
            (r#"{"error": "invalid_scope"}"#, " (invalid_scope)"),
            (
                r#"{"error": "consent_required", "error_codes": [65001, 90094], "error_description": "Hunter"}"#,
                " (consent_required, AADSTS65001, AADSTS90094)",
            ),
            (
                r#"{"error": "Hunter Two", "error_codes": [700016]}"#,
                " (AADSTS700016)",
            ),
            (
                r#"{"error_codes": [1, 2, 3, 4, 5, 6]}"#,
                " (AADSTS1, AADSTS2, AADSTS3, AADSTS4)",
            ),
            (r#"{"error_codes": [4915112345678, "65001", -1, null]}"#, ""),
            (r#"{"error": "x", "error_codes": 65001}"#, " (x)"),
            (r#"{"error": "hunter2"}"#, ""),
            (r#"{"error": "invalid_grant\n"}"#, ""),
            (r#"{"error": "invalid_grant\u0000"}"#, ""),
            (r#"{"error": "hunter@example.com"}"#, ""),
            (r#"{"error": ""}"#, ""),
            (r#"{"error": {"code": "Hunter"}}"#, ""),
            (&*long, ""),
            ("<html>", ""),
            ("", ""),
        ] {
            let codes = Codes::read(body.as_bytes());
            assert_eq!(codes.to_string(), expected, "{body}");
        }
    }
}
