//! What a token service answers: a token, or why there is none. RFC 6749, sections 5.1 and 5.2.

use std::time::Duration;

use http::header::HeaderValue;
use serde::de::MapAccess;

use crate::domain::Secret;
use crate::upstream::json::{self, Fields, JsonError, Text};

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
    /// The refresh token to use from now on, where the service gave one.
    pub(super) refresh_token: Option<Secret>,
}

/// Reads a success.
pub(super) fn granted(body: &[u8]) -> Result<Granted, JsonError> {
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
    // It is kept as a line of a file, so it must be one.
    let refresh_token = grant.refresh_token.map(|token| token.0.into_owned());
    if refresh_token
        .as_ref()
        .is_some_and(|token| token.trim().is_empty() || token.contains(char::is_control))
    {
        return Err(unexpected("its refresh_token is not one line of text"));
    }
    let life = grant
        .expires_in
        .map_or(DEFAULT_LIFE, Duration::from_secs)
        .clamp(LIVES[0], LIVES[1]);
    Ok(Granted {
        header,
        life,
        refresh_token: refresh_token.map(Secret::from),
    })
}

/// A token request's success.
#[derive(Default)]
struct Grant<'de> {
    access_token: Option<Text<'de>>,
    refresh_token: Option<Text<'de>>,
    token_type: Option<Text<'de>>,
    expires_in: Option<u64>,
}

impl<'de> Fields<'de> for Grant<'de> {
    const EXPECTED: &'static str = "a token";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "access_token" => self.access_token = map.next_value()?,
            "refresh_token" => self.refresh_token = map.next_value()?,
            "token_type" => self.token_type = map.next_value()?,
            "expires_in" => self.expires_in = map.next_value()?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// A token request's refusal. Its description is not read: it is free text.
#[derive(Default)]
pub(super) struct Refusal<'de> {
    error: Option<Text<'de>>,
}

impl<'de> Refusal<'de> {
    /// Reads a refusal; one that cannot be read has no code.
    pub(super) fn read(body: &'de [u8]) -> Self {
        json::read(body).unwrap_or_default()
    }

    /// Which of the closed list of error codes it is.
    pub(super) fn code(&self) -> Option<&str> {
        self.error.as_ref().map(|error| error.0.as_ref())
    }
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
            r#"{"access_token": "hunter2", "token_type": "mac"}"#,
            r#"{"access_token": ["hunter2"]}"#,
            r#"{"access_token": "x", "expires_in": "hunter2"}"#,
            r#"{"access_token": "x", "refresh_token": "hunter2\n"}"#,
            r#"{"access_token": "x", "refresh_token": " "}"#,
        ] {
            let Err(JsonError::Unexpected(text)) = granted(body.as_bytes()) else {
                panic!("{body}")
            };
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
