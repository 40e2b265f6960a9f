//! From the file's text to [`raw::File`] and the places of its keys. Knows YAML, and nothing of what keys mean.

use super::outline::Outline;
use super::problem::{Place, Problem};
use super::{raw, words};

/// Reads the text into keys and their places.
///
/// # Errors
///
/// What is wrong with it as YAML, or with names and types of keys: mostly the first fault alone.
pub(super) fn read(text: &str) -> Result<(raw::File, Outline), Vec<Problem>> {
    if let Some(problem) = foreign_character(text) {
        return Err(vec![problem]);
    }
    // First, since it bounds the depth and the aliases for the other.
    let outline = Outline::read(text)?;
    serde_yaml::from_str::<raw::File>(text)
        .map_err(|error| vec![words::of_types(&error, outline.first_alias)])
        .map(|file| (file, outline))
}

/// A byte order mark, a control character or a line break of Unicode's: each YAML library treats them in its own
/// way, and what one of them skips as a comment must not be a tower of brackets to the other.
pub(super) fn foreign_character(text: &str) -> Option<Problem> {
    let allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let at = text.find(|c| matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') || !allowed(c))?;
    let message = if at == 0 && text.starts_with('\u{feff}') {
        "the file starts with a byte order mark; expected UTF-8 without one"
    } else {
        "an invisible character (control, byte order mark, line separator); expected printable text"
    };
    Some(Problem::of_document(place_of(text, at), message))
}

/// The place of a byte offset in a text.
pub(super) fn place_of(text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or(before);
    Place {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
    }
}
