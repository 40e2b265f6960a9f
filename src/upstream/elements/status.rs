//! The field `status` of a user: what is the matter with him, in three spellings.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use crate::config::StatusEncoding;
use crate::domain::CodeSet;

/// The field as it stands: documented as one number, in every current sample a list of codes. In the older form
/// of the listing the number is a set of bits.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Status {
    #[default]
    Missing,
    Number(i128),
    Codes(CodeSet),
}

impl Status {
    /// The findings.
    pub(super) fn codes(&self, encoding: StatusEncoding) -> Result<CodeSet, &'static str> {
        match self {
            Self::Missing => Ok(CodeSet::default()),
            Self::Codes(codes) => Ok(codes.clone()),
            Self::Number(number) => match encoding {
                StatusEncoding::Codes => i64::try_from(*number)
                    .map(|code| CodeSet::from_iter([code]))
                    .map_err(|_| "has a status that is no code"),
                StatusEncoding::Flags => u64::try_from(*number)
                    .map(flags)
                    .map_err(|_| "has a status that is no set of flags"),
            },
        }
    }
}

/// The codes whose bits are set: bit *n* is code *n*.
fn flags(bits: u64) -> CodeSet {
    (0..64).filter(|bit| bits >> bit & 1 == 1).collect()
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Status;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status code or a list of them")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Status, E> {
                Ok(Status::Missing)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Status, E> {
                Ok(Status::Number(number.into()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Status, E> {
                Ok(Status::Number(number.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Status, A::Error> {
                let mut codes = CodeSet::default();
                while let Some(code) = seq.next_element::<Option<i64>>()? {
                    if let Some(code) = code {
                        codes.insert(code);
                    }
                }
                Ok(Status::Codes(codes))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, encoding: StatusEncoding, expected: Option<&[i64]>) {
        let status: Status = serde_json::from_str(text).unwrap();
        let codes = status.codes(encoding).ok();
        assert_eq!(
            codes
                .map(|codes| codes.iter().collect::<Vec<_>>())
                .as_deref(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn a_number_is_one_code_or_a_set_of_flags_and_a_list_is_always_one_of_codes() {
        for (text, codes, flags) in [
            ("3", Some(&[3][..]), Some(&[0, 1][..])),
            ("13", Some(&[13]), Some(&[0, 2, 3])),
            ("4113", Some(&[4113]), Some(&[0, 4, 12])),
            ("0", Some(&[0]), Some(&[])),
            ("-1", Some(&[-1]), None),
            ("9223372036854775808", None, Some(&[63])),
            ("[13]", Some(&[13]), Some(&[13])),
            ("null", Some(&[]), Some(&[])),
        ] {
            check(text, StatusEncoding::Codes, codes);
            check(text, StatusEncoding::Flags, flags);
        }
    }
}
