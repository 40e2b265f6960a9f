//! From single values as written to values of their types; what is wrong is collected, not returned, so that one
//! run finds all of it. A method returns `None` when it has reported a problem.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use super::outline::Outline;
use super::problem::{KeyPath, Place, Problem};
use super::shown::{measure_shown, number_shown, word_shown};
use super::watched::{self, ReadFile};
use crate::domain::text::is_invisible;
use crate::domain::{ByteSize, PromDuration, Timestamp};

/// The longest name, id or label value, in characters.
pub(super) const MAX_NAME: usize = 256;

/// What surrounds a configuration's text.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The file's name in messages.
    pub name: &'a str,
    /// The directory that relative paths start from; for a file, its own.
    pub base_dir: &'a Path,
    /// Answers with the value of an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The time of day that certificates must be valid at.
    pub now: Timestamp,
}

/// Collects what is wrong, and which files were read.
pub(super) struct Checker<'a> {
    pub(super) source: &'a Source<'a>,
    outline: &'a Outline,
    pub(super) problems: Vec<Problem>,
    pub(super) files: Vec<ReadFile>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(source: &'a Source<'a>, outline: &'a Outline) -> Self {
        Self {
            source,
            outline,
            problems: Vec::new(),
            files: Vec::new(),
        }
    }

    /// The bytes of a file that the configuration names, or what is wrong with the file, which is `place` in messages.
    /// A change of the file will be noticed.
    pub(super) fn read_file(
        &mut self,
        place: &str,
        name: &str,
        max: ByteSize,
        expected: &str,
    ) -> Result<Vec<u8>, String> {
        let file = self.source.base_dir.join(name);
        let bytes = watched::content(place, &file, max, expected)?;
        self.files.push(ReadFile::new(&file, &bytes));
        Ok(bytes)
    }

    /// Notes that something is wrong with the value at the path.
    pub(super) fn report(&mut self, path: &KeyPath, message: impl Into<String>) {
        let place = self.place(path);
        self.problems.push(Problem::new(place, path, message));
    }

    /// Where the value at the path stands, or where it would.
    pub(super) fn place(&self, path: &KeyPath) -> Place {
        self.outline.place(path)
    }

    /// Hands on the value, or reports why there is none.
    pub(super) fn take<T>(&mut self, path: &KeyPath, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.report(path, message)).ok()
    }

    /// A value with its unit within the bounds.
    pub(super) fn measure<T>(
        &mut self,
        path: &KeyPath,
        text: &str,
        bounds: &RangeInclusive<T>,
    ) -> Option<T>
    where
        T: FromStr<Err: fmt::Display> + fmt::Display + PartialOrd,
    {
        let value = match text.parse::<T>() {
            Err(error) => Err(format!(
                "{} is not understood; {error}",
                measure_shown(text)
            )),
            Ok(value) if bounds.contains(&value) => Ok(value),
            Ok(value) => Err(format!(
                "{value} is out of range; expected {} to {}",
                bounds.start(),
                bounds.end()
            )),
        };
        self.take(path, value)
    }

    /// A duration within the bounds, in milliseconds.
    pub(super) fn duration(
        &mut self,
        path: &KeyPath,
        text: Option<&str>,
        bounds: RangeInclusive<u64>,
    ) -> Value<Duration> {
        let [least, most] =
            [*bounds.start(), *bounds.end()].map(|n| PromDuration(Duration::from_millis(n)));
        Value::of(text, |text| {
            self.measure(path, text, &(least..=most))
                .map(|PromDuration(duration)| duration)
        })
    }

    /// A number within the bounds.
    pub(super) fn number(
        &mut self,
        path: &KeyPath,
        number: f64,
        bounds: &RangeInclusive<f64>,
    ) -> Option<f64> {
        let found = if bounds.contains(&number) {
            Ok(number)
        } else {
            Err(format!(
                "{} is out of range; expected a number from {} to {}",
                number_shown(number),
                bounds.start(),
                bounds.end()
            ))
        };
        self.take(path, found)
    }

    /// A whole number within the bounds.
    pub(super) fn whole(
        &mut self,
        path: &KeyPath,
        number: f64,
        bounds: RangeInclusive<u32>,
    ) -> Option<u32> {
        let (least, most) = bounds.into_inner();
        let found =
            if (f64::from(least)..=f64::from(most)).contains(&number) && number.fract() == 0.0 {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "whole and within bounds that are u32"
                )]
                Ok(number as u32)
            } else {
                Err(format!(
                    "{} is out of range; expected a whole number from {least} to {most}",
                    number_shown(number)
                ))
            };
        self.take(path, found)
    }

    /// A text that is one of the known words.
    pub(super) fn word<T: Copy>(
        &mut self,
        path: &KeyPath,
        text: Option<&str>,
        words: &[(&str, T)],
    ) -> Value<T> {
        Value::of(text, |text| {
            let known = words.iter().find(|(word, _)| *word == text);
            let known = known.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let list: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                format!(
                    "{} is not known; expected one of {}",
                    word_shown(text, &list),
                    list.join(", ")
                )
            });
            self.take(path, known)
        })
    }

    /// A name, an id or a label's value: not empty, printable, not too long.
    pub(super) fn name(&mut self, path: &KeyPath, text: String) -> Option<String> {
        let length = text.chars().count();
        let found = if text.trim().is_empty() {
            Err("is empty; expected text".to_owned())
        } else if text.contains(char::is_control) {
            Err("contains a control character or line break; expected printable text".to_owned())
        } else if let Err(invisible) = visible(&text) {
            Err(invisible)
        } else if length > MAX_NAME {
            Err(format!(
                "is {length} characters long; expected at most {MAX_NAME}"
            ))
        } else {
            Ok(text)
        };
        self.take(path, found)
    }
}

/// That a text has no character that nobody sees, apart from control characters. Names from the API have none, so that
/// a pattern with one would match no name.
pub(super) fn visible(text: &str) -> Result<(), String> {
    text.chars().find(|c| is_invisible(*c)).map_or(Ok(()), |c| {
        Err(format!(
            "contains the invisible character U+{:04X}; expected printable text",
            u32::from(c)
        ))
    })
}

/// A value that a file may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<T> {
    /// Not in the file.
    Absent,
    /// In the file, and wrong; already reported.
    Wrong,
    /// In the file.
    Given(T),
}

impl<T> Value<T> {
    /// What the parser makes of what the file has; its `None` is something that it has reported.
    pub(super) fn of<R>(raw: Option<R>, parse: impl FnOnce(R) -> Option<T>) -> Self {
        raw.map_or(Self::Absent, |raw| {
            parse(raw).map_or(Self::Wrong, Self::Given)
        })
    }

    pub(super) fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }

    /// This value if the file has it, else the other.
    pub(super) fn or(self, other: Self) -> Self {
        match self {
            Self::Absent => other,
            present => present,
        }
    }
}
