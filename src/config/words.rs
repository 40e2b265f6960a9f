//! What YAML libraries say, in our words: with a place, with a key, with what was expected. Never with a value,
//! since any value may be a secret in the wrong place.

use saphyr_parser::ScanError;

use super::problem::{Place, Problem};
use super::shown::is_plausible_key;

/// The deepest key of ours is at level 5.
pub(super) const MAX_DEPTH: usize = 32;

/// The file nests deeper than any reader should follow.
pub(super) fn too_deep(place: Place) -> Problem {
    Problem::of_document(
        place,
        format!("the file nests deeper than {MAX_DEPTH} levels; expected at most 5"),
    )
}

/// The first tab that indents a line, if there is one: the most likely fault of a text that is no YAML.
pub(super) fn of_tab(text: &str) -> Option<Problem> {
    let tab_of = |line: &str| {
        line.find(|c: char| c != ' ' && c != '\t')
            .map_or(line, |at| line.split_at(at).0)
            .find('\t')
    };
    let (line, column) = text
        .lines()
        .zip(1..)
        .find_map(|(line, n)| Some((n, tab_of(line)? + 1)))?;
    let message = "a tab indents this line; expected spaces";
    Some(Problem::of_document(Place { line, column }, message))
}

/// What is wrong with the text as YAML; in our words where operators meet it often.
pub(super) fn of_syntax(error: &ScanError) -> Problem {
    let place = Place {
        line: error.marker().line().max(1),
        column: error.marker().col() + 1,
    };
    let message = match error.info() {
        info if info.contains("recursion limit") => return too_deep(place),
        // The character that it names may be the first of a secret.
        info if info.starts_with("unexpected character") => {
            "a value starts with a character that is special in YAML; expected the value in quotes".to_owned()
        }
        "simple key expect ':'" => {
            "not valid YAML: the previous line is not a key with a value; expected \"key: value\", with a space after \
             the colon".to_owned()
        }
        "mapping values are not allowed in this context" => {
            "not valid YAML: a second colon, or a wrong indentation; expected \"key: value\", in quotes if the value \
             contains \": \"".to_owned()
        }
        info if info.contains("unknown anchor") => {
            "an alias (*) without its anchor; expected a value, in quotes if it starts with an asterisk".to_owned()
        }
        info if info.contains("did not find expected key") => {
            "not valid YAML: the indentation matches no key above; expected the indentation of the neighbouring \
             keys".to_owned()
        }
        info if info.contains("quoted scalar") => {
            "not valid YAML: unterminated quotes or an unknown escape; expected a closing quote and valid \
             escapes".to_owned()
        }
        info => format!("not valid YAML: {info}; expected \"key: value\", and each bracket closed"),
    };
    Problem::of_document(place, message)
}

/// What is wrong with names and types of keys. `first_alias` is where the text has its first alias.
pub(super) fn of_types(error: &serde_yaml::Error, first_alias: Option<Place>) -> Problem {
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
        let (key, what) = if is_plausible_key(name) {
            (child(key, name), "unknown key")
        } else {
            // Not shown: it may be a secret after a colon without a space.
            (
                key.to_owned(),
                "unknown key (is a space missing after a colon?)",
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
            first_alias.unwrap_or(place),
            "too many aliases (*); expected few or none",
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
        key: path_shown(&key),
        message,
    }
}

/// A key's path as the library writes it, without the keys that may be a secret.
fn path_shown(path: &str) -> String {
    let step = |step: &str| {
        let key = step.split_once('[').map_or(step, |(key, _)| key);
        let is_shown = key.is_empty() || is_plausible_key(key);
        (if is_shown { step } else { "…" }).to_owned()
    };
    path.split('.').map(step).collect::<Vec<_>>().join(".")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_value_only_its_kind_remains() {
        #[track_caller]
        fn check(found: &str, expected: &str) {
            let text = format!("invalid type: {found}, expected a boolean");
            let error = <serde_yaml::Error as serde::de::Error>::custom(text);
            let problem = of_types(&error, None);
            assert_eq!(
                problem.message,
                format!("is {expected}; expected true or false")
            );
        }
        check("string \"hunter2, expected a list\"", "text");
        check("integer `4711`", "a number");
        check("floating point `47.11`", "a number");
        check("enum", "something else");
    }
}
