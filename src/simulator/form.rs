//! What both token services share: the form of a request, and the refusals that OAuth 2 names
//! (RFC 6749, 5.2).

use std::borrow::Cow;

use http::StatusCode;

/// Why no token was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// `error` of the answer.
    pub(super) name: &'static str,
    /// `error_description` of the answer.
    pub(super) text: &'static str,
}

impl Refusal {
    pub(super) const INVALID_REQUEST: Self = Self::bad("invalid_request", "the form is wrong");
    pub(super) const UNSUPPORTED_GRANT_TYPE: Self = Self::bad(
        "unsupported_grant_type",
        "this grant type is not served here",
    );
    pub(super) const INVALID_SCOPE: Self =
        Self::bad("invalid_scope", "the app does not have this scope");
    pub(super) const INVALID_GRANT: Self = Self::bad(
        "invalid_grant",
        "the refresh token is unknown, has expired or was revoked",
    );
    /// Microsoft documents it for token requests.
    pub(super) const TEMPORARILY_UNAVAILABLE: Self =
        Self::bad("temporarily_unavailable", "the service is busy");
    /// Some services send their errors with a 200.
    pub(super) const SLOW_DOWN: Self = Self {
        status: StatusCode::OK,
        name: "slow_down",
        text: "requests come too fast",
    };

    const fn bad(name: &'static str, text: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            name,
            text,
        }
    }

    /// `invalid_client`, for this reason.
    pub(super) const fn invalid_client(text: &'static str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            name: "invalid_client",
            text,
        }
    }
}

/// The fields of a form-encoded request.
pub(super) struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    pub(super) fn read(form: &'a [u8]) -> Self {
        Self(url::form_urlencoded::parse(form).collect())
    }

    /// The value of a field that must be there.
    pub(super) fn field(&self, name: &str) -> Result<&str, Refusal> {
        self.optional(name)?.ok_or(Refusal::INVALID_REQUEST)
    }

    /// The value of a field, if it is there; once, and not empty.
    pub(super) fn optional(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some((_, value)), None) if !value.is_empty() => Ok(Some(value)),
            _ => Err(Refusal::INVALID_REQUEST),
        }
    }
}
