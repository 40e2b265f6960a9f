//! The access tokens that a token service gave, and until when they are good. Knows nothing of how they
//! are asked for.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::{Clock, Timestamp};

/// So many tokens are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 256;

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

/// The tokens of one service.
#[derive(Debug)]
pub(super) struct Grants {
    /// What its tokens begin with; a number follows.
    name: &'static str,
    lifetime: Duration,
    clock: Clock,
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    count: u64,
    grants: VecDeque<Grant>,
}

impl Grants {
    pub(super) fn new(name: &'static str, lifetime: Duration, clock: Clock) -> Self {
        Self {
            name,
            lifetime,
            clock,
            given: Mutex::default(),
        }
    }

    /// Gives a new token.
    pub(super) fn give(&self, scope: &str) -> Grant {
        let mut given = self.given();
        given.count += 1;
        let grant = Grant {
            token: format!("{}-{}", self.name, given.count),
            scope: scope.to_owned(),
            expires: self.clock.now().after(self.lifetime),
        };
        given.grants.truncate(REMEMBERED - 1);
        given.grants.push_front(grant.clone());
        grant
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
    use crate::simulator::tests::clock;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    #[test]
    fn a_token_is_good_until_it_expires_or_is_revoked() {
        let seconds = Arc::default();
        let grants = Grants::new("token", Duration::from_mins(1), clock(&seconds));
        let grant = grants.give("a.read");
        assert!(grant.allows("a.read") && !grant.allows("b.read"));
        assert!(grants.check("another").is_none());
        seconds.store(59, Ordering::Relaxed);
        assert!(grants.check(&grant.token).is_some());
        seconds.store(60, Ordering::Relaxed);
        assert!(grants.check(&grant.token).is_none());
        let grant = grants.give("a.read");
        grants.revoke_all();
        assert!(grants.check(&grant.token).is_none());
    }

    #[test]
    fn only_so_many_tokens_are_remembered() {
        let grants = Grants::new("token", Duration::from_mins(1), Clock::system());
        let first = grants.give("a.read");
        for _ in 0..REMEMBERED {
            grants.give("a.read");
        }
        assert!(grants.check(&first.token).is_none());
        assert_eq!(grants.given().grants.len(), REMEMBERED);
    }
}
