//! The options of `collectors.security_users`, and which of them contradict each other.

use serde::{Deserialize, Serialize};
use serde_yaml::Value as Yaml;

use super::Options;
use crate::config::checker::{Checker, Value};
use crate::config::problem::KeyPath;

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

/// `collectors.security_users`.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
pub(in crate::config) struct SecurityUsersSection {
    pub(in crate::config) enabled: Option<bool>,
    pub(in crate::config) interval: Option<String>,
    pub(in crate::config) stale_after: Option<String>,
    endpoint: Option<String>,
    mode: Option<String>,
    status_encoding: Option<String>,
    exclude_test_users: Option<bool>,
}

/// The options as one place of the file sets them.
#[derive(Debug, Clone)]
pub(in crate::config) struct Written {
    path: KeyPath,
    endpoint: Value<SecurityEndpoint>,
    mode: Value<Mode>,
    /// `None` is `auto`.
    status_encoding: Value<Option<StatusEncoding>>,
    exclude_test_users: Option<bool>,
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

/// The word for a value, from the list by which words are read.
fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> Yaml {
    let word = words.iter().find(|(_, one)| one == value);
    word.map_or(Yaml::Null, |(word, _)| (*word).into())
}

impl Options for SecurityOptions {
    type Section = SecurityUsersSection;
    type Written = Written;

    fn check(
        checker: &mut Checker<'_>,
        path: &KeyPath,
        section: Option<&SecurityUsersSection>,
    ) -> Written {
        let empty = SecurityUsersSection::default();
        let raw = section.unwrap_or(&empty);
        let encoding = raw.status_encoding.as_deref();
        Written {
            path: path.clone(),
            endpoint: checker.word(&path.key("endpoint"), raw.endpoint.as_deref(), &ENDPOINTS),
            mode: checker.word(&path.key("mode"), raw.mode.as_deref(), &MODES),
            status_encoding: checker.word(&path.key("status_encoding"), encoding, &ENCODINGS),
            exclude_test_users: raw.exclude_test_users,
        }
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
                merged.exclude_test_users == Some(true),
                own.exclude_test_users.is_some(),
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
                    exclude_test_users: written.exclude_test_users.unwrap_or(false),
                },
                Mode::Counts => SecurityMode::Counts,
            },
        }
    }

    fn keys(self) -> Vec<(&'static str, Yaml)> {
        let (mode, excludes) = match self.mode {
            SecurityMode::Scan { exclude_test_users } => (Mode::Scan, Some(exclude_test_users)),
            SecurityMode::Counts => (Mode::Counts, None),
        };
        let mut keys = vec![
            ("endpoint", word(&ENDPOINTS, &self.endpoint)),
            ("mode", word(&MODES, &mode)),
        ];
        // What does not go with mode `counts` is left out.
        if let Some(excludes) = excludes {
            keys.push(("status_encoding", word(&ENCODINGS, &Some(self.encoding))));
            keys.push(("exclude_test_users", excludes.into()));
        }
        keys
    }
}
