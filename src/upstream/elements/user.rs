//! A user of Elements' user management, as several of its listings describe one.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IntoDeserializer as _, SeqAccess, Visitor};

use crate::config::StatusEncoding;
use crate::domain::{CodeSet, UserKeys};
use crate::upstream::api::Pseudonyms;
use crate::upstream::api::rows::{NOBODY, Rows};
use crate::upstream::http::json::{Flag, Text, Whole, wire};

/// A row, without anything personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementsUser {
    /// Who it is.
    pub keys: UserKeys,
    /// The findings, as codes of [`crate::domain::SecurityStatus`].
    pub statuses: CodeSet,
    /// Whether upstream marks the user as one for tests.
    pub is_test_user: bool,
}

/// Reads such users.
#[derive(Debug)]
pub(crate) struct UserRows<'a> {
    pub(crate) pseudonyms: &'a Pseudonyms,
    /// What a single number in `status` means.
    pub(crate) encoding: StatusEncoding,
}

impl Rows for UserRows<'_> {
    type Row = ElementsUser;
    type Wire<'de> = UserWire<'de>;

    fn row(&self, wire: &UserWire<'_>) -> Result<ElementsUser, &'static str> {
        let UserWire {
            id,
            mail,
            user_principal_name,
            is_test_user,
            status,
        } = wire;
        let keys = self
            .pseudonyms
            .keys(id.as_ref(), mail.as_ref(), user_principal_name.as_ref());
        Ok(ElementsUser {
            keys: keys.ok_or(NOBODY)?,
            statuses: status.codes(self.encoding)?,
            is_test_user: is_test_user.0.unwrap_or(false),
        })
    }
}

wire! {
    /// The fields that are read of a row.
    pub(crate) struct UserWire<'de>: "a security user" {
        "id" => id: Option<Text<'de>>,
        "mail" => mail: Option<Text<'de>>,
        "userPrincipalName" => user_principal_name: Option<Text<'de>>,
        "isTestUser" => is_test_user: Flag,
        "status" => status: Status,
    }
}

/// The field as it stands: documented as one number, in every current sample a list of codes. In the older form
/// of the listing the number is a set of bits.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Status {
    #[default]
    Missing,
    Number(i128),
    Codes(CodeSet),
}

impl Status {
    /// The findings.
    fn codes(&self, encoding: StatusEncoding) -> Result<CodeSet, &'static str> {
        match self {
            Self::Missing => Ok(CodeSet::default()),
            Self::Codes(codes) => Ok(codes.clone()),
            Self::Number(number) => match encoding {
                StatusEncoding::Codes => i64::try_from(*number)
                    .map(|code| CodeSet::from_iter([code]))
                    .map_err(|_| "has an invalid status code"),
                StatusEncoding::Flags => u64::try_from(*number)
                    .map(flags)
                    .map_err(|_| "has an invalid set of status flags"),
            },
        }
    }
}

/// The codes whose bits are set: bit *n* is code *n*.
fn flags(bits: u64) -> CodeSet {
    (0..64).filter(|bit| bits >> bit & 1 == 1).collect()
}

impl From<Whole> for Status {
    fn from(Whole(number): Whole) -> Self {
        number.map_or(Self::Missing, Self::Number)
    }
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

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Status, E> {
                Whole::deserialize(number.into_deserializer()).map(Status::from)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Status, E> {
                Whole::deserialize(text.into_deserializer()).map(Status::from)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Status, A::Error> {
                let mut codes = CodeSet::default();
                while let Some(Whole(code)) = seq.next_element()? {
                    if let Some(code) = code {
                        codes.insert(i64::try_from(code).map_err(|_| {
                            de::Error::invalid_value(
                                de::Unexpected::Other("number"),
                                &"a status code",
                            )
                        })?);
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
    use crate::upstream::http::json::{JsonError, read};

    fn user(row: &str) -> Option<ElementsUser> {
        let rows = UserRows {
            pseudonyms: &Pseudonyms::default(),
            encoding: StatusEncoding::Codes,
        };
        rows.row(&read(row.as_bytes()).unwrap()).ok()
    }

    #[track_caller]
    fn check(status: &str, expected: &[i64]) {
        let user = user(&format!(r#"{{"id": "a", "status": {status}}}"#)).unwrap();
        assert_eq!(user.statuses.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_status_is_read_as_a_code_and_as_a_list_of_codes() {
        check("3", &[3]);
        check("[0, 3, 3]", &[0, 3]);
        check("[]", &[]);
        check("null", &[]);
        check("[null, 5]", &[5]);
        check("[4113, -1]", &[4113, -1]);
        check("\"3\"", &[3]);
        check("3.0", &[3]);
        check("\"\"", &[]);
        check("[\"0\", 3.0]", &[0, 3]);
    }

    #[test]
    fn a_status_of_another_kind_fails_the_page_rather_than_being_shown_as_none() {
        for status in ["\"high\"", "[\"high\"]", "true", "3.5", "{}", "[[3]]"] {
            let row = format!(r#"{{"id": "a", "status": {status}}}"#);
            assert!(
                matches!(
                    read::<UserWire<'_>>(row.as_bytes()),
                    Err(JsonError::Unexpected(_))
                ),
                "{status}"
            );
        }
    }

    #[test]
    fn a_user_is_told_apart_by_id_else_mail_else_principal_name() {
        let identity = |row: &str| {
            let keys = user(row)?.keys;
            [keys.id, keys.mail, keys.principal]
                .iter()
                .position(|key| *key == keys.identity())
        };
        assert_eq!(
            identity(r#"{"id": "a", "mail": "b", "userPrincipalName": "c"}"#),
            Some(0)
        );
        assert_eq!(
            identity(r#"{"id": null, "mail": "b", "userPrincipalName": "c"}"#),
            Some(1)
        );
        assert_eq!(identity(r#"{"Id": "", "UserPrincipalName": "c"}"#), Some(2));
        assert_eq!(identity(r#"{"displayName": "d"}"#), None);
    }

    #[track_caller]
    fn check_encoded(text: &str, encoding: StatusEncoding, expected: Option<&[i64]>) {
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
            check_encoded(text, StatusEncoding::Codes, codes);
            check_encoded(text, StatusEncoding::Flags, flags);
        }
    }
}
