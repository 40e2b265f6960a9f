//! The options of `collectors.security_users`, and which of them contradict each other.

use super::checker::{Checker, Value};
use super::problem::KeyPath;
use super::{CollectorKind, SecurityEndpoint, SecurityMode, StatusEncoding, raw};

/// The options as one place of the file sets them.
#[derive(Debug, Clone)]
pub(super) struct SecurityUsers {
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

impl SecurityUsers {
    /// Checks each value by itself. The path is that of all collectors.
    pub(super) fn check(
        checker: &mut Checker<'_>,
        path: &KeyPath,
        raw: Option<&raw::SecurityUsers>,
    ) -> Self {
        let path = path.key("security_users");
        let mut options = Self {
            path,
            endpoint: Value::Absent,
            mode: Value::Absent,
            status_encoding: Value::Absent,
            exclude_test_users: Value::Absent,
        };
        if let Some(raw) = raw {
            let at = |key| options.path.key(key);
            options = Self {
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

    /// These options of a tenant, and where they leave something open, those of all tenants.
    pub(super) fn over(&self, base: &Self) -> Self {
        Self {
            path: self.path.clone(),
            endpoint: self.endpoint.or(base.endpoint),
            mode: self.mode.or(base.mode),
            status_encoding: self.status_encoding.or(base.status_encoding),
            exclude_test_users: self.exclude_test_users.or(base.exclude_test_users),
        }
    }

    /// Reports what does not go with mode `counts`, if `own`, the part of these options that stands at this place
    /// of the file, has to do with it: the rest was reported where it stands.
    pub(super) fn check_relations(&self, checker: &mut Checker<'_>, own: &Self) {
        if self.mode != Value::Given(Mode::Counts) {
            return;
        }
        let contradictions = [
            (
                self.endpoint == Value::Given(SecurityEndpoint::Batch),
                own.endpoint != Value::Absent,
                "endpoint",
                "batch contradict each other: that endpoint filters by six of the nine statuses only; expected mode scan, or endpoint v3",
            ),
            (
                matches!(self.status_encoding, Value::Given(Some(_))),
                own.status_encoding != Value::Absent,
                "status_encoding",
                "contradict each other: counts reads no user's status; expected mode scan, or status_encoding auto",
            ),
            (
                self.exclude_test_users == Value::Given(true),
                own.exclude_test_users != Value::Absent,
                "exclude_test_users",
                "contradict each other: counts reads no users, so that none can be left out; expected mode scan, or exclude_test_users false",
            ),
        ];
        let own_mode = own.mode != Value::Absent;
        for (contradicts, own_option, option, message) in contradictions {
            let key = if own_mode { "mode" } else { option };
            if contradicts && (own_mode || own_option) {
                let message = format!("mode counts and {option} {message}");
                checker.report(&self.path.key(key), message);
            }
        }
    }

    /// What is in force, with the defaults filled in.
    pub(super) fn in_force(&self) -> CollectorKind {
        let endpoint = self.endpoint.given().unwrap_or_default();
        let by_endpoint = match endpoint {
            SecurityEndpoint::V3 => StatusEncoding::Codes,
            SecurityEndpoint::Batch => StatusEncoding::Flags,
        };
        CollectorKind::SecurityUsers {
            endpoint,
            encoding: (self.status_encoding.given().flatten()).unwrap_or(by_endpoint),
            mode: match self.mode.given().unwrap_or(Mode::Scan) {
                Mode::Scan => SecurityMode::Scan {
                    exclude_test_users: self.exclude_test_users.given().unwrap_or(false),
                },
                Mode::Counts => SecurityMode::Counts,
            },
        }
    }
}
