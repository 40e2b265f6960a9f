//! `discovery`: which tenants of the API are watched beside the list.

use std::time::Duration;

use regex::{Error, Regex, RegexBuilder};

use super::checker::{Checker, visible};
use super::collectors::Collectors;
use super::problem::KeyPath;
use super::schedule::{INTERVALS, STALE_INTERVALS};
use super::shown::shown;
use super::{CollectorConfig, CollectorKind, Discovery, NamePatterns, NoOptions, raw};
use crate::domain::{Collector, Unit};

/// The longest pattern, in characters: a list of some hundred names.
const MAX_PATTERN: usize = 4096;

/// What one pattern may take in memory when compiled, in bytes: a long pattern with some classes of Unicode.
const MAX_COMPILED: usize = 1 << 20;

/// Checks `discovery`; `None` when it is off. It is only complete when nothing was reported.
pub(super) fn check(
    checker: &mut Checker<'_>,
    raw: raw::Discovery,
    collectors: &Collectors,
) -> Option<Discovery> {
    let path = KeyPath::default().key("discovery");
    let interval = checker.duration(&path.key("interval"), raw.interval.as_deref(), INTERVALS);
    let include = patterns(checker, &path.key("include"), raw.include);
    let exclude = patterns(checker, &path.key("exclude"), raw.exclude);
    let default = Collector::Customers.default_interval();
    let discovery = Discovery {
        collector: collector(interval.given().unwrap_or(default)),
        include,
        exclude,
        collectors: collectors.in_force(Unit::Tenant),
    };
    raw.enabled.unwrap_or(false).then_some(discovery)
}

/// The collector that discovers, this often.
pub(super) fn collector(interval: Duration) -> CollectorConfig {
    CollectorConfig {
        interval,
        stale_after: interval * STALE_INTERVALS,
        kind: CollectorKind::Customers(NoOptions),
    }
}

fn patterns(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: Option<raw::NamePatterns>,
) -> NamePatterns {
    let raw = raw.unwrap_or_default();
    let mut pattern = |key, text: Option<raw::Text>| {
        let pattern = whole_name(&text?.0);
        checker.take(&path.key(key), pattern)
    };
    NamePatterns {
        customer_name: pattern("customer_name", raw.customer_name),
        tenant_name: pattern("tenant_name", raw.tenant_name),
    }
}

/// A pattern for a whole name.
fn whole_name(text: &str) -> Result<Regex, String> {
    const EXPECTED: &str = "expected a regular expression for the whole name such as \"Contoso.*\"";
    if text.is_empty() {
        return Err(format!("is empty and matches no name; {EXPECTED}"));
    }
    let length = text.chars().count();
    if length > MAX_PATTERN {
        return Err(format!(
            "is {length} characters long; expected at most {MAX_PATTERN}"
        ));
    }
    visible(text)?;
    let compile = |pattern: &str| {
        let built = RegexBuilder::new(pattern).size_limit(MAX_COMPILED).build();
        built.map_err(|error| match error {
            Error::CompiledTooBig(_) => format!(
                "{} is too large once compiled; expected fewer or smaller repetitions",
                shown(text)
            ),
            error => format!(
                "{} is not a regular expression: {}; {EXPECTED}",
                shown(text),
                fault(&error)
            ),
        })
    };
    // By itself first: "a)|(b" must not close our bracket.
    compile(text)?;
    compile(&format!("^(?:{text})$"))
}

/// What is wrong, on one line: the library draws the pattern with marks below it, and says it in the last line.
fn fault(error: &Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names_only() {
        #[track_caller]
        fn check(pattern: &str, names: &[&str], others: &[&str]) {
            let pattern = whole_name(pattern).unwrap();
            for name in names {
                assert!(pattern.is_match(name), "{name}");
            }
            for other in others {
                assert!(!pattern.is_match(other), "{other}");
            }
        }
        check("Test .*", &["Test 1"], &["A Test 1", "Test", "test 1"]);
        check("a|ab", &["a", "ab"], &["abc", "b"]);
        check("(?i)é.o", &["Éxo"], &["Éxoo"]);
        check("(?m)a$|^b", &["a", "b"], &["a\nb", "b\n"]);
        check(".*", &["", "x"], &["x\n"]);
    }

    #[test]
    fn a_pattern_that_would_break_out_of_its_brackets_is_refused() {
        for pattern in ["a)|(?:b", "a)|b(", "(", "[a", "a**|*", "\\", "(?x)a # b"] {
            let message = whole_name(pattern).unwrap_err();
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
}
