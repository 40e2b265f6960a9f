//! Basic authentication: who gives a right password. bcrypt is slow on purpose, so it runs on threads of its own, a few
//! at a time, and a password that was right once is known again by a keyed hash.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, HeaderMap};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::config::web::{BCRYPT_BASE64, PasswordHash};

/// bcrypt reads no more of a password, with the zero that ends it.
const MOST_BYTES: usize = 72;

/// The users of one version of the web configuration.
pub(super) struct Passwords {
    users: HashMap<String, PasswordHash>,
    /// What an unknown user is compared with, so that it takes no less time than the slowest user.
    nobody: PasswordHash,
    /// Of each user who has signed in, the keyed hash of the last password.
    known: Mutex<HashMap<String, Vec<u8>>>,
    /// `None` if the system gives no random numbers: then nothing is remembered.
    key: Option<hmac::Key>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

/// A user's name and password as a request gives them.
pub(super) struct Credentials {
    user: Vec<u8>,
    password: Zeroizing<Vec<u8>>,
}

/// The credentials of a request, if it has any that can be read.
pub(super) fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    const SCHEME: &str = "Basic ";
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    let text = Zeroizing::new(BASE64_STANDARD.decode(encoded).ok()?);
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (user, password) = text.split_at(colon);
    Some(Credentials {
        user: user.to_vec(),
        password: password.get(1..)?.to_vec().into(),
    })
}

impl Passwords {
    /// These users; of those that were the same before, it is remembered who has signed in.
    pub(super) fn new(users: HashMap<String, PasswordHash>, before: Option<&Self>) -> Self {
        let cost = users.values().map(|hash| hash.cost).max().unwrap_or(10);
        let mut known = HashMap::new();
        if let Some(before) = before {
            known.clone_from(&before.known.lock().unwrap_or_else(PoisonError::into_inner));
            known.retain(|user, _| users.get(user) == before.users.get(user));
        }
        let key = before.and_then(|before| before.key.clone());
        Self {
            users,
            nobody: PasswordHash {
                cost,
                salt: Some([0; 16]),
                digest: Vec::new(),
            },
            known: Mutex::new(known),
            key: key.or_else(|| {
                hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok()
            }),
        }
    }

    /// The keyed hash of a password of this user.
    fn tag(&self, user: &str, password: &[u8]) -> Option<Vec<u8>> {
        let mut tag = hmac::Context::with_key(self.key.as_ref()?);
        tag.update(&user.len().to_be_bytes());
        tag.update(user.as_bytes());
        tag.update(password);
        Some(tag.sign().as_ref().to_vec())
    }

    fn is_known(&self, user: &str, password: &[u8]) -> bool {
        let Some(tag) = self.tag(user, password) else {
            return false;
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(user);
        known.is_some_and(|known| verify_slices_are_equal(known, &tag).is_ok())
    }

    fn remember(&self, user: &str, password: &[u8]) {
        if let Some(tag) = self.tag(user, password) {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(user.to_owned(), tag);
        }
    }

    /// Compares with the user's hash, for as long as its cost demands.
    fn compare(&self, user: Option<&str>, password: &[u8]) -> bool {
        let hash = user.and_then(|user| self.users.get(user));
        let fits = fits(hash.unwrap_or(&self.nobody), password);
        fits && hash.is_some()
    }
}

/// Whether a password is that of a hash. One that is not whole takes no time.
fn fits(hash: &PasswordHash, password: &[u8]) -> bool {
    let Some(salt) = hash.salt else {
        return false;
    };
    let mut bytes = Zeroizing::new(password.to_vec());
    bytes.push(0);
    bytes.truncate(MOST_BYTES);
    let digest = bcrypt::bcrypt(hash.cost, salt, &bytes);
    // The last byte is not part of a hash.
    let digest = digest
        .split_last()
        .map(|(_, digest)| BCRYPT_BASE64.encode(digest));
    digest.is_some_and(|digest| verify_slices_are_equal(digest.as_bytes(), &hash.digest).is_ok())
}

/// Compares passwords, a few at a time.
#[derive(Debug)]
pub(super) struct Doorman {
    places: Arc<Semaphore>,
}

impl Default for Doorman {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            places: Arc::new(Semaphore::new((cores / 2).max(1))),
        }
    }
}

impl Doorman {
    /// Whether these are the credentials of a user.
    pub(super) async fn knows(&self, passwords: &Arc<Passwords>, given: Credentials) -> bool {
        let user = std::str::from_utf8(&given.user).ok();
        let user = user
            .filter(|user| passwords.users.contains_key(*user))
            .map(str::to_owned);
        let is_known = |user: &Option<String>| {
            let user = user.as_deref();
            user.is_some_and(|user| passwords.is_known(user, &given.password))
        };
        if is_known(&user) {
            return true;
        }
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
            return false;
        };
        // Another request may have brought it in the meantime.
        if is_known(&user) {
            return true;
        }
        let passwords = Arc::clone(passwords);
        let compared = tokio::task::spawn_blocking(move || {
            // Kept even if the client does not wait for the answer: it is the work that is bounded.
            let _place = place;
            let fits = passwords.compare(user.as_deref(), &given.password);
            if let Some(user) = user.filter(|_| fits) {
                passwords.remember(&user, &given.password);
            }
            fits
        });
        compared.await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(cost: u32, names: &[(&str, &str)]) -> Arc<Passwords> {
        let hash = |password: &str| {
            let mut bytes = password.as_bytes().to_vec();
            bytes.push(0);
            let salt = [7; 16];
            let digest = bcrypt::bcrypt(cost, salt, &bytes);
            PasswordHash {
                cost,
                salt: Some(salt),
                digest: BCRYPT_BASE64.encode(&digest[..23]).into_bytes(),
            }
        };
        let users = names
            .iter()
            .map(|(name, password)| ((*name).to_owned(), hash(password)));
        Arc::new(Passwords::new(users.collect(), None))
    }

    fn given(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, text.parse().unwrap());
        headers
    }

    async fn knows(passwords: &Arc<Passwords>, user: &str, password: &str) -> bool {
        let text = format!(
            "Basic {}",
            BASE64_STANDARD.encode(format!("{user}:{password}"))
        );
        let given = credentials(&given(&text)).unwrap();
        Doorman::default().knows(passwords, given).await
    }

    #[tokio::test]
    async fn a_right_password_is_known_and_no_other() {
        let passwords = users(4, &[("amy", "secret"), ("ben", "")]);
        for _ in 0..2 {
            assert!(knows(&passwords, "amy", "secret").await);
            assert!(knows(&passwords, "ben", "").await);
            assert!(!knows(&passwords, "amy", "Secret").await);
            assert!(!knows(&passwords, "amy", "").await);
            assert!(!knows(&passwords, "ben", "secret").await);
            assert!(!knows(&passwords, "cleo", "secret").await);
            assert!(!knows(&passwords, "", "").await);
        }
        assert_eq!(passwords.known.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn of_a_long_password_bcrypt_reads_72_bytes() {
        let long = "x".repeat(71);
        let passwords = users(4, &[("amy", &long)]);
        assert!(knows(&passwords, "amy", &long).await);
        assert!(!knows(&passwords, "amy", &"x".repeat(72)).await);
        // Passwords that end alike do not make the memory grow.
        assert_eq!(passwords.known.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn who_stays_is_still_known_after_a_change_of_others() {
        let before = users(
            4,
            &[("amy", "secret"), ("ben", "secret"), ("cleo", "secret")],
        );
        for user in ["amy", "ben", "cleo"] {
            assert!(knows(&before, user, "secret").await);
        }
        let mut changed = users(4, &[("amy", "secret"), ("ben", "other")])
            .users
            .clone();
        changed.extend(users(4, &[("dan", "secret")]).users.clone());
        let after = Passwords::new(changed, Some(&before));
        let known = after.known.lock().unwrap();
        assert_eq!(known.keys().collect::<Vec<_>>(), ["amy"]);
    }

    #[test]
    fn an_unknown_user_costs_as_much_as_the_most_expensive() {
        let mut all = users(5, &[("amy", "secret")]).users.clone();
        all.extend(users(4, &[("ben", "secret")]).users.clone());
        assert_eq!(Passwords::new(all, None).nobody.cost, 5);
    }

    #[test]
    fn only_whole_basic_credentials_are_read() {
        let read = |text: &str| {
            let found = credentials(&given(text))?;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            Some((text(&found.user), text(&found.password)))
        };
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(read("Basic YTpi"), pair("a", "b"));
        assert_eq!(read("bAsIc YTpi"), pair("a", "b"));
        assert_eq!(read("Basic YTpiOmM="), pair("a", "b:c"));
        assert_eq!(read("Basic Og=="), pair("", ""));
        for text in [
            "Basic",
            "Basic ",
            "Basic YQ==",
            "Basic YTpi=",
            "Basic YTpiOmM",
            "Basic  YTpi",
            "Basic not base64",
            "Bearer YTpi",
            "YTpi",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(credentials(&HeaderMap::new()).is_none());
    }
}
