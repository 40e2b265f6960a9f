//! Why there is no access token.

use std::time::Duration;

use crate::domain::{PromDuration, Reason};

use crate::upstream::request_id::RequestId;
use crate::upstream::retry::asked;

/// Why there is no access token, in words for the person who must act.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{problem}{}", request_id.as_ref().map(|id| format!(" (request-id {id})")).unwrap_or_default())]
pub struct TokenError {
    pub(super) problem: Problem,
    pub(super) request_id: Option<RequestId>,
}

/// What went wrong at the token service. Holds no text of its answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Problem {
    #[error(
        "the token service refuses elements.client_id or its secret (invalid_client); compare both with Elements \
         under Settings > API app registration, and see whether the secret has expired"
    )]
    InvalidClient,
    #[error(
        "the token service refuses the scopes asked for (invalid_scope): {scopes}; the app registration lacks at \
         least one of these permissions, set in Elements under Settings > API app registration"
    )]
    InvalidScope { scopes: String },
    #[error(
        "the token service refuses the grant (invalid_grant); see the app registration in Elements"
    )]
    InvalidGrant,
    #[error("the token service answered {0}; check elements.token_url and elements.environment")]
    Status(u16),
    #[error("the token service answered 429{}", asked(*retry_after))]
    Throttled { retry_after: Option<Duration> },
    #[error("the token service is in trouble, it answered {status}{}", asked(*retry_after))]
    Unavailable {
        status: u16,
        retry_after: Option<Duration>,
    },
    #[error("the token service redirects elsewhere; not followed, check elements.token_url")]
    Redirect,
    #[error("the token service gave no whole answer within {}", PromDuration(*.0))]
    Timeout(Duration),
    #[error(
        "no connection to the token service: {0}; check elements.token_url, the network and elements.proxy_url"
    )]
    Connection(String),
    #[error("the token service's answer is not the one documented ({0}); check elements.token_url")]
    Decode(String),
    #[error("the token service's answer is too large; check elements.token_url")]
    TooLarge,
}

impl Problem {
    /// The value of the label `reason`.
    pub(super) fn reason(&self) -> &'static str {
        let reason = match self {
            Self::InvalidClient => return "invalid_client",
            Self::InvalidScope { .. } => return "invalid_scope",
            Self::InvalidGrant => return "invalid_grant",
            Self::Status(401) => Reason::Unauthorized,
            Self::Status(403) => Reason::Forbidden,
            Self::Status(404) => Reason::NotFound,
            Self::Status(_) => Reason::BadRequest,
            Self::Throttled { .. } => Reason::Throttled,
            Self::Unavailable { .. } => Reason::Unavailable,
            Self::Redirect => Reason::Refused,
            Self::Timeout(_) => Reason::Timeout,
            Self::Connection(_) => Reason::Connection,
            Self::Decode(_) => Reason::Decode,
            Self::TooLarge => Reason::Limit,
        };
        reason.as_str()
    }
}
