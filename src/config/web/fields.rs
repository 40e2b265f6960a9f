//! Values by their types, as the toolkit reads them: YAML 1.1, Go's durations, and zero for what is empty.

use super::tree::{Node, Value};
use crate::config::problem::{KeyPath, Problem};
use crate::config::shown::{measure_shown, word_shown};

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) problems: Vec<Problem>,
}

/// Takes the value of a known key.
type Take<'a> = &'a mut dyn FnMut(&mut Fields, &str, &Node, &KeyPath);

impl Fields {
    pub(super) fn report(&mut self, node: &Node, path: &KeyPath, message: impl Into<String>) {
        self.problems.push(Problem::new(node.place, path, message));
    }

    fn wrong_kind(&mut self, node: &Node, path: &KeyPath, expected: &str) {
        let message = format!("is {}; expected {expected}", node.value.kind());
        self.report(node, path, message);
    }

    /// Hands over each key of a section, which must be one of these.
    pub(super) fn section(&mut self, node: &Node, path: &KeyPath, known: &[&str], take: Take<'_>) {
        let Value::Map(entries) = &node.value else {
            return self.wrong_kind(node, path, "a mapping of keys (\"key: value\")");
        };
        let mut seen: Vec<(&str, usize)> = Vec::new();
        for (key, value) in entries {
            if is_merge(key) {
                for merged in self.merged(value, path) {
                    self.section(merged, path, known, take);
                }
                continue;
            }
            let Some(name) = self.key(key, path) else {
                continue;
            };
            let of_key = path.key(name);
            if !known.contains(&name) {
                let message = format!("unknown key; expected one of {}", known.join(", "));
                self.report(key, &of_key, message);
            } else if let Some((_, line)) = seen.iter().find(|(seen, _)| *seen == name) {
                let message =
                    format!("is a duplicate key, first on line {line}; expected each key once");
                self.report(key, &of_key, message);
            } else {
                seen.push((name, key.place.line));
                take(self, name, value, &of_key);
            }
        }
    }

    /// The texts of a mapping by their keys, each with its value's node. Nothing of an empty one.
    pub(super) fn texts<'n>(&mut self, node: &'n Node, path: &KeyPath) -> Vec<Entry<'n>> {
        let mut texts = Vec::new();
        self.collect_texts(node, path, &mut texts);
        texts
    }

    fn collect_texts<'n>(&mut self, node: &'n Node, path: &KeyPath, texts: &mut Vec<Entry<'n>>) {
        let entries = match &node.value {
            Value::Null => return,
            Value::Map(entries) => entries,
            _ => return self.wrong_kind(node, path, "a mapping of names (\"name: value\")"),
        };
        for (key, value) in entries {
            if is_merge(key) {
                for merged in self.merged(value, path) {
                    self.collect_texts(merged, path, texts);
                }
                continue;
            }
            let Some(name) = self.key(key, path) else {
                continue;
            };
            let of_key = path.key(name);
            let Some(text) = self.text(value, &of_key) else {
                continue;
            };
            if texts.iter().any(|entry| entry.name == name) {
                let message = "is a duplicate key; expected each key once";
                self.report(key, &of_key, message);
            } else {
                texts.push(Entry {
                    name,
                    text,
                    node: value,
                });
            }
        }
    }

    /// The mappings that a merge key stands for; the later ones count less.
    fn merged<'n>(&mut self, node: &'n Node, path: &KeyPath) -> Vec<&'n Node> {
        let is_map = |node: &Node| matches!(node.value, Value::Map(_));
        match &node.value {
            Value::Map(_) => vec![node],
            Value::List(items) if items.iter().all(is_map) => items.iter().rev().collect(),
            _ => {
                self.wrong_kind(node, &path.key("<<"), "an alias (*) of a mapping");
                Vec::new()
            }
        }
    }

    fn key<'n>(&mut self, key: &'n Node, path: &KeyPath) -> Option<&'n str> {
        match &key.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Null => Some(""),
            Value::List(_) | Value::Map(_) => {
                self.report(key, path, "a key is not plain text; expected a name");
                None
            }
        }
    }

    /// Text as it was written, whatever it looks like.
    pub(super) fn text<'n>(&mut self, node: &'n Node, path: &KeyPath) -> Option<&'n str> {
        match &node.value {
            Value::Null => Some(""),
            Value::Scalar { text, .. } => Some(text),
            Value::List(_) | Value::Map(_) => {
                self.wrong_kind(node, path, "text");
                None
            }
        }
    }

    /// The texts of a list; `None` for an empty value.
    pub(super) fn list<T>(
        &mut self,
        node: &Node,
        path: &KeyPath,
        mut item: impl FnMut(&mut Self, &Node, &KeyPath) -> Option<T>,
    ) -> Option<Vec<T>> {
        match &node.value {
            Value::Null => None,
            Value::List(items) => {
                let items = items.iter().enumerate();
                Some(
                    items
                        .filter_map(|(index, one)| item(self, one, &path.index(index)))
                        .collect(),
                )
            }
            _ => {
                self.wrong_kind(node, path, "a list (\"- value\")");
                None
            }
        }
    }

    /// One of these words; `None` for an empty value, and for one that is reported.
    pub(super) fn word<T: Copy>(
        &mut self,
        node: &Node,
        path: &KeyPath,
        words: &[(&str, T)],
    ) -> Option<T> {
        if matches!(node.value, Value::Null) {
            return None;
        }
        let text = self.text(node, path)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known = words.iter().map(|(word, _)| *word);
            let known: Vec<_> = known.filter(|word| !word.is_empty()).collect();
            let shown = word_shown(text, &known);
            let message = format!("{shown} is unknown; expected one of {}", known.join(", "));
            self.report(node, path, message);
        }
        found.map(|(_, value)| *value)
    }

    /// Yes or no, in the words of YAML 1.1; no for an empty value.
    pub(super) fn flag(&mut self, node: &Node, path: &KeyPath) -> Option<bool> {
        const YES: [&str; 11] = [
            "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON",
        ];
        const NO: [&str; 11] = [
            "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF",
        ];
        match &node.value {
            Value::Null => return Some(false),
            Value::Scalar {
                text,
                is_quoted: false,
            } if YES.contains(&text.as_str()) => return Some(true),
            Value::Scalar {
                text,
                is_quoted: false,
            } if NO.contains(&text.as_str()) => return Some(false),
            Value::Scalar { .. } => self.report(
                node,
                path,
                "is neither true nor false; expected true or false, without quotes",
            ),
            Value::List(_) | Value::Map(_) => self.wrong_kind(node, path, "true or false"),
        }
        None
    }

    /// A whole number; 0 for an empty value.
    pub(super) fn whole(&mut self, node: &Node, path: &KeyPath) -> Option<i64> {
        self.measure(node, path, whole, |_| None, "a whole number, such as 20")
    }

    /// Nanoseconds, of a duration as Go writes it or of a whole number of them; 0 for an empty value.
    pub(super) fn nanoseconds(&mut self, node: &Node, path: &KeyPath) -> Option<i64> {
        let expected = "a duration, such as 100ms or 1s";
        self.measure(node, path, whole, duration, expected)
    }

    fn measure(
        &mut self,
        node: &Node,
        path: &KeyPath,
        plain: fn(&str) -> Option<i64>,
        text: fn(&str) -> Option<i64>,
        expected: &str,
    ) -> Option<i64> {
        let (found, is_quoted) = match &node.value {
            Value::Null => return Some(0),
            Value::Scalar { text, is_quoted } => (text, *is_quoted),
            Value::List(_) | Value::Map(_) => {
                self.wrong_kind(node, path, expected);
                return None;
            }
        };
        let value = Some(found)
            .filter(|_| !is_quoted)
            .and_then(|found| plain(found))
            .or_else(|| text(found));
        if value.is_none() {
            let message = format!("{}; expected {expected}", measure_shown(found));
            self.report(node, path, message);
        }
        value
    }
}

/// A text of a mapping.
#[derive(Debug)]
pub(super) struct Entry<'n> {
    pub(super) name: &'n str,
    pub(super) text: &'n str,
    pub(super) node: &'n Node,
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.value, Value::Scalar { text, is_quoted: false } if text == "<<")
}

/// A number without quotes, as YAML 1.1 writes it: with underscores, in other bases, or as a float, whose fraction is
/// dropped.
fn whole(text: &str) -> Option<i64> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.split_at_checked(1) {
        Some(("-", digits)) => (-1, digits),
        Some(("+", digits)) => (1, digits),
        _ => (1, &*plain),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let (base, rest) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, digits.get(2..)?),
        Some("0o") => (8, digits.get(2..)?),
        Some("0b") => (2, digits.get(2..)?),
        Some(_) if digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) => {
            (8, digits.get(1..)?)
        }
        _ => (10, digits),
    };
    if let Ok(value) = i128::from_str_radix(rest, base) {
        return i64::try_from(sign * value).ok();
    }
    let value: f64 = plain.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
    (value.abs() <= 9e18).then_some(value as i64)
}

/// Nanoseconds of a duration in Go's syntax: numbers with units, after one sign.
fn duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1.0),
        ("us", 1e3),
        ("\u{b5}s", 1e3),
        ("\u{3bc}s", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("m", 60e9),
        ("h", 3600e9),
    ];
    let is_of_number = |c: char| c.is_ascii_digit() || c == '.';
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    if unsigned == "0" {
        return Some(0);
    }
    let (mut rest, mut sum) = (unsigned, 0.0);
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c| !is_of_number(c))?);
        let (unit, tail) = tail.split_at(tail.find(is_of_number).unwrap_or(tail.len()));
        let (_, nanoseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum += number.parse::<f64>().ok()? * nanoseconds;
        rest = tail;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
    (!unsigned.is_empty() && sum <= 9.2e18).then_some((sign * sum) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_yaml_1_1() {
        for (text, number) in [
            ("0", Some(0)),
            ("20", Some(20)),
            ("-3", Some(-3)),
            ("+3", Some(3)),
            ("1_000", Some(1000)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("0o10", Some(8)),
            ("0b10", Some(2)),
            ("1e3", Some(1000)),
            ("1.9", Some(1)),
            (".5", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1e30", None),
            // No octal number, so a float.
            ("08", Some(8)),
            ("", None),
            ("-", None),
            ("ten", None),
            ("1s", None),
            (".inf", None),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanoseconds) in [
            ("1s", Some(1_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            (".5s", Some(500_000_000)),
            ("100ms", Some(100_000_000)),
            ("2µs", Some(2_000)),
            ("2μs", Some(2_000)),
            ("7ns", Some(7)),
            ("-1s", Some(-1_000_000_000)),
            ("0", Some(0)),
            ("", None),
            ("1", None),
            ("s", None),
            ("1 s", None),
            ("1d", None),
            ("1S", None),
            ("1.2.3s", None),
            ("300y", None),
            ("3000000h", None),
        ] {
            assert_eq!(duration(text), nanoseconds, "{text}");
        }
    }
}
