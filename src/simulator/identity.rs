//! The token service: checks a token request for what OAuth 2 asks and remembers the tokens it gave.
//! Knows nothing of listings, and of HTTP only the statuses of its errors.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;

use crate::domain::{Clock, Timestamp};

/// The id of the one registered app.
pub const CLIENT_ID: &str = "5151a7ed-0000-4000-8000-a0e901070001";
/// The secret of the one registered app. It opens nothing but a simulator.
pub const CLIENT_SECRET: &str = "simulated-secret-that-opens-nothing";
/// All permissions of upstream's table.
pub const PERMISSIONS: &[&str] = &[
    "elements.um.user.read.all",
    "partner.um.user.read.all",
    "elements.cbprotected.read.all",
    "elements.customers.read.all",
    "elements.license.read.all",
    "elements.jobs.read.all",
    "elements.rm.read.all",
    "elements.wm.read.all",
];
/// So many tokens are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 256;

/// Why no token was given: the status, and `error` of the answer (RFC 6749, 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) &'static str);

const INVALID_REQUEST: Refusal = Refusal(StatusCode::BAD_REQUEST, "invalid_request");
const UNSUPPORTED_GRANT_TYPE: Refusal = Refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type");
const INVALID_CLIENT: Refusal = Refusal(StatusCode::UNAUTHORIZED, "invalid_client");
const INVALID_SCOPE: Refusal = Refusal(StatusCode::BAD_REQUEST, "invalid_scope");

/// A token that was given.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) token: String,
    /// The permissions, separated by spaces.
    pub(super) scope: String,
    expires: Timestamp,
}

impl Grant {
    /// Whether the token allows what needs this permission.
    pub(super) fn allows(&self, permission: &str) -> bool {
        self.scope.split(' ').any(|scope| scope == permission)
    }
}

/// The token service.
#[derive(Debug)]
pub(super) struct Identity {
    permissions: Vec<String>,
    lifetime: Duration,
    clock: Clock,
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    count: u64,
    grants: VecDeque<Grant>,
}

impl Identity {
    pub(super) fn new(permissions: Vec<String>, lifetime: Duration, clock: Clock) -> Self {
        Self {
            permissions,
            lifetime,
            clock,
            given: Mutex::default(),
        }
    }

    /// Gives a token for a form-encoded request.
    ///
    /// # Errors
    ///
    /// `invalid_request` when a field is missing, repeated or empty, `unsupported_grant_type`,
    /// `invalid_client` for wrong credentials, `invalid_scope` when the app lacks a permission.
    pub(super) fn give(&self, form: &[u8]) -> Result<Grant, Refusal> {
        let fields: Vec<_> = url::form_urlencoded::parse(form).collect();
        let field = |name: &str| {
            let mut values = fields.iter().filter(|(key, _)| key == name);
            match (values.next(), values.next()) {
                (Some((_, value)), None) if !value.is_empty() => Ok(value.as_ref()),
                _ => Err(INVALID_REQUEST),
            }
        };
        if field("grant_type")? != "client_credentials" {
            return Err(UNSUPPORTED_GRANT_TYPE);
        }
        if field("client_id")? != CLIENT_ID || field("client_secret")? != CLIENT_SECRET {
            return Err(INVALID_CLIENT);
        }
        let scope = field("scope")?;
        let known = |scope: &str| self.permissions.iter().any(|known| known == scope);
        if !scope.split(' ').all(known) {
            return Err(INVALID_SCOPE);
        }
        let mut given = self.given();
        given.count += 1;
        let grant = Grant {
            token: format!("simulated-token-{}", given.count),
            scope: scope.to_owned(),
            expires: self.clock.now().after(self.lifetime),
        };
        given.grants.truncate(REMEMBERED - 1);
        given.grants.push_front(grant.clone());
        Ok(grant)
    }

    /// What was given with this token, if it is still good.
    pub(super) fn check(&self, token: &str) -> Option<Grant> {
        let now = self.clock.now();
        let given = self.given();
        let grant = given.grants.iter().find(|grant| grant.token == token)?;
        (now < grant.expires).then(|| grant.clone())
    }

    /// Forgets all tokens.
    pub(super) fn revoke_all(&self) {
        self.given().grants.clear();
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn identity(seconds: &Arc<AtomicU64>) -> Identity {
        let seconds = Arc::clone(seconds);
        let clock = Clock::from_fn(move || {
            Timestamp::from_unix(Duration::from_secs(seconds.load(Ordering::Relaxed)))
        });
        let permissions = vec!["a.read".to_owned(), "b.read".to_owned()];
        Identity::new(permissions, Duration::from_mins(1), clock)
    }

    fn check(form: &str, expected: Result<&str, Refusal>) {
        let form = form
            .replace("ID", CLIENT_ID)
            .replace("SECRET", CLIENT_SECRET);
        let given = identity(&Arc::default()).give(form.as_bytes());
        assert_eq!(
            given.map(|grant| grant.scope).as_deref(),
            expected.as_ref().map(|s| *s),
            "{form}"
        );
    }

    #[test]
    fn credentials_are_really_checked() {
        const GRANT: &str = "grant_type=client_credentials";
        check(
            &format!("{GRANT}&client_id=ID&client_secret=SECRET&scope=a.read+b.read"),
            Ok("a.read b.read"),
        );
        for (rest, refusal) in [
            ("client_id=ID&client_secret=SECRET", INVALID_REQUEST),
            ("client_id=ID&client_secret=SECRET&scope=", INVALID_REQUEST),
            ("client_id=ID&scope=a.read", INVALID_REQUEST),
            (
                "client_id=ID&client_id=ID&client_secret=SECRET&scope=a.read",
                INVALID_REQUEST,
            ),
            (
                "client_id=x&client_secret=SECRET&scope=a.read",
                INVALID_CLIENT,
            ),
            ("client_id=ID&client_secret=x&scope=a.read", INVALID_CLIENT),
            (
                "client_id=ID&client_secret=SECRET&scope=a.read+c.read",
                INVALID_SCOPE,
            ),
        ] {
            check(&format!("{GRANT}&{rest}"), Err(refusal));
        }
        check("grant_type=password", Err(UNSUPPORTED_GRANT_TYPE));
        check("", Err(INVALID_REQUEST));
    }

    #[test]
    fn a_token_is_good_until_it_expires_or_is_revoked() {
        let seconds = Arc::default();
        let identity = identity(&seconds);
        let form = format!(
            "grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&scope=a.read"
        );
        let grant = identity.give(form.as_bytes()).unwrap();
        assert!(grant.allows("a.read") && !grant.allows("b.read"));
        assert!(identity.check("another").is_none());
        seconds.store(59, Ordering::Relaxed);
        assert!(identity.check(&grant.token).is_some());
        seconds.store(60, Ordering::Relaxed);
        assert!(identity.check(&grant.token).is_none());
        let grant = identity.give(form.as_bytes()).unwrap();
        identity.revoke_all();
        assert!(identity.check(&grant.token).is_none());
    }

    #[test]
    fn only_so_many_tokens_are_remembered() {
        let identity = identity(&Arc::default());
        let form = format!(
            "grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&scope=a.read"
        );
        let first = identity.give(form.as_bytes()).unwrap();
        for _ in 0..REMEMBERED {
            identity.give(form.as_bytes()).unwrap();
        }
        assert!(identity.check(&first.token).is_none());
        assert_eq!(identity.given().grants.len(), REMEMBERED);
    }
}
