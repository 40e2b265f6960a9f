//! The status as JSON: how each poll of each tenant fares.

use std::sync::Arc;

use avepoint_exporter::domain::{Clock, Timestamp};
use avepoint_exporter::exposition::Body;
use avepoint_exporter::server::{Pages, Sources};
use avepoint_exporter::simulator::{Fault, Listing, Options, Rule, When, World};
use avepoint_exporter::snapshot::Snapshot;
use http::Request;
use http_body_util::BodyExt as _;
use prometheus::Registry;
use serde_json::Value;
use tokio::sync::watch;

use crate::exposition::snapshots::{NOW, at, golden};
use crate::http::{get, request};
use crate::program::until;
use crate::server::{Server, web};

const PATH: &str = "/api/v1/status";

/// What is said of this snapshot at this moment.
async fn status(snapshot: Snapshot, now: Timestamp) -> Value {
    let sources = Sources {
        tenants: watch::channel(Body::default()).1,
        snapshots: watch::channel(Arc::new(snapshot)).1,
        storage: watch::channel(None).1,
        registry: Registry::new(),
        clock: Clock::from_fn(move || now),
        reload: None,
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
