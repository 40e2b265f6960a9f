//! The status as JSON: how each poll of each tenant fares.

use std::sync::Arc;

use avepoint_exporter::collectors::Totals;
use avepoint_exporter::domain::{Clock, Reason, Timestamp};
use avepoint_exporter::exposition::Body;
use avepoint_exporter::server::{Pages, Sources};
use avepoint_exporter::simulator::{Fault, Listing, Options, Rule, When, World};
use avepoint_exporter::snapshot::{CollectorSnapshot, Snapshot, TargetSnapshot};
use avepoint_exporter::troubles::Trouble;
use avepoint_exporter::upstream::Stats;
use http::Request;
use http_body_util::BodyExt as _;
use prometheus::Registry;
use serde_json::Value;
use tokio::sync::watch;

use crate::exposition::snapshots::{
    NOW, SECURITY, at, figures, golden, last_failure, last_poll, never, security, tenant,
};
use crate::http::{get, request};
use crate::program::until;
use crate::server::{Server, web};

const PATH: &str = "/api/v1/status";

/// What is said of this snapshot at this moment.
async fn status(snapshot: Snapshot, now: Timestamp) -> Value {
    let upstream = Stats::register(&Registry::new()).unwrap();
    status_with(snapshot, upstream, now).await
}

/// The same with what is known of the APIs.
async fn status_with(snapshot: Snapshot, upstream: Stats, now: Timestamp) -> Value {
    let sources = Sources {
        tenants: watch::channel(Body::default()).1,
        snapshots: watch::channel(Arc::new(snapshot)).1,
        storage: watch::channel(None).1,
        upstream,
        config: watch::channel(Arc::default()).1,
        read_at: watch::channel(Timestamp::default()).1,
        registry: Registry::new(),
        clock: Clock::from_fn(move || now),
        reload: None,
        demand: None,
    };
    let pages = Pages::new(sources, "/metrics".to_owned(), 1).unwrap();
    let response = pages.answer(Request::get(PATH).body(()).unwrap()).await;
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn the_status_of_a_fleet_is_the_golden_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/status.json");
    let shown = status(golden(), at(NOW)).await;
    if std::env::var_os("BLESS").is_some() {
        let text = serde_json::to_string_pretty(&shown).unwrap();
        std::fs::write(path, text + "\n").unwrap();
    }
    let right: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        shown == right,
        "the status differs from tests/it/golden/status.json; if that is meant: \
         BLESS=1 cargo test --test it golden\n{shown:#}"
    );
}

#[tokio::test]
async fn no_time_is_too_early_or_too_late_to_be_told() {
    for (now, told) in [
        (Timestamp::default(), "1970-01-01T00:00:00.000Z"),
        (at(NOW), "2026-09-21T14:13:20.250Z"),
        (
            Timestamp::from_unix(std::time::Duration::MAX),
            "9999-12-30T22:00:00.999Z",
        ),
    ] {
        assert_eq!(status(Snapshot::default(), now).await["now"], told);
    }
}

#[tokio::test]
async fn the_status_says_at_once_what_is_wrong_and_why() {
    let world = World::seeded(1, 3, 20);
    let refused = world.tenants()[1].tenant_id;
    let mut options = Options::new(world);
    options.rules = vec![Rule::new(
        Fault::Forbidden,
        When::always().for_tenant(refused).on(Listing::Security),
    )];
    let server = Server::start(options, web()).await;
    let status = until("the first round", async || {
        let answer = get(&server.address, PATH).await;
        let status: Value = serde_json::from_str(&answer.text()).unwrap();
        (status["totals"]["never_polled"] == 0).then_some(status)
    })
    .await;
    let totals = &status["totals"];
    assert_eq!(totals["tenants"], 3);
    assert_eq!(totals["collectors"], 6);
    assert_eq!(totals["failing"], 1);
    let tenant = &status["tenants"][1];
    assert_eq!(tenant["tenant_id"], refused.to_string());
    let failing = &tenant["collectors"][0];
    assert_eq!(failing["collector"], "security_users");
    assert_eq!(
        (&failing["up"], &failing["fresh"]),
        (&false.into(), &false.into())
    );
    assert_eq!(failing["last_failure"]["reason"], "forbidden");
    let message = failing["last_failure"]["message"].as_str().unwrap();
    assert!(
        message.contains("lacks the permission elements.um.user.read.all"),
        "{message}"
    );
    assert_eq!(tenant["collectors"][1]["up"], true);
    let [trouble] = status["troubles"].as_array().unwrap().as_slice() else {
        panic!("one trouble: {:#}", status["troubles"]);
    };
    for (key, expected) in [
        ("severity", "warning"),
        ("trouble", "collector"),
        ("subject", "security_users"),
        ("reason", "forbidden"),
        ("cause", message),
        ("alert", "AvePointCollectorFailing"),
        ("runbook", "/runbooks/AvePointCollectorFailing.md"),
    ] {
        assert_eq!(trouble[key], expected);
    }
    assert_eq!(trouble["affected"], 1);
    let example = trouble["examples"][0].as_str().unwrap();
    assert!(example.contains(&refused.to_string()), "{example}");
    let step = trouble["next_step"].as_str().unwrap();
    assert!(step.starts_with("Check the permissions"), "{step}");
    assert_eq!(trouble["since"], failing["last_failure"]["at"]);
    assert_eq!(status["credentials"][0]["up"], true);
    assert_eq!(status["reload"]["up"], true);
    let elements = &status["apis"][0];
    assert_eq!(elements["api"], "elements");
    for key in [
        "rate_limit_requests_per_second",
        "required_requests_per_second",
        "capacity_requests_per_second",
    ] {
        assert!(elements[key].as_f64().unwrap() > 0.0, "{key}: {elements}");
    }
    let runbook = get(&server.address, trouble["runbook"].as_str().unwrap()).await;
    assert_eq!(runbook.status, 200);
}

/// The kinds and the numbers of what is wrong when so many of so many tenants fail.
async fn troubles_of(failing: usize, all: usize) -> Vec<(String, u64)> {
    let targets = (0..all).map(|index| {
        let poll = |failure: Option<Reason>| {
            let failed = failure.map(|reason| last_failure(NOW - 5.0, reason));
            CollectorSnapshot {
                polls: 1,
                last_poll: Some(last_poll(1.0, 1, failure)),
                failing_since: failed.as_ref().map(|failure| failure.at),
                last_failure: failed,
                figures: Some(figures(
                    NOW - 1.0,
                    Totals::SecurityUsers(security(5, &[(3, 5)])),
                )),
                ..never(SECURITY)
            }
        };
        let failure = (index < failing).then_some(Reason::Connection);
        Arc::new(TargetSnapshot {
            target: tenant(index as u128, "Contoso", "Contoso", []),
            collectors: vec![poll(failure)],
        })
    });
    let snapshot = Snapshot {
        targets: targets.collect(),
        ..Snapshot::default()
    };
    let status = status(snapshot, at(NOW)).await;
    let troubles = status["troubles"].as_array().unwrap().iter();
    troubles
        .map(|one| {
            let name = one["trouble"].as_str().unwrap().to_owned();
            assert!(
                one["examples"]
                    .as_array()
                    .is_none_or(|some| some.len() <= 5)
            );
            (name, one["affected"].as_u64().unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn a_thousand_failing_tenants_are_two_troubles_and_two_of_a_thousand_are_one() {
    let both = |count| {
        let both = ["fleet_blind", "collector"];
        both.map(|name| (name.to_owned(), count)).to_vec()
    };
    assert_eq!(troubles_of(0, 1).await, []);
    assert_eq!(troubles_of(1, 1).await, both(1)[1..]);
    assert_eq!(troubles_of(2, 3).await, both(2)[1..]);
    assert_eq!(troubles_of(3, 5).await, both(3));
    assert_eq!(troubles_of(3, 6).await, both(3)[1..]);
    assert_eq!(troubles_of(1000, 1000).await, both(1000));
    let none = ("no_tenants".to_owned(), 0);
    assert_eq!(troubles_of(0, 0).await, [none]);
}

#[tokio::test]
async fn what_is_worse_is_said_first_with_its_beginning() {
    let upstream = Stats::register(&Registry::new()).unwrap();
    let begin = |trouble, subject, reason| {
        let (cause, since) = ("the cause".to_owned(), at(NOW - 60.0));
        upstream
            .troubles
            .begin(trouble, subject, reason, cause, since);
    };
    begin(Trouble::Storage, "state_dir", "");
    begin(Trouble::Clock, "elements", "");
    begin(Trouble::Credential, "elements", "invalid_client");
    let status = status_with(golden(), upstream, at(NOW)).await;
    let troubles = status["troubles"].as_array().unwrap();
    let shown: Vec<_> = troubles
        .iter()
        .map(|one| (&one["severity"], &one["trouble"]))
        .map(|(severity, trouble)| {
            format!(
                "{} {}",
                severity.as_str().unwrap(),
                trouble.as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "critical credential",
            "warning discovery",
            "warning collector",
            "warning collector",
            "warning collector",
            "warning stale",
            "warning tenants_vanished",
            "warning clock",
            "warning storage",
        ]
    );
    assert_eq!(troubles[0]["since"], "2026-09-21T14:12:20.250Z");
    assert_eq!(troubles[0]["cause"], "the cause");
    let step = troubles[0]["next_step"].as_str().unwrap();
    assert!(step.starts_with("Compare the client id"), "{step}");
    for one in troubles {
        for key in ["cause", "next_step", "alert", "runbook"] {
            assert!(!one[key].as_str().unwrap().is_empty(), "{one}");
        }
    }
}

#[tokio::test]
async fn while_a_listing_is_read_the_status_says_since_when_and_how_much_of_it_has_come() {
    let begin = Clock::system().now();
    let mut options = Options::new(World::seeded(1, 1, 1000));
    // The first page comes, and no other.
    let when = When::always().on(Listing::Protected).after(1);
    options.rules = vec![Rule::new(Fault::Hang, when)];
    let server = Server::start(options, web()).await;
    let collectors = until("a page", async || {
        let answer = get(&server.address, PATH).await;
        let status: Value = serde_json::from_str(&answer.text()).unwrap();
        let collectors = status["tenants"][0]["collectors"].clone();
        let has_ended = collectors[0]["up"] == true;
        (has_ended && collectors[1]["running"]["pages"] == 1).then_some(collectors)
    })
    .await;
    assert_eq!(
        collectors[0]["running"],
        Value::Null,
        "that listing is read"
    );
    assert_eq!(collectors[1]["collector"], "protected_users");
    assert_eq!(collectors[1]["running"]["rows"], 100);
    let since = collectors[1]["running"]["since"].as_str().unwrap();
    let since: jiff::Timestamp = since.parse().unwrap();
    let since = u128::try_from(since.as_millisecond()).unwrap();
    assert!(since + 1 >= begin.since_unix().as_millis(), "{collectors}");
}

#[tokio::test]
async fn the_status_is_never_kept_and_compressed_for_who_accepts_it() {
    let server = Server::settled(World::seeded(1, 5, 30)).await;
    let plain = get(&server.address, PATH).await;
    let zipped = request("GET", &server.address, PATH, "Accept-Encoding: gzip\r\n").await;
    for answer in [&plain, &zipped] {
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
    }
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    let [plain, zipped] = [plain.text(), zipped.gunzipped()].map(|text| {
        let mut status: Value = serde_json::from_str(&text).unwrap();
        status["now"].take();
        status
    });
    assert_eq!(plain, zipped);
}

#[tokio::test]
async fn the_status_shares_its_bound_with_the_scrapes() {
    let mut none = web();
    none.max_requests = 0;
    let server = Server::starved(1, none).await;
    let answer = get(&server.address, PATH).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    server.is_well().await;
}
