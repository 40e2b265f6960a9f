//! Reading JSON that nobody vouches for: names in camel or Pascal case, unknown fields skipped, depth
//! bounded, and errors that never quote the text, which may be personal data.

mod repair;
mod scalar;
mod wire;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

pub(crate) use repair::{BROKEN, repaired};
pub(crate) use scalar::{Flag, Lenient, MaybeWhole, Whole, Word};
pub(crate) use wire::wire;

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// The text ends inside a value.
    Truncated(String),
    /// The text nests deeper, or lists more, than any real answer.
    TooMuch(String),
    /// The text is not valid JSON, or not of the expected shape.
    Unexpected(String),
}

/// The longest list that is read. An item takes some hundred bytes of memory however short it is on the wire,
/// so the bound on a body's bytes alone would let `[{},{},…]` take many times as much. A page has 100 rows, or 500 in
/// Partner Center.
const MOST_ITEMS: usize = 10_000;

/// What the error of a longer one begins with.
const TOO_LONG: &str = "list too long";

/// Longer than any name of a field that is read.
const LONGEST_NAME: usize = 64;

/// Reads a whole body, which is one object. A byte order mark at its start is skipped.
pub(crate) fn read<'de, T: Fields<'de>>(body: &'de [u8]) -> Result<T, JsonError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // Checked as a whole, which is faster than each text for itself.
    let text = std::str::from_utf8(body).map_err(|error| match error.error_len() {
        None => JsonError::Truncated("inside a character".to_owned()),
        Some(_) => JsonError::Unexpected(format!("invalid UTF-8 at byte {}", error.valid_up_to())),
    })?;
    let Object(object) = serde_json::from_str(text).map_err(|error| describe(&error))?;
    Ok(object)
}

/// Says where and what, without the text that was found there.
fn describe(error: &serde_json::Error) -> JsonError {
    let place = format!("at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    match error.classify() {
        serde_json::error::Category::Eof => JsonError::Truncated(place),
        // No other category or code tells this one apart.
        _ if message.starts_with("recursion limit exceeded") => {
            JsonError::TooMuch(format!("nested too deeply {place}"))
        }
        _ if message.starts_with(TOO_LONG) => {
            JsonError::TooMuch(format!("a list of more than {MOST_ITEMS} items {place}"))
        }
        serde_json::error::Category::Data => {
            // serde's messages are "<what was found, quoted>, expected <what our code says> at line …":
            // only the last part is free of the answer's text.
            let (message, _) = message.rsplit_once(" at line ").unwrap_or((&message, ""));
            match message.rsplit_once(", expected ") {
                Some((_, expected)) => {
                    JsonError::Unexpected(format!("{expected} expected {place}"))
                }
                None => JsonError::Unexpected(format!("unexpected shape {place}")),
            }
        }
        _ => JsonError::Unexpected(format!("invalid JSON {place}")),
    }
}

/// An object of the wire: named fields, of which some are read. [`wire!`] implements it.
///
/// Not derived by serde, for two reasons: a derived reader skips unknown values without any bound on
/// their depth, and needs an alias for each name's other spelling.
pub(crate) trait Fields<'de>: Default {
    /// What the object is, for error messages.
    const EXPECTED: &'static str;

    /// Reads the value of the field `name` (in camel case), or skips it by [`skip`].
    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Skips the value of a field.
pub(crate) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<Skipped>().map(|_| ())
}

/// Reads an object by its [`Fields`].
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Fields<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<'de, T: Fields<'de>> Visitor<'de> for Reader<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
                let mut object = T::default();
                let mut space = [0; LONGEST_NAME];
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    object.field(camel_case(&name.0, &mut space), &mut map)?;
                }
                Ok(object)
            }
        }

        deserializer
            .deserialize_map(Reader(PhantomData))
            .map(Object)
    }
}

/// Reads an object by its [`Fields`]; `null` and a missing field give an empty one.
#[derive(Default)]
pub(crate) struct OrDefault<T>(pub(crate) T);

impl<'de, T: Fields<'de>> Deserialize<'de> for OrDefault<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object: Option<Object<T>> = Option::deserialize(deserializer)?;
        Ok(object.map_or_else(Self::default, |Object(object)| Self(object)))
    }
}

/// A name with its first letter small, which takes `space` where it is a capital. A name that does not fit into
/// it is none that is read, and stays as it is.
fn camel_case<'a>(name: &'a str, space: &'a mut [u8; LONGEST_NAME]) -> &'a str {
    if !name.starts_with(|first: char| first.is_ascii_uppercase()) {
        return name;
    }
    let Some(camel) = space.get_mut(..name.len()) else {
        return name;
    };
    camel.copy_from_slice(name.as_bytes());
    if let Some(first) = camel.first_mut() {
        first.make_ascii_lowercase();
    }
    std::str::from_utf8(camel).unwrap_or(name)
}

/// A list, bounded in its length.
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == MOST_ITEMS {
                        return Err(de::Error::custom(TOO_LONG));
                    }
                    items.push(item);
                }
                Ok(List(items))
            }
        }

        deserializer.deserialize_seq(Reader(PhantomData))
    }
}

/// Text, borrowed from the body unless it holds escapes.
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Reader)
    }
}

/// A value that nobody needs. serde's own [`IgnoredAny`] would do, did it not follow any depth.
struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Skipped;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Skipped, A::Error> {
                while seq.next_element::<Skipped>()?.is_some() {}
                Ok(Skipped)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Skipped, A::Error> {
                while map.next_entry::<IgnoredAny, Skipped>()?.is_some() {}
                Ok(Skipped)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    wire! {
        struct Person: "a person" {
            "ageInYears" => age: Option<u64>,
            "luckyNumbers" => lucky_numbers: Option<List<u8>>,
        }
    }

    #[track_caller]
    fn check(body: &str, expected: &Result<Option<u64>, JsonError>) {
        assert_eq!(
            &read::<Person>(body.as_bytes()).map(|person| person.age),
            expected
        );
    }

    #[test]
    fn names_are_read_in_camel_and_in_pascal_case() {
        check(r#"{"ageInYears": 7}"#, &Ok(Some(7)));
        check(r#"{"AgeInYears": 7}"#, &Ok(Some(7)));
        check(r#"{"\u0041geInYears": 7}"#, &Ok(Some(7)));
        let body = format!(r#"{{"{}": 1, "AgeInYears": 7}}"#, "ÄgeAge".repeat(100));
        check(&body, &Ok(Some(7)));
        check(&body.replace('Ä', "A"), &Ok(Some(7)));
    }

    #[test]
    fn null_and_missing_are_the_same_and_unknown_fields_are_skipped() {
        check(r#"{"ageInYears": null}"#, &Ok(None));
        check("\u{feff}{}", &Ok(None));
        check(
            r#"{"": 1, "x": [1, -2, 3.5e300, "\n", {"ageInYears": 9}, true, null], "ageInYears": 7}"#,
            &Ok(Some(7)),
        );
    }

    #[test]
    fn an_error_names_the_place_and_the_expectation_but_not_the_text() {
        let unexpected = |text: &str| Err(JsonError::Unexpected(text.to_owned()));
        check(
            r#"{"ageInYears": "alice, expected x"}"#,
            &unexpected("u64 expected at line 1 column 34"),
        );
        check(
            r#""alice@contoso.example""#,
            &unexpected("a person expected at line 1 column 23"),
        );
        check(
            "<html>alice</html>",
            &unexpected("invalid JSON at line 1 column 1"),
        );
        check("{} alice", &unexpected("invalid JSON at line 1 column 4"));
    }

    #[test]
    fn a_body_that_ends_early_is_told_apart_from_a_wrong_one() {
        for body in ["", "{", r#"{"ageInY"#, r#"{"ageInYears": 7"#, r#"{"x": ["#] {
            assert!(
                matches!(
                    read::<Person>(body.as_bytes()),
                    Err(JsonError::Truncated(_))
                ),
                "{body}"
            );
        }
    }

    #[test]
    fn a_body_that_is_no_utf8_or_ends_inside_a_character_is_refused() {
        let body = "{\"name\": \"Ä\"}".as_bytes();
        assert!(matches!(
            read::<Person>(&body[..11]),
            Err(JsonError::Truncated(_))
        ));
        let latin1 = [b"{\"name\": \"".as_slice(), b"\xc4\"}"].concat();
        let refused = JsonError::Unexpected("invalid UTF-8 at byte 10".to_owned());
        assert_eq!(read::<Person>(&latin1).err(), Some(refused));
    }

    #[test]
    fn a_list_that_is_longer_than_any_real_one_is_refused() {
        let list =
            |items: usize| format!(r#"{{"luckyNumbers": [{}]}}"#, vec!["0"; items].join(","));
        let read = |items| {
            read::<Person>(list(items).as_bytes()).map(|person| {
                person
                    .lucky_numbers
                    .map_or(0, |List(numbers)| numbers.len())
            })
        };
        assert_eq!(read(MOST_ITEMS), Ok(MOST_ITEMS));
        assert!(matches!(read(MOST_ITEMS + 1), Err(JsonError::TooMuch(_))));
    }

    #[test]
    fn what_nests_too_deep_is_refused_even_where_it_is_skipped() {
        let body = format!(r#"{{"x": {}"#, "[".repeat(100_000));
        assert!(matches!(
            read::<Person>(body.as_bytes()),
            Err(JsonError::TooMuch(_))
        ));
        let body = format!(
            r#"{{"x": {}1{}}}"#,
            r#"{"a":"#.repeat(1000),
            "}".repeat(1000)
        );
        assert!(matches!(
            read::<Person>(body.as_bytes()),
            Err(JsonError::TooMuch(_))
        ));
    }
}
