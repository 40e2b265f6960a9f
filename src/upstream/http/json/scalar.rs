//! Numbers, flags, words and times as real services write them: what can be understood is.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::upstream::http::time::{self, Moment};

/// A whole number, which may be written as text or with a fraction of zero; out of range it is the nearest that is
/// not. `None` where there is none: `null`, no text, `N/A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Whole(pub(crate) Option<i128>);

/// The same, where what is no whole number says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MaybeWhole(pub(crate) Option<i128>);

impl MaybeWhole {
    /// The number in a smaller range, or its nearest end.
    pub(crate) fn to_i64(self) -> Option<i64> {
        let clamped = self.0?.clamp(i64::MIN.into(), i64::MAX.into());
        i64::try_from(clamped).ok()
    }

    /// A number of things; `None` for less than none.
    pub(crate) fn count(self) -> Option<u64> {
        u64::try_from(self.0?.min(u64::MAX.into())).ok()
    }
}

fn is_nothing(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("n/a")
}

/// A number without a fraction.
#[expect(clippy::cast_possible_truncation, reason = "it saturates")]
fn without_fraction(number: f64) -> Option<i128> {
    (number.fract() == 0.0).then_some(number as i128)
}

/// `Err` for text that is no whole number.
fn whole(text: &str) -> Result<Option<i128>, ()> {
    let text = text.trim();
    if is_nothing(text) {
        return Ok(None);
    }
    let number = text.parse().ok();
    let number = number.or_else(|| without_fraction(text.parse().ok()?));
    number.map(Some).ok_or(())
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = deserializer.deserialize_any(WholeReader)?;
        number.map(Self).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Other("another value"), &WholeReader)
        })
    }
}

impl<'de> Deserialize<'de> for MaybeWhole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = deserializer.deserialize_any(WholeReader)?;
        Ok(Self(number.flatten()))
    }
}

struct WholeReader;

impl Visitor<'_> for WholeReader {
    /// `None` for what is no whole number.
    type Value = Option<Option<i128>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Some(None))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Some(number.into())))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Some(number.into())))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(without_fraction(number).map(Some))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(whole(text).ok())
    }
}

/// Yes or no, which may be written as text or as 1 and 0. `None` where it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flag(pub(crate) Option<bool>);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Flag, E> {
                Ok(Flag(None))
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(Some(flag)))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Flag, E> {
                match number {
                    0 => Ok(Flag(Some(false))),
                    1 => Ok(Flag(Some(true))),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Flag, E> {
                match text.trim().to_ascii_lowercase().as_str() {
                    "" | "n/a" => Ok(Flag(None)),
                    "true" | "1" => Ok(Flag(Some(true))),
                    "false" | "0" => Ok(Flag(Some(false))),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

/// A value of a closed list, which comes as a word or as a number; `None` where it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<T>(pub(crate) Option<T>);

impl<T> Default for Word<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: From<i64> + for<'a> From<&'a str>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<T: From<i64> + for<'a> From<&'a str>> Visitor<'_> for Reader<T> {
            type Value = Word<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word or a number")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Word<T>, E> {
                Ok(Word(None))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Word<T>, E> {
                Ok(Word(match (whole(word), word.trim()) {
                    (_, "") => None,
                    (Ok(Some(number)), _) => MaybeWhole(Some(number)).to_i64().map(T::from),
                    // `N/A` is a word of such lists.
                    (_, word) => Some(T::from(word)),
                }))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Word<T>, E> {
                Ok(Word(Some(T::from(number))))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Word<T>, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Word<T>, E> {
                let number = MaybeWhole(without_fraction(number)).to_i64();
                Ok(Word(number.map(T::from)))
            }
        }

        deserializer.deserialize_any(Reader(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Moment, E> {
                Ok(Moment::Missing)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
                Ok(time::read(text))
            }

            // The older form of the security listing has milliseconds.
            fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Moment, E> {
                Ok(Moment::of(millis / 1000))
            }

            fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Moment, E> {
                self.visit_i64(i64::try_from(millis).unwrap_or(i64::MAX))
            }

            fn visit_f64<E: de::Error>(self, millis: f64) -> Result<Moment, E> {
                let millis = MaybeWhole(without_fraction(millis.trunc()));
                self.visit_i64(millis.to_i64().unwrap_or(0))
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Moment, E> {
                Ok(Moment::Unreadable)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Moment, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Moment::Unreadable)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Moment, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Moment::Unreadable)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

/// A value that fails nothing when it is of another kind: `None` then. It is gone through twice, so it is for what is
/// read rarely.
pub(crate) struct Lenient<T>(pub(crate) Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn a_whole_number_is_read_as_number_and_as_text() {
        for (text, expected) in [
            ("235", Some(Some(235))),
            ("235.0", Some(Some(235))),
            ("2.35e2", Some(Some(235))),
            (r#""235""#, Some(Some(235))),
            (r#"" 235.0 ""#, Some(Some(235))),
            ("-1", Some(Some(-1))),
            (r#""-1""#, Some(Some(-1))),
            ("18446744073709551615", Some(Some(u64::MAX.into()))),
            ("1e300", Some(Some(i128::MAX))),
            ("null", Some(None)),
            (r#""""#, Some(None)),
            (r#""n/a""#, Some(None)),
            ("235.5", None),
            (r#""235.5""#, None),
            (r#""many""#, None),
            (r#""NaN""#, None),
            ("true", None),
            ("[1]", None),
        ] {
            let number = read::<Whole>(text).map(|Whole(number)| number);
            assert_eq!(number, expected, "{text}");
        }
    }

    #[test]
    fn a_number_that_need_not_be_there_may_be_anything_scalar() {
        for (text, expected) in [
            (r#""many""#, None),
            ("235.5", None),
            ("-1", None),
            (r#""235""#, Some(235)),
            ("1e300", Some(u64::MAX)),
        ] {
            assert_eq!(
                read::<MaybeWhole>(text).unwrap().count(),
                expected,
                "{text}"
            );
        }
        assert_eq!(
            read::<MaybeWhole>("-1e300").unwrap().to_i64(),
            Some(i64::MIN)
        );
    }

    #[test]
    fn a_flag_is_read_as_text_and_as_a_number() {
        for (text, expected) in [
            ("true", Some(Some(true))),
            (r#""False""#, Some(Some(false))),
            ("1", Some(Some(true))),
            (r#""0""#, Some(Some(false))),
            ("null", Some(None)),
            (r#""""#, Some(None)),
            ("2", None),
            (r#""perhaps""#, None),
        ] {
            assert_eq!(
                read::<Flag>(text).map(|Flag(flag)| flag),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_time_never_fails_what_it_stands_in() {
        for (text, expected) in [
            ("null", Moment::Missing),
            ("0", Moment::Missing),
            ("0.0", Moment::Missing),
            (r#""0""#, Moment::Missing),
            (r#""2017-01-20T00:33:34Z""#, Moment::At(1_484_872_414)),
            ("1484872414000", Moment::At(1_484_872_414)),
            (r#""soon""#, Moment::Unreadable),
            ("true", Moment::Unreadable),
            (r#"{"date": [1]}"#, Moment::Unreadable),
            ("[[1]]", Moment::Unreadable),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_of_another_kind_is_missing_where_that_is_allowed() {
        let list = read::<Vec<Lenient<u8>>>(r#"[1, "x", {"a": [2]}, null, 3]"#).unwrap();
        let list: Vec<_> = list.into_iter().map(|one| one.0).collect();
        assert_eq!(list, [Some(1), None, None, None, Some(3)]);
    }
}
