//! What is written is read again as it was, and what cannot be believed is not.

use super::*;
use crate::domain::{Collector, Tenant};
use crate::state::example::{at, snapshot};

/// What the file says, and in which form, as long as its version is 2.
const VERSION_2: &str = include_str!("version-2.json");

fn text() -> String {
    String::from_utf8(write(&snapshot(), at(1000)).unwrap()).unwrap()
}

#[track_caller]
fn refused(text: &str, now: Timestamp) -> String {
    read(text.as_bytes(), now).unwrap_err().to_string()
}

/// A time as it is written in the file.
fn written(seconds: u64, nanos: u32) -> String {
    format!("{{\"secs\":{},\"nanos\":{nanos}}}", 1_790_000_000 + seconds)
}

#[test]
fn a_file_of_version_2_stays_what_it_is() {
    assert_eq!(format!("{}\n", text()), VERSION_2);
}

#[test]
fn what_is_written_of_every_collector_is_read_again_but_for_counters_schedule_and_labels() {
    let before = snapshot();
    let saved = read(text().as_bytes(), at(2000)).unwrap();
    assert_eq!(saved.written_at, at(1000));
    assert!(saved.cold.is_empty());
    let (customers, found_at) = saved.customers().unwrap();
    let discovery = before.discovery().unwrap();
    assert_eq!(Some(customers), discovery.customers());
    assert_eq!(Some(found_at), discovery.figures.as_ref().map(|one| one.at));
    let all: Vec<_> = before.shown().collect();
    assert_eq!(saved.targets.len(), all.len());
    for (before, saved) in all.into_iter().zip(&saved.targets) {
        assert_eq!(saved.id(), before.id());
        if let (Some(before), Some(saved)) = (before.target.tenant(), saved.target.tenant()) {
            let without_labels = Tenant {
                labels: BTreeMap::new(),
                ..Tenant::clone(before)
            };
            assert_eq!(**saved, without_labels);
        }
        assert_eq!(saved.collectors.len(), before.collectors.len());
        for saved in &saved.collectors {
            let before = before.collector(saved.collector()).unwrap();
            assert_eq!(saved.config, before.config);
            assert_eq!(saved.last_poll, before.last_poll);
            let figures = |one: &CollectorSnapshot| {
                let figures = one.figures.clone()?;
                Some((figures.at, figures.pages, figures.totals))
            };
            assert_eq!(figures(saved), figures(before));
            assert!(saved.figures.as_ref().is_none_or(|one| one.is_restored));
            assert!(before.polls > 0 && before.failed() > 0 && before.next_poll.is_some());
            assert_eq!((saved.polls, saved.failed(), saved.skipped), (0, 0, 0));
            assert_eq!(saved.next_poll, None);
        }
    }
}

#[test]
fn discovery_that_only_failed_starts_as_if_it_had_never_been_tried() {
    let mut snapshot = snapshot();
    for target in &mut snapshot.targets {
        for collector in &mut Arc::make_mut(target).collectors {
            collector.figures = None;
        }
    }
    let saved = read(&write(&snapshot, at(1000)).unwrap(), at(2000)).unwrap();
    let mut collectors = saved.targets.iter().flat_map(|one| &one.collectors);
    let tried = collectors.find(|one| one.last_poll.is_some()).unwrap();
    assert!(!tried.collector().is_discovery());
    let discovery = saved.targets[0].collector(Collector::Customers).unwrap();
    assert_eq!(discovery.last_poll, None);
}

#[test]
fn an_exporter_that_knows_nothing_writes_that() {
    let text = write(&Snapshot::default(), at(0)).unwrap();
    let saved = read(&text, at(0)).unwrap();
    assert!(saved.targets.is_empty() && saved.customers().is_none());
}

#[test]
fn a_time_ahead_is_written_as_now_since_figures_of_it_would_be_fresh_for_ever() {
    let text = write(&snapshot(), at(500)).unwrap();
    let saved = read(&text, at(500)).unwrap();
    assert_eq!(saved.customers().unwrap().1, at(500));
    let mut collectors = saved.targets.iter().flat_map(|one| &one.collectors);
    assert!(collectors.all(|one| one.figures.as_ref().is_none_or(|it| it.at <= at(500))));
}

#[test]
fn a_clock_that_is_behind_costs_nothing_and_leaves_figures_the_age_that_they_had() {
    // Figures were polled at second 900 and a fraction, and written at second 1000.
    let snapshot = snapshot();
    let age = |now: Timestamp, at: Timestamp| now.since(at).as_millis();
    for ahead in [0, 1, 300, 3600, 86_400] {
        let text = write(&snapshot, at(100_000)).unwrap();
        let now = at(100_000 - ahead);
        let saved = read(&text, now).unwrap();
        assert_eq!((saved.written_at, saved.ahead.as_secs()), (now, ahead));
        assert!(saved.cold.is_empty());
        let directory = saved.targets[2].collector(Collector::Directory).unwrap();
        let figures = directory.figures.as_ref().unwrap();
        assert_eq!(age(now, figures.at), 99_099_876, "{ahead}");
        // Thus they become stale as if the clock had never been wrong.
        assert!(figures.at < now);
    }
}

#[test]
fn a_figure_of_the_first_moment_of_all_clocks_is_not_moved_before_it() {
    let saved = read(text().as_bytes(), at(0)).unwrap();
    let early = text().replace(&written(900, 123_456_789), "{\"secs\":1,\"nanos\":0}");
    let shifted = read(early.as_bytes(), at(0)).unwrap();
    assert_eq!(shifted.targets.len(), saved.targets.len());
    assert_eq!(shifted.customers().unwrap().1, Timestamp::default());
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
fn a_file_with_a_wrong_type_around_the_figures_is_damaged_and_not_quoted() {
    for (right, wrong) in [
        ("\"targets\":[{", "\"targets\":[7,{"),
        ("\"source\":\"config\"", "\"source\":\"Contoso\""),
        ("\"tenant_id\":\"00000000", "\"tenant_id\":\"contoso"),
        ("\"customer_id\":\"00000000", "\"customer_id\":\"fabrikam"),
        ("}}]}", "}}]}}"),
    ] {
        assert!(text().contains(right), "{right}");
        let why = refused(&text().replacen(right, wrong, 1), at(2000));
        assert!(why.starts_with("is damaged at line 1, column "), "{why}");
    }
}

/// What is read of a file with this instead of that: the collectors that start cold, and the number of the others.
fn read_with(right: &str, wrong: &str) -> (Vec<(String, usize)>, usize) {
    assert!(text().contains(right), "{right}");
    let saved = read(text().replacen(right, wrong, 1).as_bytes(), at(2000)).unwrap();
    let collectors = saved.targets.iter().map(|one| one.collectors.len());
    (saved.cold.into_iter().collect(), collectors.sum())
}

#[test]
fn what_a_collector_cannot_read_back_starts_cold_alone() {
    let all: usize = snapshot().shown().map(|one| one.collectors.len()).sum();
    let (early, late) = (written(900, 123_456_789), written(1001, 0));
    for (collector, right, wrong) in [
        ("security_users", "\"users\":4,", "\"users\":\"Contoso\","),
        ("security_users", "\"users\":4,", ""),
        ("security_users", "\"users\":4,", "\"users\":-4,"),
        ("security_users", "\"throttled\"", "\"fate\""),
        (
            "security_users",
            "\"endpoint\":\"v3\"",
            "\"endpoint\":\"v4\"",
        ),
        ("partner_center", "\"federated\"", "\"guest\""),
        ("partner_center", "\"DE\"", "\"Germany?\""),
        ("protected_users", "{\"directory\":9", "{\"mail\":9"),
        (
            "customers",
            "\"backup_status\":77",
            "\"backup_status\":\"Contoso\"",
        ),
        ("customers", early.as_str(), late.as_str()),
        ("customers", "\"secs\":900,", "\"secs\":2592001,"),
        ("customers", "\"secs\":900,", "\"secs\":1,"),
        // Of a collector that a newer exporter has.
        (
            "phones",
            "\"directory\":{\"config\"",
            "\"phones\":{\"config\"",
        ),
    ] {
        let (cold, others) = read_with(right, wrong);
        assert_eq!(cold, [(collector.to_owned(), 1)], "{right} -> {wrong}");
        assert_eq!(others, all - 1, "{right} -> {wrong}");
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
        assert_eq!(why, "is not a warm-start file of this program", "{text}");
    }
}

#[test]
fn a_file_of_another_version_is_told_from_a_damaged_one() {
    let of = |version: u64| {
        let head = r#"{"format": "avepoint-exporter warm start", "version": "#;
        refused(&format!(r#"{head}{version}, "targets": "?"}}"#), at(0))
    };
    assert_eq!(
        of(3),
        "has version 3 of a newer exporter; this exporter reads version 2"
    );
    assert_eq!(
        of(1),
        "has version 1 of an older exporter; this exporter reads version 2"
    );
}

#[test]
fn a_file_that_is_yet_to_be_written_is_not_used() {
    let text = String::from_utf8(write(&snapshot(), at(100_000)).unwrap()).unwrap();
    let why = refused(&text, at(100_000 - 86_401));
    assert!(
        why.starts_with("has a timestamp in the future, 2026-09-22T"),
        "{why}"
    );
}

#[test]
fn a_file_that_has_a_target_twice_is_not_used() {
    let twice = text().replace(
        "00000000-0000-0000-0000-00000000000b",
        "00000000-0000-0000-0000-00000000000a",
    );
    let why = refused(&twice, at(2000));
    assert_eq!(why, "is invalid: duplicate target");
}

#[test]
fn a_field_that_is_not_known_yet_is_not_looked_at() {
    let more = text().replacen("\"targets\":", "\"more\":{\"a\":[1]},\"targets\":", 1);
    let saved = read(more.as_bytes(), at(2000)).unwrap();
    assert_eq!(saved.tenants().count(), 3);
}
