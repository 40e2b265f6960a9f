//! What is written is read again as it was, and what cannot be believed is not.

use super::*;
use crate::state::example::{at, snapshot};

/// What the file says, and in which form, as long as its version is 1.
const VERSION_1: &str = include_str!("version-1.json");

fn text() -> String {
    String::from_utf8(write(&snapshot(), at(1000)).unwrap()).unwrap()
}

#[track_caller]
fn refused(text: &str, now: Timestamp) -> String {
    read(text.as_bytes(), now).unwrap_err().to_string()
}

/// A time as it stands in the file.
fn written(seconds: u64) -> String {
    format!("{{\"secs\":{},\"nanos\":0}}", 1_790_000_000 + seconds)
}

#[test]
fn a_file_of_version_1_stays_what_it_is() {
    assert_eq!(format!("{}\n", text()), VERSION_1);
}

#[test]
fn what_is_written_of_every_collector_is_read_again_but_for_counters_schedule_and_labels() {
    let before = snapshot();
    let saved = read(text().as_bytes(), at(2000)).unwrap();
    assert_eq!(saved.written_at, at(1000));
    let discovery = before.discovery.as_ref().unwrap();
    let expected = SavedDiscovery {
        up: false,
        at: at(700),
        customers: Arc::clone(&discovery.found.as_ref().unwrap().listed),
    };
    assert_eq!(saved.discovery, Some(expected));
    let all: Vec<_> = before.shown().collect();
    assert_eq!(saved.tenants.len(), all.len());
    for (before, saved) in all.into_iter().zip(&saved.tenants) {
        let without_labels = Tenant {
            labels: BTreeMap::new(),
            ..Tenant::clone(&before.tenant)
        };
        assert_eq!(*saved.tenant, without_labels);
        assert_eq!(saved.collectors.len(), before.collectors.len());
        for (before, saved) in before.collectors.iter().zip(&saved.collectors) {
            assert_eq!(saved.config, before.config);
            let poll = |one: &CollectorSnapshot| {
                let poll = one.last_poll?;
                Some((poll.duration, poll.rows, poll.failure))
            };
            assert_eq!(poll(saved), poll(before));
            let figures = |one: &CollectorSnapshot| {
                let figures = one.figures.clone()?;
                Some((figures.at, figures.pages, figures.totals))
            };
            assert_eq!(figures(saved), figures(before));
            assert!(before.polls > 0 && before.next_poll.is_some());
            assert_eq!((saved.polls, saved.failures, saved.skipped), (0, 0, 0));
            assert_eq!(saved.next_poll, None);
        }
    }
}

#[test]
fn an_exporter_that_knows_nothing_writes_that() {
    let text = write(&Snapshot::default(), at(0)).unwrap();
    let saved = read(&text, at(0)).unwrap();
    assert!(saved.tenants.is_empty() && saved.discovery.is_none());
}

#[test]
fn a_time_ahead_is_written_as_now_since_figures_of_it_would_be_fresh_for_ever() {
    let text = write(&snapshot(), at(500)).unwrap();
    let saved = read(&text, at(500)).unwrap();
    assert_eq!(saved.discovery.unwrap().at, at(500));
    let mut collectors = saved.tenants.iter().flat_map(|one| &one.collectors);
    assert!(collectors.all(|one| one.figures.as_ref().is_none_or(|it| it.at <= at(500))));
}

#[test]
fn a_clock_that_was_set_back_a_little_makes_figures_of_now() {
    let saved = read(text().as_bytes(), at(1000 - 300)).unwrap();
    assert_eq!(saved.written_at, at(700));
    let figures = saved.tenants[0].collectors[1].figures.as_ref().unwrap();
    assert_eq!(figures.at, at(700));
}

#[test]
fn a_file_that_is_cut_anywhere_is_damaged() {
    let text = text();
    for end in 0..text.len() {
        let why = read(&text.as_bytes()[..end], at(2000)).unwrap_err();
        assert!(matches!(why, Unusable::Damaged { .. }), "{end}: {why}");
    }
}

#[test]
fn a_file_with_a_wrong_type_or_without_a_field_is_damaged_and_not_quoted() {
    for (right, wrong) in [
        ("\"users\":4,", "\"users\":\"Contoso\","),
        ("\"users\":4,", ""),
        ("\"users\":4,", "\"users\":-4,"),
        ("\"users\":4,", "\"users\":10000000001,"),
        ("\"tenants\":[{", "\"tenants\":[7,{"),
        ("\"config\"", "\"Contoso\""),
        ("}]}}", "}]}}}"),
    ] {
        assert!(text().contains(right), "{right}");
        let why = refused(&text().replacen(right, wrong, 1), at(2000));
        assert!(why.starts_with("is damaged at line 1, column "), "{why}");
    }
}

#[test]
fn what_is_no_json_is_damaged() {
    for text in ["", "elements: {}", "\u{0}", "{\"format\": ", "\u{feff}{}"] {
        let why = refused(text, at(0));
        assert!(why.starts_with("is damaged"), "{text:?}: {why}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(refused(&format!("{{\"x\":{deep}"), at(0)).starts_with("is damaged"));
}

#[test]
fn json_of_something_else_is_foreign() {
    for text in [
        "{}",
        "7",
        "[]",
        r#"{"format": 7, "version": 1}"#,
        r#"{"format": "other", "version": 1}"#,
        r#"{"format": "avepoint-exporter warm start"}"#,
        r#"{"format": "avepoint-exporter warm start", "version": 0}"#,
    ] {
        let why = refused(text, at(0));
        assert_eq!(why, "is no warm-start file of this program", "{text}");
    }
}

#[test]
fn a_file_of_a_newer_exporter_is_told_from_a_damaged_one() {
    let newer = r#"{"format": "avepoint-exporter warm start", "version": 2, "tenants": "?"}"#;
    assert_eq!(
        refused(newer, at(0)),
        "is of version 2, written by a newer exporter than this one, which reads version 1"
    );
}

#[test]
fn a_file_that_is_yet_to_be_written_is_not_used() {
    let why = refused(&text(), at(1000 - 301));
    assert!(
        why.starts_with("was written at a time that is yet to come, Mon, 21 Sep 2026"),
        "{why}"
    );
}

#[test]
fn what_no_exporter_writes_is_not_used() {
    let customer = "00000000-0000-0000-0000-000000000001";
    let (early, late) = (written(700), written(1001));
    let twice = text().replace(
        "00000000-0000-0000-0000-00000000000b",
        "00000000-0000-0000-0000-00000000000a",
    );
    let why = refused(&twice, at(2000));
    assert_eq!(why, "holds what cannot be: a tenant twice");
    for (right, wrong, why) in [
        (customer, "contoso", "a customer without a GUID"),
        (
            "00000000-0000-0000-0000-00000000000a",
            "contoso",
            "a tenant without a GUID",
        ),
        ("\"Contoso\"", "\"a\\nb\"", "a name that is none"),
        ("\"Contoso\"", "\" \"", "a name that is none"),
        (early.as_str(), late.as_str(), "a time after it was written"),
        (
            "\"secs\":900,",
            "\"secs\":2592001,",
            "a collector that no configuration allows",
        ),
        (
            "\"secs\":900,",
            "\"secs\":1,",
            "a collector that no configuration allows",
        ),
        ("\"throttled\"", "\"fate\"", "a reason that is none"),
        ("\"unknown_7\"", "\"unknown_x\"", "a number that is none"),
        (
            "\"federated\"",
            "\"guest\"",
            "a word that Partner Center does not have",
        ),
        ("\"DE\"", "\"Germany?\"", "a country that is none"),
        (
            "\"missing\":{\"directory\"",
            "\"missing\":{\"mail\"",
            "a collector that is none",
        ),
        (
            "\"customers\":[{\"id\":\"00000000-0000-0000-0000-000000000001\"",
            "\"customers\":[{\"id\":\"00000000-0000-0000-0000-000000000009\"",
            "customers that are not in order",
        ),
    ] {
        assert!(text().contains(right), "{right}");
        let found = refused(&text().replacen(right, wrong, 1), at(2000));
        assert_eq!(found, format!("holds what cannot be: {why}"), "{right}");
    }
}

#[test]
fn a_field_that_is_not_known_yet_is_not_looked_at() {
    let more = text().replacen("\"tenants\":", "\"more\":{\"a\":[1]},\"tenants\":", 1);
    assert_eq!(read(more.as_bytes(), at(2000)).unwrap().tenants.len(), 3);
}
