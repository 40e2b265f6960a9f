//! Counts users once: rows can move between pages while a listing is read, so a user may come twice.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use crate::domain::UserKey;

/// The users of one listing so far. About 9 bytes for each place in the table, which is at least half full.
#[derive(Debug, Default)]
pub(in crate::collectors) struct SeenUsers(HashSet<UserKey, BuildHasherDefault<Itself>>);

/// No listing gets room for more users in advance than this, whatever it says of itself: 2 MiB.
const MOST_RESERVED: u64 = 200_000;

impl SeenUsers {
    /// Makes room for the listing's users at once, so that the table is never copied while it grows.
    pub(in crate::collectors) fn expect(&mut self, total: Option<u64>) {
        let total = usize::try_from(total.unwrap_or(0).min(MOST_RESERVED)).unwrap_or(0);
        self.0.reserve(total.saturating_sub(self.0.len()));
    }

    /// Whether this is the user's first row. A row without any identifier never gets here.
    pub(in crate::collectors) fn is_first(&mut self, user: Option<UserKey>) -> bool {
        user.is_some_and(|user| self.0.insert(user))
    }

    pub(in crate::collectors) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Takes a key for its own hash: it is one, under a secret key.
#[derive(Debug, Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
