//! Why there is no access token.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{PromDuration, Reason, Timestamp};
use crate::upstream::http::request_id::RequestId;
use crate::upstream::http::retry::asked;
use crate::upstream::http::stats::{Credential, STORAGE};
use crate::upstream::http::trust::Untrusted;

use super::answer::Codes;

/// Why there is no access token, in words for the person who must act.
#[derive(Debug, Clone)]
pub struct TokenError {
    pub(super) credential: Credential,
    pub(super) problem: Problem,
    pub(super) request_id: Option<RequestId>,
    /// Whether it was told before: the service refused this refresh token once, and was not asked again.
    pub(super) repeated: bool,
}

/// What went wrong, without what to do about it. Holds no text of the service's answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Problem {
    #[error("the token service refuses the client id or its {proof}{codes}")]
    InvalidClient { proof: String, codes: Codes },
    #[error("the token service refuses the scope{codes}: {scopes}")]
    InvalidScope { scopes: String, codes: Codes },
    #[error("the token service refuses the grant{0}")]
    InvalidGrant(Codes),
    #[error(
        "the token service refuses the refresh token{codes}{}",
        lost_rotation(*lost)
    )]
    RefreshTokenRefused {
        file: PathBuf,
        lost: Option<LostRotation>,
        codes: Codes,
    },
    #[error("the refresh token cannot be saved: {0}")]
    RefreshTokenFile(String),
    #[error("the client certificate in {} expired at {at}", file.display())]
    CertificateExpired { file: PathBuf, at: Timestamp },
    #[error("the private key of the client certificate failed to sign")]
    Unsigned,
    #[error("the token service returned {status}{codes}")]
    Status { status: u16, codes: Codes },
    #[error("the token service returned {status}{codes}{}", asked(*retry_after))]
    Throttled {
        status: u16,
        retry_after: Option<Duration>,
        codes: Codes,
    },
    #[error("the token service has a problem: status {status}{codes}{}", asked(*retry_after))]
    Unavailable {
        status: u16,
        retry_after: Option<Duration>,
        codes: Codes,
    },
    #[error("the token service sent a redirect; not followed")]
    Redirect,
    #[error("no complete response from the token service {peer} within {}", PromDuration(*after))]
    Timeout { peer: String, after: Duration },
    #[error("connection to the token service {0} failed: {1}")]
    Connection(String, String),
    #[error("connection to the token service {0} failed: {1}")]
    Untrusted(String, Untrusted),
    #[error("unexpected response from the token service: {0}")]
    Decode(String),
    #[error("the token service's response is too large")]
    TooLarge,
}

/// An exchange of the refresh token now in use that may have been carried out, though the new token never
/// came to be stored here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LostRotation {
    /// The process was stopped after it had asked at this time.
    Stopped(Timestamp),
    /// The answer to the request of this time was lost.
    Unanswered(Timestamp),
}

fn lost_rotation(lost: Option<LostRotation>) -> String {
    let (at, what) = match lost {
        None => return String::new(),
        Some(LostRotation::Stopped(at)) => (at, "stopped before it saved the new token"),
        Some(LostRotation::Unanswered(at)) => (at, "the response with the new token was lost"),
    };
    format!("; the exporter sent it at {at} to exchange it for a new token, but {what}")
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)?;
        self.advise(f)?;
        match &self.request_id {
            Some(id) => write!(f, " (request-id {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TokenError {}

impl TokenError {
    /// Whether the service refuses the scopes, and so perhaps not each of them.
    pub(super) fn refuses_scope(&self) -> bool {
        matches!(self.problem, Problem::InvalidScope { .. })
    }

    /// What to do. Sections of the configuration are called as the credentials that they hold.
    fn advise(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let section = self.credential.as_str();
        let registration = match self.credential {
            Credential::Elements => "Elements under Settings > API app registration",
            Credential::PartnerCenter => "Microsoft Entra under App registrations",
        };
        match (&self.problem, self.credential) {
            (Problem::InvalidClient { .. }, _) => write!(
                f,
                "; compare {section}.client_id and the credential with {registration}, and check whether the \
                 credential has expired"
            ),
            (Problem::InvalidScope { scopes, .. }, Credential::Elements) => {
                let lacks = if scopes.contains(' ') {
                    "at least one of these permissions"
                } else {
                    "this permission"
                };
                write!(
                    f,
                    "; the app registration lacks {lacks}: add it in {registration}, or disable the collectors that \
                     need it"
                )
            }
            (Problem::InvalidScope { .. }, Credential::PartnerCenter) => {
                write!(
                    f,
                    "; check {section}.scope, and the app's permissions in {registration}"
                )
            }
            (Problem::InvalidGrant(_), _) => {
                write!(f, "; see the app registration in {registration}")
            }
            (Problem::RefreshTokenRefused { file, .. }, _) => write!(
                f,
                "; a user with the role Admin agent must consent again, with multi-factor authentication, and write \
                 the new refresh token to {}; until then the exporter retries at most once an hour",
                file.display()
            ),
            (
                Problem::RefreshTokenFile(_)
                | Problem::Unsigned
                | Problem::Throttled { .. }
                | Problem::Unavailable { .. },
                _,
            ) => Ok(()),
            (Problem::Timeout { .. }, _) => f.write_str(
                "; the token service or the proxy is slow, or elements.timeout or retry_deadline is too short",
            ),
            (Problem::CertificateExpired { .. }, _) => write!(
                f,
                "; add a new certificate to the app registration in {registration}, and replace that file \
                 ({section}.certificate)"
            ),
            (Problem::Status { .. }, Credential::Elements) => {
                write!(f, "; check {section}.token_url and {section}.environment")
            }
            (Problem::Status { .. }, Credential::PartnerCenter) => {
                write!(f, "; check {section}.tenant and {section}.token_url")
            }
            (Problem::Connection(..), _) => {
                write!(f, "; check {section}.token_url, the network and the proxy")
            }
            (Problem::Untrusted(_, untrusted), _) => f.write_str(untrusted.advice()),
            (Problem::Redirect | Problem::Decode(_) | Problem::TooLarge, _) => {
                write!(f, "; check {section}.token_url")
            }
        }
    }
}

impl Problem {
    /// What the service asked for before it is asked again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// The value of the label `reason`.
    pub(super) fn reason(&self) -> &'static str {
        let reason = match self {
            Self::InvalidClient { .. } | Self::CertificateExpired { .. } => return "invalid_client",
            Self::InvalidScope { .. } => return "invalid_scope",
            Self::InvalidGrant(_) | Self::RefreshTokenRefused { .. } => return "invalid_grant",
            Self::RefreshTokenFile(_) => return STORAGE,
            Self::Unsigned => Reason::Internal,
            Self::Status { status: 401, .. } => Reason::Unauthorized,
            Self::Status { status: 403, .. } => Reason::Forbidden,
            Self::Status { status: 404, .. } => Reason::NotFound,
            Self::Status { .. } => Reason::BadRequest,
            Self::Throttled { .. } => Reason::Throttled,
            Self::Unavailable { .. } => Reason::Unavailable,
            Self::Redirect => Reason::Refused,
            Self::Timeout { .. } => Reason::Timeout,
            Self::Connection(..) | Self::Untrusted(..) => Reason::Connection,
            Self::Decode(_) => Reason::Decode,
            Self::TooLarge => Reason::Limit,
        };
        reason.as_str()
    }
}
