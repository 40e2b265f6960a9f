//! What Microsoft Partner Center says of a user, in its own words.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! word {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident => $label:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$of])* $variant,)+
            /// A number that has no documented meaning.
            Number(i64),
            /// Another word, or none.
            Unknown,
        }

        impl $name {
            /// Those with a documented meaning.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            /// The value's label.
            pub fn label(self) -> Cow<'static, str> {
                match self {
                    $(Self::$variant => Cow::Borrowed($label),)+
                    Self::Number(number) => Cow::Owned(format!("unknown_{number}")),
                    Self::Unknown => Cow::Borrowed("unknown"),
                }
            }
        }

        impl From<&str> for $name {
            /// Reads the word, whatever its letter case.
            fn from(word: &str) -> Self {
                match word {
                    $(_ if word.eq_ignore_ascii_case($label) => Self::$variant,)+
                    _ => Self::Unknown,
                }
            }
        }

        impl From<i64> for $name {
            /// Numbers are legal there, and none is documented.
            fn from(number: i64) -> Self {
                Self::Number(number)
            }
        }
    };
}

word!(
    /// Whether a user exists. Source: Partner Center's `state`.
    UserState {
        /// The user exists, whether or not signing in is allowed.
        Active => "active",
        /// The user was deleted, and is kept for 30 days.
        Inactive => "inactive",
    }
);

word!(
    /// Where a user signs in. Source: Partner Center's `userDomainType`.
    DomainType {
        /// Nowhere.
        None => "none",
        /// At Microsoft.
        Managed => "managed",
        /// At the customer's own identity provider.
        Federated => "federated",
    }
);

/// A country by its two letters, in capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

impl Country {
    /// Reads two letters, whatever their case. Anything else is no country, and must not become a label: it is the
    /// sender's text.
    pub fn new(text: &str) -> Option<Self> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Self([a, b].map(|letter| letter.to_ascii_uppercase())))
            }
            _ => None,
        }
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl TryFrom<String> for Country {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("not two letters")
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.to_string()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_without_case_and_numbers_keep_their_number() {
        assert_eq!(UserState::from("Active"), UserState::Active);
        assert_eq!(DomainType::from("FEDERATED").label(), "federated");
        assert_eq!(DomainType::from("guest").label(), "unknown");
        assert_eq!(UserState::from(2).label(), "unknown_2");
    }

    #[test]
    fn a_country_is_two_letters_and_nothing_else() {
        assert_eq!(Country::new("us").unwrap().to_string(), "US");
        for text in ["", "U", "USA", "U1", "Ü", "Alice"] {
            assert_eq!(Country::new(text), None, "{text}");
        }
    }
}
