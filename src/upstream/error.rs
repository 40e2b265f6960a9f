//! What can go wrong with a request, in words for the person who must act, and as the closed list of reasons.

use std::time::Duration;

use crate::domain::{PromDuration, Reason};

use super::auth::TokenError;
use super::request_id::RequestId;
use super::retry::asked;

/// A request that failed for good: all its tries are used up, or another try could not help.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{route}: {cause}")]
pub struct ApiError {
    /// The endpoint's path with placeholders for ids.
    pub route: &'static str,
    /// What went wrong.
    pub cause: Cause,
    /// The upstream's own id of the last try, for its support.
    pub request_id: Option<RequestId>,
}

impl ApiError {
    /// The failure's place in the closed list.
    pub fn reason(&self) -> Reason {
        self.cause.reason()
    }
}

/// What went wrong with a request. No variant holds text of an answer's body: it may be personal data.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Cause {
    /// There is no access token to send.
    #[error("no access token: {0}")]
    Credential(TokenError),
    /// 401, and again with a renewed token.
    #[error(
        "401 although the access token is fresh; check that elements.api_url and elements.token_url belong to the \
         same environment, and that the app registration is still active"
    )]
    Unauthorized,
    /// 403.
    #[error(
        "403: the app registration lacks the permission {permission}, or this customer is not in its scope; both \
         are set in Elements under Settings > API app registration"
    )]
    Forbidden {
        /// What the endpoint needs.
        permission: &'static str,
    },
    /// 404.
    #[error(
        "404: no such customer or tenant; check customer_id and tenant_id, and that the tenant belongs to the customer"
    )]
    NotFound,
    /// Another 4xx.
    #[error(
        "{0}: the API does not accept this request; this is a fault of the exporter or a change of the API"
    )]
    BadRequest(u16),
    /// 429 until the deadline.
    #[error("429{}; lower elements.rate_limit or lengthen the intervals", asked(*retry_after))]
    Throttled {
        /// What the last answer asked for.
        retry_after: Option<Duration>,
    },
    /// 5xx until the deadline.
    #[error("{status}{}; the API is in trouble, the next poll tries again", asked(*retry_after))]
    Unavailable {
        /// The last answer's status.
        status: u16,
        /// What the last answer asked for.
        retry_after: Option<Duration>,
    },
    /// No whole answer in time.
    #[error("no whole answer within {}; the API is slow, or elements.timeout or retry_deadline too short", PromDuration(*after))]
    Timeout {
        /// How long the last try was given.
        after: Duration,
    },
    /// No connection, or one that broke.
    #[error("connection failed: {0}")]
    Connection(String),
    /// The answer ends inside its JSON, again and again.
    #[error("the answer ends in the middle: {0}")]
    Truncated(String),
    /// The answer is not what is documented.
    #[error("unexpected answer: {0}")]
    Decode(String),
    /// The answer is too large, too long or too deep.
    #[error("too much: {0}")]
    Limit(String),
    /// The answer points to another place.
    #[error("{0}; not followed, since the token must stay with the API")]
    Refused(String),
    /// The answer is well-formed and cannot be true.
    #[error("implausible answer: {0}")]
    Implausible(String),
}

impl Cause {
    /// The cause's place in the closed list.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Credential(_) => Reason::Credential,
            Self::Unauthorized => Reason::Unauthorized,
            Self::Forbidden { .. } => Reason::Forbidden,
            Self::NotFound => Reason::NotFound,
            Self::BadRequest(_) => Reason::BadRequest,
            Self::Throttled { .. } => Reason::Throttled,
            Self::Timeout { .. } => Reason::Timeout,
            Self::Unavailable { .. } => Reason::Unavailable,
            Self::Connection(_) => Reason::Connection,
            Self::Truncated(_) | Self::Decode(_) => Reason::Decode,
            Self::Limit(_) => Reason::Limit,
            Self::Refused(_) => Reason::Refused,
            Self::Implausible(_) => Reason::Implausible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_and_what_to_do() {
        let error = ApiError {
            route: "/um/users",
            cause: Cause::Throttled {
                retry_after: Some(Duration::from_secs(90)),
            },
            request_id: None,
        };
        assert_eq!(
            error.to_string(),
            "/um/users: 429, and it asked to wait 1m30s; lower elements.rate_limit or lengthen the intervals"
        );
    }
}
