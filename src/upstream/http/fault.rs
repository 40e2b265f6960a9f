//! Why a try failed, by the connection and the status. It has no words for people: those of an API and those of a token
//! service differ.

use std::time::Duration;

use super::body::Body;
use super::json::JsonError;
use super::retry::Failure;
use super::trust::Untrusted;

/// Why a try failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No whole answer in time, from whom.
    Timeout(String),
    /// No connection, or one that broke: with whom, and why.
    Connection(String, String),
    /// The certificate of this server is not trusted, so nothing was sent.
    Untrusted(String, Untrusted),
    /// The answer is larger than the request allows.
    TooLarge { max_bytes: usize },
    /// The body of a success ends early or is not as documented.
    Unreadable(JsonError),
    /// 429, or a 403 that says when to come back: some services send it for the same.
    Throttled {
        status: u16,
        retry_after: Option<Duration>,
    },
    /// 408, 425 or 5xx.
    Unavailable {
        status: u16,
        retry_after: Option<Duration>,
    },
    /// 3xx.
    Redirect(u16),
    /// Any other status, with the body.
    Status(u16, Body),
}

impl Fault {
    /// No connection, to somebody who is named later.
    pub(super) const fn connection(why: String) -> Self {
        Self::Connection(String::new(), why)
    }

    /// Names who is at the other end of a connection that failed, or who was silent.
    pub(super) fn with(self, peer: impl FnOnce() -> String) -> Self {
        match self {
            Self::Timeout(_) => Self::Timeout(peer()),
            Self::Connection(_, why) => Self::Connection(peer(), why),
            Self::Untrusted(_, why) => Self::Untrusted(peer(), why),
            fault => fault,
        }
    }

    /// Its meaning for the retry policy.
    pub(super) fn failure(&self) -> Failure {
        match *self {
            Self::Timeout(_) | Self::Connection(..) | Self::Untrusted(..) => Failure::NoAnswer,
            Self::Unreadable(JsonError::Truncated(_)) => Failure::CutBody,
            Self::Throttled { retry_after, .. }
            // 509 and from 520 on are those of hosters and of content delivery networks.
            | Self::Unavailable {
                status: 408 | 425 | 500 | 502..=504 | 509 | 520..=529,
                retry_after,
            } => Failure::Transient { retry_after },
            Self::TooLarge { .. }
            | Self::Unreadable(_)
            | Self::Unavailable { .. }
            | Self::Redirect(_)
            | Self::Status(..) => Failure::Final,
        }
    }
}
