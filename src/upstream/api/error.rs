//! What can go wrong with a request, in words for the person who must act, and as the closed list of reasons.

use std::fmt;
use std::time::Duration;

use crate::domain::{Api, PromDuration, Reason};
use crate::upstream::auth::TokenError;
use crate::upstream::http::fault::Fault;
use crate::upstream::http::json::JsonError;
use crate::upstream::http::request_id::RequestId;
use crate::upstream::http::retry::asked;
use crate::upstream::http::trust::Untrusted;

/// A request that failed for good: all its tries are used up, or another try could not help.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// Who was asked.
    pub api: Api,
    /// The endpoint's path with placeholders for ids; empty where no single answer is to blame.
    pub route: &'static str,
    /// What went wrong.
    pub cause: Cause,
    /// The id of the last try, for the upstream's support.
    pub request_id: Option<RequestId>,
    /// The id of all requests of its poll, where the API has such ids.
    pub correlation_id: Option<RequestId>,
}

impl ApiError {
    /// The failure's place in the closed list.
    pub fn reason(&self) -> Reason {
        self.cause.reason()
    }
}

impl std::error::Error for ApiError {}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            api, route, cause, ..
        } = self;
        if !route.is_empty() {
            write!(f, "{route}: ")?;
        }
        write!(f, "{cause}")?;
        match self.api {
            Api::PartnerCenter | Api::MicrosoftIdentity => partner_center_advice(cause, f),
            Api::Elements | Api::ElementsIdentity => elements_advice(cause, f),
        }?;
        match cause {
            Cause::Throttled { .. } | Cause::Paused(_) => {
                write!(
                    f,
                    "; if this happens to one target alone, lengthen its intervals (tenants[].collectors), else lower \
                     {api}.rate_limit"
                )
            }
            Cause::Connection(..) => {
                write!(f, "; check {api}.api_url, the network and the proxy")
            }
            Cause::Untrusted(_, untrusted) => f.write_str(untrusted.advice()),
            _ => Ok(()),
        }
    }
}

/// What to do about it in AvePoint Elements.
fn elements_advice(cause: &Cause, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match cause {
        Cause::Unauthorized => f.write_str(
            "; check that elements.api_url and elements.token_url belong to the same environment, and that the app \
             registration is still active",
        ),
        Cause::Forbidden { permission, .. } => write!(
            f,
            ": the app registration lacks the permission {permission}, or this customer is not in its scope, or the \
             exporter's address is not among the trusted IP addresses; check the first two in Elements under Settings > \
             API app registration, and the addresses in AvePoint Online Services, which bind API clients too"
        ),
        Cause::NotFound => f.write_str(
            ": no such customer or tenant; check customer_id and tenant_id, and that the tenant belongs to the customer",
        ),
        _ => Ok(()),
    }
}

/// What to do about it in Partner Center.
fn partner_center_advice(cause: &Cause, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match cause {
        Cause::Unauthorized => f.write_str(
            "; check that partner_center.api_url, token_url and scope belong to the same cloud, and that the user \
             consented with multi-factor authentication",
        ),
        Cause::Forbidden { permission, is_empty } => {
            write!(
                f,
                ": the consenting user lacks {permission}; check the roles in Partner Center, and the relationship with \
                 the customer"
            )?;
            if *is_empty {
                f.write_str(
                    "; the response is empty: if the partner is an indirect reseller, no role helps, since Partner \
                     Center's API is not open to indirect resellers",
                )?;
            }
            Ok(())
        }
        Cause::NotFound => f.write_str(
            ": no such customer of this partner; check tenant_id, and the partner's relationship with the customer",
        ),
        _ => Ok(()),
    }
}

/// What went wrong with a request. No variant holds text of an answer's body: it may be personal data.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Cause {
    /// There is no access token to send.
    #[error("no access token: {0}")]
    Credential(Box<TokenError>),
    /// 401, and again with a renewed token.
    #[error("401 although the access token is fresh")]
    Unauthorized,
    /// 403.
    #[error("403")]
    Forbidden {
        /// What the endpoint needs.
        permission: &'static str,
        /// Whether the answer has no body.
        is_empty: bool,
    },
    /// 404.
    #[error("404")]
    NotFound,
    /// Another 4xx.
    #[error(
        "{0}: the API rejected the request; this is a bug in the exporter or a change of the API"
    )]
    BadRequest(u16),
    /// 429, or 403 with a time to come back, until the deadline.
    #[error("{status}{}", asked(*retry_after))]
    Throttled {
        /// The last answer's status.
        status: u16,
        /// What the last answer asked for.
        retry_after: Option<Duration>,
    },
    /// An answer about this target asked for a longer pause than a request may wait, so nothing was sent.
    #[error("not sent, the API asked to wait for another {}", PromDuration(*.0))]
    Paused(Duration),
    /// 408, 425 or 5xx until the deadline.
    #[error("{status}{}; the API has a problem, the next poll retries", asked(*retry_after))]
    Unavailable {
        /// The last answer's status.
        status: u16,
        /// What the last answer asked for.
        retry_after: Option<Duration>,
    },
    /// No whole answer in time.
    #[error(
        "no complete response from {peer} within {}; the API is slow, or elements.timeout or retry_deadline is too short",
        PromDuration(*after)
    )]
    Timeout {
        /// Who was asked, and the proxy in between.
        peer: String,
        /// How long the last try was given.
        after: Duration,
    },
    /// No connection, or one that broke: with whom, and why.
    #[error("connection to {0} failed: {1}")]
    Connection(String, String),
    /// The certificate of this server is not trusted.
    #[error("connection to {0} failed: {1}")]
    Untrusted(String, Untrusted),
    /// The answer ends inside its JSON, again and again.
    #[error("incomplete response, it ends {0}")]
    Truncated(String),
    /// The answer is not what is documented.
    #[error("unexpected response: {0}")]
    Decode(String),
    /// The answer is too large, too long or too deep.
    #[error("limit exceeded: {0}")]
    Limit(String),
    /// The answer points to another place.
    #[error("{0}; not followed, because the token must not leave the API's host")]
    Refused(String),
    /// The answer is well-formed and cannot be true.
    #[error("implausible response: {0}")]
    Implausible(String),
}

impl Cause {
    /// The fault of a try in words for people. The try had `timeout` to end, and its endpoint needs this permission.
    pub(super) fn of(fault: Fault, permission: &'static str, timeout: Duration) -> Self {
        match fault {
            Fault::Timeout(peer) => Self::Timeout {
                peer,
                after: timeout,
            },
            Fault::Connection(peer, why) => Self::Connection(peer, why),
            Fault::Untrusted(peer, why) => Self::Untrusted(peer, why),
            Fault::TooLarge { max_bytes } => Self::Limit(format!(
                "the response is larger than {max_bytes} bytes; see elements.limits.response_bytes"
            )),
            Fault::Unreadable(error) => Self::unreadable(error),
            Fault::Throttled {
                status,
                retry_after,
            } => Self::Throttled {
                status,
                retry_after,
            },
            Fault::Unavailable {
                status,
                retry_after,
            } => Self::Unavailable {
                status,
                retry_after,
            },
            Fault::Redirect(status) => Self::Refused(format!("{status}: redirect to another URL")),
            Fault::Status(401, _) => Self::Unauthorized,
            Fault::Status(403, body) => Self::Forbidden {
                permission,
                is_empty: body.is_empty(),
            },
            Fault::Status(404, _) => Self::NotFound,
            Fault::Status(status @ 400..500, _) => Self::BadRequest(status),
            Fault::Status(status, _) => Self::Decode(format!("status {status}")),
        }
    }

    /// A body that could not be read.
    pub(crate) fn unreadable(error: JsonError) -> Self {
        match error {
            JsonError::Truncated(place) => Self::Truncated(place),
            JsonError::TooMuch(text) => Self::Limit(text),
            JsonError::Unexpected(text) => Self::Decode(text),
        }
    }

    /// The cause's place in the closed list.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Credential(_) => Reason::Credential,
            Self::Unauthorized => Reason::Unauthorized,
            Self::Forbidden { .. } => Reason::Forbidden,
            Self::NotFound => Reason::NotFound,
            Self::BadRequest(_) => Reason::BadRequest,
            Self::Throttled { .. } | Self::Paused(_) => Reason::Throttled,
            Self::Timeout { .. } => Reason::Timeout,
            Self::Unavailable { .. } => Reason::Unavailable,
            Self::Connection(..) | Self::Untrusted(..) => Reason::Connection,
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
    use crate::upstream::http::body::Body;

    /// The text of an error of this API, without ids.
    fn text(api: Api, cause: Cause) -> String {
        let error = ApiError {
            api,
            route: "/um/users",
            cause,
            request_id: None,
            correlation_id: None,
        };
        error.to_string()
    }

    /// A 403 with this body.
    fn forbidden(permission: &'static str, body: &str) -> Cause {
        let mut bytes = Body::new(body.len(), 0);
        bytes.add(body.as_bytes()).unwrap();
        Cause::of(Fault::Status(403, bytes), permission, Duration::ZERO)
    }

    #[test]
    fn an_error_says_what_where_and_what_to_do() {
        let cause = Cause::Throttled {
            status: 429,
            retry_after: Some(Duration::from_secs(90)),
        };
        assert_eq!(
            text(Api::Elements, cause),
            "/um/users: 429, retry after 1m30s; if this happens to one target alone, lengthen its intervals \
             (tenants[].collectors), else lower elements.rate_limit"
        );
        let paused = Cause::Paused(Duration::from_secs(90));
        assert_eq!(paused.reason(), Reason::Throttled);
        assert_eq!(
            text(Api::PartnerCenter, paused),
            "/um/users: not sent, the API asked to wait for another 1m30s; if this happens to one target alone, \
             lengthen its intervals (tenants[].collectors), else lower partner_center.rate_limit"
        );
    }

    #[test]
    fn a_403_names_all_that_can_be_its_cause() {
        for body in ["", "hunter2"] {
            assert_eq!(
                text(Api::Elements, forbidden("users.read", body)),
                "/um/users: 403: the app registration lacks the permission users.read, or this customer is not in its \
                 scope, or the exporter's address is not among the trusted IP addresses; check the first two in \
                 Elements under Settings > API app registration, and the addresses in AvePoint Online Services, which \
                 bind API clients too"
            );
        }
        let roles = "/um/users: 403: the consenting user lacks a role; check the roles in Partner Center, and the \
                     relationship with the customer";
        let full = text(Api::PartnerCenter, forbidden("a role", "hunter2"));
        assert_eq!(full, roles);
        let empty = text(Api::PartnerCenter, forbidden("a role", ""));
        let reseller = "; the response is empty: if the partner is an indirect reseller, no role helps, since Partner \
                        Center's API is not open to indirect resellers";
        assert_eq!(empty, format!("{roles}{reseller}"));
    }

    #[test]
    fn an_untrusted_certificate_names_the_setting_and_the_usual_reason() {
        for api in [Api::Elements, Api::PartnerCenter] {
            for untrusted in [Untrusted::UnknownIssuer, Untrusted::SelfSigned] {
                let cause = Cause::Untrusted("api.example:443".to_owned(), untrusted);
                assert_eq!(cause.reason(), Reason::Connection);
                let text = text(api, cause);
                for words in ["elements.ca_file", "a proxy that inspects TLS"] {
                    assert!(text.contains(words), "{text}");
                }
            }
        }
    }
}
