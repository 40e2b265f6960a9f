//! From the file's text to [`raw::File`] and the places of its keys. Knows YAML, and nothing of what keys mean.

use serde_yaml::Value;

use super::outline::Outline;
use super::problem::{Place, Problem, is_plain_key};
use super::raw;

/// Reads the text into keys and their places.
///
/// # Errors
///
/// What is wrong with it as YAML, or with names and types of keys: mostly the first fault alone.
pub(super) fn read(text: &str) -> Result<(raw::File, Outline), Vec<Problem>> {
    if let Some(problem) = foreign_character(text) {
        return Err(vec![problem]);
    }
    // First of all, since it bounds the depth for the others.
    let outline = Outline::read(text)?;
    // Into a `Value` first: reading straight into a type lets duplicate keys pass and bounds no aliases.
    serde_yaml::from_str::<Value>(text)
        .and_then(|_| serde_yaml::from_str::<raw::File>(text))
        .map_err(|error| vec![translate(&error, &outline)])
        .map(|file| (file, outline))
}

/// A byte order mark or a control character: YAML libraries treat them each in its own way.
fn foreign_character(text: &str) -> Option<Problem> {
    let allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let at = text.find(|c| c == '\u{feff}' || !allowed(c))?;
    let message = if at == 0 && text.starts_with('\u{feff}') {
        "the file starts with a byte order mark; expected UTF-8 without one"
    } else {
        "a control character or byte order mark; expected printable text"
    };
    Some(Problem::of_document(place_of(text, at), message))
}

/// The place of a byte offset in a text.
pub(super) fn place_of(text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        line: before.matches('\n').count() + 1,
        column: before
            .get(line_start..)
            .map_or(0, |line| line.chars().count())
            + 1,
    }
}

/// The library's message in our form. Of a value it keeps the kind only: any value may be a misplaced secret.
fn translate(error: &serde_yaml::Error, outline: &Outline) -> Problem {
    let location = error.location();
    let place = location.as_ref().map_or(Place::START, |at| Place {
        line: at.line(),
        column: at.column(),
    });
    let text = error.to_string();
    // The library appends the place to most messages; it stands in front of ours.
    let text = location
        .map(|at| format!(" at line {} column {}", at.line(), at.column()))
        .and_then(|suffix| text.strip_suffix(&suffix))
        .unwrap_or(&text);
    let (key, message) = if let Some((key, rest)) = split(text, "unknown field `") {
        let (name, known) = rest.rsplit_once("`, expected ").unwrap_or((rest, ""));
        let known = known.trim_start_matches("one of ").replace('`', "");
        let (key, what) = if is_plain_key(name) {
            (child(key, name), "unknown key")
        } else {
            // Not shown: it may be a secret after a colon without a space.
            (
                key.to_owned(),
                "unknown key, maybe for want of a space after a colon",
            )
        };
        (key, format!("{what}; expected one of {known}"))
    } else if let Some((key, rest)) = split(text, "invalid type: ") {
        let expected = rest.rsplit_once(", expected ").map_or("", |(_, last)| last);
        let message = format!("is {}; expected {}", kind(rest), expectation(expected));
        (key.to_owned(), message)
    } else if let Some((key, found)) = text
        .split_once(": ")
        .filter(|(_, m)| m.contains("; expected text"))
    {
        (key.to_owned(), found.to_owned())
    } else if text.contains("repetition limit") || text.contains("recursion limit") {
        return Problem::of_document(
            outline.first_alias.unwrap_or(place),
            "aliases (*) blow up the document; expected few of them, or none",
        );
    } else {
        // Duplicates and syntax were found before; the libraries disagree about something rare.
        return Problem::of_document(
            place,
            "not valid YAML for this reader; expected plain keys and values",
        );
    };
    Problem {
        place,
        key,
        message,
    }
}

/// What stands around a marker: the key's path before it, the message's rest after it.
fn split<'a>(text: &'a str, marker: &str) -> Option<(&'a str, &'a str)> {
    let (key, rest) = text.split_once(marker)?;
    Some((key.strip_suffix(": ").unwrap_or(key), rest))
}

fn child(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}.{name}")
    }
}

/// What was found, in the operator's words, from serde's.
fn kind(found: &str) -> &'static str {
    const KINDS: [(&str, &str); 7] = [
        ("boolean", "true or false"),
        ("integer", "a number"),
        ("floating point", "a number"),
        ("sequence", "a list"),
        ("map", "a mapping"),
        ("unit", "nothing"),
        ("string", "text"),
    ];
    KINDS
        .iter()
        .find(|(theirs, _)| found.starts_with(theirs))
        .map_or("something else", |(_, ours)| ours)
}

/// What was expected, in the operator's words, from serde's.
fn expectation(expected: &str) -> &str {
    match expected {
        "a mapping of keys" | "a map" => {
            "a mapping of keys (\"key: value\", a space after each colon)"
        }
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "f64" => "a number",
        "a string" => "a single value",
        other => other,
    }
}
