//! The rules, and as much of `PromQL` as it takes to see which series a query reads. Prometheus itself checks the rest.

use std::collections::BTreeMap;

use avepoint_exporter::bundle::RULES;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

/// A recorded series or an alert.
#[derive(Debug, Deserialize)]
pub(crate) struct Rule {
    pub(crate) record: Option<String>,
    pub(crate) alert: Option<String>,
    pub(crate) expr: String,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// All rules of the repository.
pub(crate) fn rules() -> Vec<Rule> {
    let files = RULES.files.iter();
    let files = files.map(|file| serde_yaml::from_str::<File>(file.text).unwrap());
    let groups = files.flat_map(|file| file.groups);
    groups.flat_map(|group| group.rules).collect()
}

/// A selector of series: a metric and what its labels must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) name: String,
    pub(crate) matchers: Vec<Matcher>,
}

/// What a label must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Matcher {
    pub(crate) label: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub(crate) operator: String,
    pub(crate) value: String,
}

/// What a query names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) selectors: Vec<Selector>,
    /// The labels of `by (…)`, `on (…)` and their like, which series must have.
    pub(crate) labels: Vec<String>,
    /// The strings outside of selectors.
    pub(crate) strings: Vec<String>,
}

impl Selector {
    /// As a query has it, for all series there are now.
    pub(crate) fn text(&self) -> String {
        let matchers: Vec<_> = self
            .matchers
            .iter()
            .map(|matcher| format!("{}{}{:?}", matcher.label, matcher.operator, matcher.value))
            .collect();
        format!("{}{{{}}}", self.name, matchers.join(","))
    }
}

impl Matcher {
    /// The values that the label may have, where that is a plain list of them.
    pub(crate) fn values(&self) -> Vec<&str> {
        let values: Vec<_> = match self.operator.as_str() {
            "=" | "!=" => vec![self.value.as_str()],
            _ => self.value.split('|').collect(),
        };
        let is_plain = |value: &&str| {
            !value.is_empty()
                && value
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_- ".contains(c))
        };
        if values.iter().all(is_plain) {
            values
        } else {
            Vec::new()
        }
    }
}

const OPERATORS: &[&str] = &["and", "or", "unless", "bool", "offset", "inf", "nan"];
/// Followed by labels in parentheses, or by nothing.
const OF_LABELS: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// Followed by labels that a series may or may not have.
const IF_ANY: &[&str] = &["without", "ignoring"];

/// The query that a variable of Grafana asks for its values.
pub(crate) fn of_variable(query: &str) -> String {
    let inner = |function: &str| query.strip_prefix(function)?.strip_suffix(')');
    if let Some((metric, label)) = inner("label_values(").and_then(|query| query.rsplit_once(", "))
    {
        return format!("count by ({label}) ({metric})");
    }
    inner("query_result(").unwrap_or(query).to_owned()
}

/// What a query names. Fails the test on what cannot be read.
pub(crate) fn read(query: &str) -> Query {
    let mut found = Query::default();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        if first == '#' {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if matches!(first, '"' | '\'') {
            let (value, behind) = string(rest);
            found.strings.push(value);
            rest = behind;
        } else if first == '[' {
            (_, rest) = rest.split_once(']').unwrap();
        } else if first == '$' || first.is_ascii_digit() {
            let end = |c: char| !(c.is_ascii_alphanumeric() || "_.".contains(c));
            rest = after(&rest[1..], end).1;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let (name, behind) = word(rest);
            let next = behind.trim_start();
            if OF_LABELS.contains(&name) {
                rest = next;
                if let Some((labels, behind)) =
                    next.strip_prefix('(').and_then(|next| next.split_once(')'))
                {
                    let labels = labels.split(',').map(|label| label.trim().to_owned());
                    let needed = !IF_ANY.contains(&name);
                    found
                        .labels
                        .extend(labels.filter(|label| needed && !label.is_empty()));
                    rest = behind;
                }
            } else if next.starts_with('(') || OPERATORS.contains(&name) || is_aggregation(next) {
                rest = next;
            } else {
                let (matchers, behind) = matchers(next);
                found.selectors.push(Selector {
                    name: name.to_owned(),
                    matchers,
                });
                rest = behind;
            }
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    found
}

/// Whether what stands before this is an aggregation: `sum by (…) (…)`.
fn is_aggregation(next: &str) -> bool {
    ["by", "without"].contains(&word(next).0)
}

fn word(text: &str) -> (&str, &str) {
    after(text, |c| !(c.is_ascii_alphanumeric() || "_:".contains(c)))
}

fn after(text: &str, end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(end).unwrap_or(text.len()))
}

/// A string at the start, without its quotes, and what follows it.
fn string(text: &str) -> (String, &str) {
    let mut chars = text.char_indices();
    let (_, quote) = chars.next().unwrap();
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c if c == quote => return (value, &text[at + 1..]),
            c => value.push(c),
        }
    }
    panic!("a string has no end: {text}");
}

fn matchers(text: &str) -> (Vec<Matcher>, &str) {
    let mut matchers = Vec::new();
    let Some(mut rest) = text.strip_prefix('{') else {
        return (matchers, text);
    };
    loop {
        rest = rest.trim_start_matches([' ', ',', '\n']);
        if let Some(behind) = rest.strip_prefix('}') {
            return (matchers, behind);
        }
        let (label, behind) = word(rest);
        let (operator, behind) = after(behind.trim_start(), |c| !"=!~".contains(c));
        assert!(
            !label.is_empty() && !operator.is_empty(),
            "no matcher: {rest}"
        );
        let (value, behind) = string(behind.trim_start());
        matchers.push(Matcher {
            label: label.to_owned(),
            operator: operator.to_owned(),
            value,
        });
        rest = behind;
    }
}

#[test]
fn what_a_query_names_is_found() {
    let query = read(
        "# A comment of it.\nsum by (a, b) (rate(x_total{code=\"429\", d=~\"e|f\"}[$__rate_interval]))\n\
         / on (job) group_left () max(y:z:max offset 66h) > bool 1e3 unless up == 0 or time() - 12 * $tenant",
    );
    let names: Vec<_> = query.selectors.iter().map(Selector::text).collect();
    assert_eq!(
        names,
        ["x_total{code=\"429\",d=~\"e|f\"}", "y:z:max{}", "up{}"]
    );
    assert_eq!(query.labels, ["a", "b", "job"]);
    assert_eq!(read("max without (a) (x)").labels, [""; 0]);
    assert_eq!(query.selectors[0].matchers[1].values(), ["e", "f"]);
    assert_eq!(
        read("topk by (a) (1, x{b=\"}\\\"\"})").selectors[0].text(),
        "x{b=\"}\\\"\"}"
    );
}

#[test]
fn a_variable_asks_for_series_with_its_values() {
    for (query, asked) in [
        ("label_values(x{a=\"b\"}, c)", "count by (c) (x{a=\"b\"})"),
        ("query_result(max by (c) (x))", "max by (c) (x)"),
        ("max by (c) (x)", "max by (c) (x)"),
    ] {
        assert_eq!(of_variable(query), asked);
    }
}
