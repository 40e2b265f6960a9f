//! Why a poll failed: the closed list of values of the label `reason`.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $label:literal),+ $(,)?) => {
        /// Why a poll failed.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $label)] $name),+
        }

        impl Reason {
            /// All of them, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The value of the label.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $label),+
                }
            }
        }
    };
}

reasons! {
    /// The exporter cannot get a token.
    Credential => "credential",
    /// 401 with a fresh token.
    Unauthorized => "unauthorized",
    /// 403.
    Forbidden => "forbidden",
    /// 404.
    NotFound => "not_found",
    /// Another 4xx.
    BadRequest => "bad_request",
    /// 429 until the retry deadline.
    Throttled => "throttled",
    /// No whole answer in time.
    Timeout => "timeout",
    /// 5xx until the retry deadline.
    Unavailable => "unavailable",
    /// No connection, or one that broke.
    Connection => "connection",
    /// An answer that is not what is documented.
    Decode => "decode",
    /// An answer too large, too long or too deep.
    Limit => "limit",
    /// A link or a redirect to another place.
    Refused => "refused",
    /// An answer that cannot be true.
    Implausible => "implausible",
    /// A fault of ours.
    Internal => "internal",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
