//! `basic_auth_users`: bcrypt's hashes, taken apart as Go's library does.

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// The base64 of bcrypt. Of a salt's last letter two bits count.
pub const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A shorter text is no hash to Go.
const MIN_LEN: usize = 59;
const SALT_LEN: usize = 22;
const DIGEST_LEN: usize = 31;

/// The hash of a password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PasswordHash {
    /// The number of rounds is 2 to the power of it; 4 to 31.
    pub cost: u32,
    /// `None` if it is not in the base64 of bcrypt: then no password fits.
    pub salt: Option<[u8; 16]>,
    /// The digest in the base64 of bcrypt, without what may stand behind it.
    pub digest: Vec<u8>,
}

/// Says nothing of a secret.
impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordHash")
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

impl PasswordHash {
    /// The hash that a text is, or what it should be.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "is not a bcrypt hash; expected one such as that of htpasswd -nBC 10, from $2y$ on";
        let bytes = text.as_bytes();
        let [b'$', major, minor, rest @ ..] = bytes else {
            return Err(EXPECTED);
        };
        if bytes.len() < MIN_LEN || *major > b'2' {
            return Err(EXPECTED);
        }
        let rest = if *minor == b'$' {
            rest
        } else {
            rest.get(1..).ok_or(EXPECTED)?
        };
        let (cost, rest) = rest.split_at_checked(2).ok_or(EXPECTED)?;
        let cost = std::str::from_utf8(cost)
            .ok()
            .and_then(|cost| cost.parse().ok());
        let cost: u32 = cost.ok_or(EXPECTED)?;
        if !(4..=31).contains(&cost) {
            return Err("has a cost that bcrypt does not know; expected one of 04 to 31");
        }
        let (salt, digest) = rest
            .get(1..)
            .and_then(|rest| rest.split_at_checked(SALT_LEN))
            .ok_or(EXPECTED)?;
        let salt = BCRYPT_BASE64.decode(salt).ok();
        Ok(Self {
            cost,
            salt: salt.and_then(|salt| salt.try_into().ok()),
            digest: digest.get(..DIGEST_LEN).unwrap_or(digest).to_vec(),
        })
    }

    /// Whether any password can fit it.
    pub fn is_complete(&self) -> bool {
        let decoded = BCRYPT_BASE64.decode(&self.digest);
        self.salt.is_some() && self.digest.len() == DIGEST_LEN && decoded.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

    #[test]
    fn hashes_are_those_that_go_takes() {
        for (text, cost) in [
            (HASH.to_owned(), 10),
            (HASH.replace("$2y$", "$2a$"), 10),
            (HASH.replace("$2y$", "$2b$"), 10),
            (HASH.replace("$2y$", "$2x$"), 10),
            (HASH.replace("$2y$", "$2$"), 10),
            (HASH.replace("$10$", "$04$"), 4),
            (HASH.replace("$10$", "$31$"), 31),
            (format!("{HASH}and more"), 10),
        ] {
            let hash = PasswordHash::parse(&text).unwrap();
            assert_eq!((hash.cost, hash.is_complete()), (cost, true), "{text}");
        }
        let broken = PasswordHash::parse(&HASH.replace('X', "!")).unwrap();
        assert!(!broken.is_complete());
        assert!(!format!("{broken:?}").contains("ubFi6"));
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for text in [
            String::new(),
            "secret".to_owned(),
            HASH[1..].to_owned(),
            HASH[..58].to_owned(),
            HASH.replace("$2y$", "$3y$"),
            HASH.replace("$10$", "$03$"),
            HASH.replace("$10$", "$32$"),
            HASH.replace("$10$", "$ab$"),
            "é".repeat(40),
        ] {
            assert!(PasswordHash::parse(&text).is_err(), "{text}");
        }
    }
}
