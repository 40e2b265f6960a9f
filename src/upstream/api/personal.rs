//! The one-way door for personal data: identifiers come in as text and leave as keyed hashes.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::domain::{UserKey, UserKeys, guid};
use crate::upstream::http::json::{BROKEN, Text};

/// Hashes identifiers under a random key of this process (`SipHash`: who does not know the key can neither
/// guess a person from a number nor make two persons collide).
#[derive(Debug, Clone, Default)]
pub struct Pseudonyms(RandomState);

/// Keeps ids and addresses apart, should one ever look like the other.
const ID: u8 = 0;
const ADDRESS: u8 = 1;
const GUID: u8 = 2;

/// An address at most this long is brought to lower case without an allocation.
const SHORT: usize = 128;

impl Pseudonyms {
    /// The keys of a row's identifiers; `None` when it has none of them.
    pub(crate) fn keys(
        &self,
        id: Option<&Text<'_>>,
        mail: Option<&Text<'_>>,
        principal: Option<&Text<'_>>,
    ) -> Option<UserKeys> {
        let address = |text: Option<&Text<'_>>| self.address(&text?.0);
        let mail_key = address(mail);
        let text_of_both = |mail: &Text<'_>| principal.is_some_and(|text| text.0 == mail.0);
        let keys = UserKeys {
            id: id.and_then(|id| self.id(&id.0)),
            mail: mail_key,
            // Of most users it is the same text, and its hash is known then.
            principal: match mail {
                Some(mail) if text_of_both(mail) => mail_key,
                _ => address(principal),
            },
        };
        keys.identity().map(|_| keys)
    }

    /// The key of a user id; `None` when there is none. A GUID is the same however it is written, and the one of zeros
    /// is how .NET writes that there is none.
    fn id(&self, id: &str) -> Option<UserKey> {
        if is_broken(id) {
            return None;
        }
        match guid(id) {
            Some(0) => None,
            Some(bits) => self.hash(GUID, &bits.to_le_bytes()),
            None => self.hash(ID, id.trim().as_bytes()),
        }
    }

    /// The key of a mail address or principal name, without case and spaces around; `None` when there is none.
    fn address(&self, address: &str) -> Option<UserKey> {
        let address = address.trim();
        if is_broken(address) {
            return None;
        }
        let mut short = [0; SHORT];
        match short.get_mut(..address.len()) {
            Some(lower) if address.is_ascii() => {
                lower.copy_from_slice(address.as_bytes());
                lower.make_ascii_lowercase();
                self.hash(ADDRESS, lower)
            }
            // A capital sigma has two small forms, and which of them it becomes hangs on the letters around it:
            // an address in capitals would not be the same as that in small letters.
            _ => self.hash(ADDRESS, address.to_lowercase().replace('ς', "σ").as_bytes()),
        }
    }

    fn hash(&self, kind: u8, bytes: &[u8]) -> Option<UserKey> {
        if bytes.is_empty() {
            return None;
        }
        let mut hasher = self.0.build_hasher();
        hasher.write_u8(kind);
        hasher.write(bytes);
        // The one hash that is zero gives its place to its neighbour.
        Some(UserKey::new(hasher.finish()).unwrap_or(UserKey::MIN))
    }
}

/// Whether a part of a text was not readable: two texts that differ there alone would be one.
fn is_broken(text: &str) -> bool {
    text.contains(BROKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_readable_is_nobody() {
        let keys = Pseudonyms::default();
        assert_eq!(keys.address("m\u{fdd0}ller@contoso.example"), None);
        assert_eq!(keys.id("a\u{fdd0}"), None);
        assert_ne!(keys.id("a\u{fffd}"), None, "text like any other");
    }

    #[test]
    fn addresses_are_compared_without_case_and_ids_with_it() {
        let keys = Pseudonyms::default();
        assert_eq!(
            keys.address("Alice@Contoso.example"),
            keys.address("alice@contoso.EXAMPLE")
        );
        assert_eq!(
            keys.address("ÄNNE@contoso.example"),
            keys.address("änne@contoso.example")
        );
        assert_eq!(
            keys.address("ΝΊΚΟΣ.Μ@contoso.example"),
            keys.address("νίκος.μ@contoso.example")
        );
        let long = "A".repeat(1000);
        assert_eq!(keys.address(&long), keys.address(&long.to_lowercase()));
        assert_ne!(keys.id("A"), keys.id("a"));
        assert_eq!(keys.id(" A\t"), keys.id("A"));
        assert_eq!(
            keys.address(" alice@contoso.example\u{a0}"),
            keys.address("Alice@contoso.example")
        );
    }

    #[test]
    fn a_guid_is_the_same_however_it_is_written_and_that_of_zeros_is_none() {
        let keys = Pseudonyms::default();
        let one = keys.id("00000000-0000-4000-8000-00000000000a");
        for same in [
            "00000000-0000-4000-8000-00000000000A",
            "{00000000-0000-4000-8000-00000000000A}",
            "0000000000004000800000000000000a",
            " {0000000000004000800000000000000A} ",
        ] {
            assert_eq!(keys.id(same), one, "{same}");
        }
        for other in [
            "{00000000-0000-4000-8000-00000000000a",
            "00000000-0000-4000-8000-00000000000b",
            "00000000-000040008000-00000000000a",
        ] {
            assert_ne!(keys.id(other), one, "{other}");
        }
        assert_eq!(keys.id("00000000-0000-0000-0000-000000000000"), None);
        assert_eq!(keys.id(" "), None);
    }

    #[test]
    fn an_id_is_never_taken_for_an_address() {
        let keys = Pseudonyms::default();
        assert_ne!(
            keys.id("alice@contoso.example"),
            keys.address("alice@contoso.example")
        );
    }

    #[test]
    fn a_mail_address_and_a_principal_name_are_compared_like_two_mail_addresses() {
        let text = |text: &'static str| Text(text.into());
        let pseudonyms = Pseudonyms::default();
        let keys =
            |mail, principal| pseudonyms.keys(None, Some(&text(mail)), Some(&text(principal)));
        for (mail, principal, equal) in [
            ("alice@contoso.example", "alice@contoso.example", true),
            ("Alice@contoso.example", "alice@contoso.example", true),
            ("alice@contoso.example", "bob@contoso.example", false),
            ("alice@contoso.example", "", false),
        ] {
            let keys = keys(mail, principal).unwrap();
            assert_eq!(keys.mail == keys.principal, equal, "{mail} {principal}");
            assert_eq!(keys.mail, pseudonyms.address(mail));
            assert_eq!(keys.principal, pseudonyms.address(principal));
        }
        assert_eq!(keys("", ""), None);
    }

    #[test]
    fn nothing_is_nobody() {
        assert_eq!(Pseudonyms::default().id(""), None);
        assert_eq!(Pseudonyms::default().address(""), None);
    }

    #[test]
    fn another_process_gives_other_numbers() {
        assert_ne!(
            Pseudonyms::default().id("alice"),
            Pseudonyms::default().id("alice")
        );
    }
}
