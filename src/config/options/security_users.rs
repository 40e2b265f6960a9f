//! The options of `collectors.security_users`, and which of them contradict each other.

use serde::{Deserialize, Serialize};

use super::Options;
use crate::config::checker::{Checker, Value};
use crate::config::problem::KeyPath;
use crate::config::section::section;

/// The options of the collector `security_users`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityOptions {
    /// The form of the listing.
    pub endpoint: SecurityEndpoint,
    /// What a single number in the field `status` means. Default: by `endpoint`.
    pub encoding: StatusEncoding,
    /// How the users are counted.
    pub mode: SecurityMode,
}

/// The form of the listing of security users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityEndpoint {
    /// The current one.
    #[default]
    V3,
    /// The older one.
    Batch,
}

/// What a single number in the field `status` of a user means. A list is always one of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusEncoding {
    /// One code.
    #[default]
    Codes,
    /// A set of codes, each a bit.
    Flags,
}

/// How security users are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityMode {
    /// By reading all rows.
    Scan {
        /// Leave users out that are marked as test users.
        exclude_test_users: bool,
    },
    /// By asking for the size of the listing for each status. Reads no rows, so that nothing can be joined.
    Counts,
}

section!(
    /// `collectors.security_users`.
    SecurityUsersSection {
        endpoint: String,
        mode: String,
        status_encoding: String,
        exclude_test_users: bool,
    }
);

/// The options as one place of the file sets them.
#[derive(Debug, Clone)]
pub(in crate::config) struct Written {
    path: KeyPath,
    endpoint: Value<SecurityEndpoint>,
    mode: Value<Mode>,
    /// `None` is `auto`.
    status_encoding: Value<Option<StatusEncoding>>,
    exclude_test_users: Value<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Scan,
    Counts,
}

const ENDPOINTS: [(&str, SecurityEndpoint); 2] = [
    ("v3", SecurityEndpoint::V3),
    ("batch", SecurityEndpoint::Batch),
];
const MODES: [(&str, Mode); 2] = [("scan", Mode::Scan), ("counts", Mode::Counts)];
const ENCODINGS: [(&str, Option<StatusEncoding>); 3] = [
    ("auto", None),
    ("codes", Some(StatusEncoding::Codes)),
    ("flags", Some(StatusEncoding::Flags)),
];

impl Options for SecurityOptions {
    type Section = SecurityUsersSection;
    type Written = Written;

    fn check(
        checker: &mut Checker<'_>,
        path: &KeyPath,
        section: Option<&SecurityUsersSection>,
    ) -> Written {
        let mut options = Written {
            path: path.clone(),
            endpoint: Value::Absent,
            mode: Value::Absent,
            status_encoding: Value::Absent,
            exclude_test_users: Value::Absent,
        };
        if let Some(raw) = section {
            let at = |key| options.path.key(key);
            options = Written {
                endpoint: checker.word(&at("endpoint"), raw.endpoint.as_deref(), &ENDPOINTS),
                mode: checker.word(&at("mode"), raw.mode.as_deref(), &MODES),
                status_encoding: checker.word(
                    &at("status_encoding"),
                    raw.status_encoding.as_deref(),
                    &ENCODINGS,
                ),
                exclude_test_users: Value::of(raw.exclude_test_users, Some),
                ..options
            };
        }
        options
    }

    fn over(own: &Written, base: &Written) -> Written {
        Written {
            path: own.path.clone(),
            endpoint: own.endpoint.or(base.endpoint),
            mode: own.mode.or(base.mode),
            status_encoding: own.status_encoding.or(base.status_encoding),
            exclude_test_users: own.exclude_test_users.or(base.exclude_test_users),
        }
    }

    /// Reports options that do not go with mode `counts`.
    fn check_relations(merged: &Written, checker: &mut Checker<'_>, own: &Written) {
        if merged.mode != Value::Given(Mode::Counts) {
            return;
        }
        let contradictions = [
            (
                merged.endpoint == Value::Given(SecurityEndpoint::Batch),
                own.endpoint != Value::Absent,
                "endpoint",
                "batch contradict each other: this endpoint filters by only six of the nine statuses; expected mode \
                 scan, or endpoint v3",
            ),
            (
                matches!(merged.status_encoding, Value::Given(Some(_))),
                own.status_encoding != Value::Absent,
                "status_encoding",
                "contradict each other: counts reads no user's status; expected mode scan, or status_encoding auto",
            ),
            (
                merged.exclude_test_users == Value::Given(true),
                own.exclude_test_users != Value::Absent,
                "exclude_test_users",
                "contradict each other: counts reads no users, so it cannot ignore any; expected mode scan, or \
                 exclude_test_users false",
            ),
        ];
        let own_mode = own.mode != Value::Absent;
        for (contradicts, own_option, option, message) in contradictions {
            let key = if own_mode { "mode" } else { option };
            if contradicts && (own_mode || own_option) {
                let message = format!("mode counts and {option} {message}");
                checker.report(&merged.path.key(key), message);
            }
        }
    }

    fn in_force(written: &Written) -> Self {
        let endpoint = written.endpoint.given().unwrap_or_default();
        let by_endpoint = match endpoint {
            SecurityEndpoint::V3 => StatusEncoding::Codes,
            SecurityEndpoint::Batch => StatusEncoding::Flags,
        };
        Self {
            endpoint,
            encoding: (written.status_encoding.given().flatten()).unwrap_or(by_endpoint),
            mode: match written.mode.given().unwrap_or(Mode::Scan) {
                Mode::Scan => SecurityMode::Scan {
                    exclude_test_users: written.exclude_test_users.given().unwrap_or(false),
                },
                Mode::Counts => SecurityMode::Counts,
            },
        }
    }
}
