//! What remains of a person after a page was read: numbers that mean nothing outside this process.

use std::num::NonZeroU64;

/// A keyed hash of one of a user's identifiers. The key is random per process and never stored, so the
/// number tells nothing about the person.
pub type UserKey = NonZeroU64;

/// The identifiers of one row, hashed. An identifier that the row lacks, or has empty, is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserKeys {
    /// The user's id.
    pub id: Option<UserKey>,
    /// The mail address, letter case aside.
    pub mail: Option<UserKey>,
    /// The user principal name, letter case aside; hashed like `mail`, so that the two can be compared.
    pub principal: Option<UserKey>,
}

impl UserKeys {
    /// What tells this user from others of the same listing: the id, else the mail address, else the
    /// principal name. `None` for a row that has none of them.
    pub fn identity(&self) -> Option<UserKey> {
        self.id.or(self.mail).or(self.principal)
    }
}
