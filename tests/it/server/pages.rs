//! What well-behaved clients get.

use std::time::Duration;

use avepoint_exporter::simulator::World;

use crate::http::{Answer, get, request};
use crate::program::until;
use crate::server::{Server, web};
use crate::support::Exposition;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An exposition without what is different at each scrape.
fn steady(text: &str) -> Vec<&str> {
    let moves = ["process_", "avepoint_exporter_http_requests_total"];
    text.lines()
        .filter(|line| !moves.iter().any(|name| line.contains(name)))
        .collect()
}

fn length(answer: &Answer) -> Option<usize> {
    answer.header("content-length")?.parse().ok()
}

#[tokio::test]
async fn every_page_has_its_type_and_length_and_head_tells_the_same() {
    let server = Server::settled(World::seeded(1, 2, 30)).await;
    for (path, content_type) in [
        ("/", HTML),
        ("/metrics", EXPOSITION),
        ("/metrics?format=x", EXPOSITION),
        ("/api/v1/status", JSON),
        ("/-/healthy", TEXT),
        ("/-/ready", TEXT),
        ("/dashboards/", HTML),
        ("/rules/", HTML),
        ("/runbooks/", HTML),
    ] {
        // The exporter's own figures may get a digit more between two scrapes.
        until("GET and HEAD of one length", async || {
            let got = get(&server.address, path).await;
            let head = request("HEAD", &server.address, path, "").await;
            for answer in [&got, &head] {
                assert_eq!(answer.status, 200, "{path}");
                assert_eq!(answer.header("content-type"), Some(content_type));
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            }
            assert_eq!(length(&got), Some(got.body.len()), "{path}");
            assert!(!got.body.is_empty() && head.body.is_empty());
            (length(&got) == length(&head)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_first_page_links_to_all_others() {
    let server = Server::settled(World::seeded(1, 1, 10)).await;
    let root = get(&server.address, "/").await.text();
    for (_, link) in root
        .match_indices("href=\"")
        .map(|(at, it)| root[at..].split_at(it.len()))
    {
        let path = link.split('"').next().unwrap();
        assert_eq!(get(&server.address, path).await.status, 200, "{path}");
    }
    assert_eq!(root.matches("href=").count(), 7);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_allowed_is_405() {
    let server = Server::settled(World::seeded(1, 1, 10)).await;
    for path in [
        "/nothing",
        "/metrics/",
        "//metrics",
        "/-/",
        "/METRICS",
        "/%6detrics",
        "*",
        "/dashboardsx",
        "/dashboards//",
        "/rules/../Cargo.toml",
        "/runbooks/%2e%2e/metrics.md",
        "/rules/avepoint-recording.yml/",
        "/deploy/",
    ] {
        let answer = get(&server.address, path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, Some(TEXT)),
            "{path}"
        );
    }
    for path in [
        "/",
        "/metrics",
        "/api/v1/status",
        "/-/healthy",
        "/-/ready",
        "/dashboards",
        "/rules/avepoint-recording.yml",
    ] {
        for method in [
            "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE",
        ] {
            let answer = request(method, &server.address, path, "Content-Length: 0\r\n").await;
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some("GET, HEAD")),
                "{method} {path}"
            );
        }
    }
    let expected = [
        ("other", 9.0),
        ("dashboards", 1.0),
        ("rules", 2.0),
        ("runbooks", 1.0),
    ];
    // They are up to a second old.
    until("all requests to be counted", async || {
        let text = get(&server.address, "/metrics").await.text();
        let shown = Exposition::read(&text);
        let is_counted = expected.iter().all(|(handler, expected)| {
            let labels = [("handler", *handler), ("code", "404")];
            shown.get("avepoint_exporter_http_requests_total", &labels) == Some(*expected)
        });
        is_counted.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_compressed_scrape_is_the_plain_one_in_fewer_bytes() {
    let server = Server::settled(World::seeded(1, 5, 30)).await;
    let plain = get(&server.address, "/metrics").await;
    assert_eq!(plain.header("content-encoding"), None);
    for accepted in ["gzip", "deflate, gzip;q=0.3", "*"] {
        let header = format!("Accept-Encoding: {accepted}\r\n");
        let zipped = request("GET", &server.address, "/metrics", &header).await;
        assert_eq!(zipped.header("content-encoding"), Some("gzip"));
        assert_eq!(zipped.header("content-type"), Some(EXPOSITION));
        assert_eq!(zipped.header("vary"), Some("Accept, Accept-Encoding"));
        assert_eq!(length(&zipped), Some(zipped.body.len()));
        assert!(zipped.body.len() * 5 < plain.body.len());
        assert_eq!(steady(&zipped.gunzipped()), steady(&plain.text()));
    }
    for refused in ["identity", "br", "gzip;q=0", ""] {
        let header = format!("Accept-Encoding: {refused}\r\n");
        let answer = request("GET", &server.address, "/metrics", &header).await;
        assert_eq!(answer.header("content-encoding"), None, "{refused}");
        assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"));
    }
}

#[tokio::test]
async fn the_exposition_can_be_elsewhere() {
    let mut elsewhere = web();
    elsewhere.telemetry_path = "/a/b.txt".to_owned();
    let server = Server::starved(1, elsewhere).await;
    let answer = get(&server.address, "/a/b.txt").await;
    assert_eq!(answer.header("content-type"), Some(EXPOSITION));
    assert_eq!(get(&server.address, "/metrics").await.status, 404);
    let root = get(&server.address, "/").await.text();
    assert!(root.contains("<a href=\"/a/b.txt\">"), "{root}");
}

#[tokio::test]
async fn it_is_ready_once_every_poll_was_tried_and_not_before() {
    let mut options = avepoint_exporter::simulator::Options::new(World::seeded(1, 3, 10));
    options.latency = Duration::from_millis(200);
    let server = Server::start(options, web()).await;
    assert_eq!(get(&server.address, "/-/ready").await.status, 503);
    until("the readiness", async || {
        let answer = get(&server.address, "/-/ready").await;
        let asked = server.simulator.stats().total_requests();
        assert!(answer.status == 503 || answer.status == 200 && asked >= 6);
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_scrape_does_not_wait_for_an_upstream_that_hangs() {
    let server = Server::starved(3, web()).await;
    until("requests that hang", async || {
        (server.simulator.stats().in_flight > 0).then_some(())
    })
    .await;
    let scrape = tokio::time::timeout(Duration::from_secs(2), get(&server.address, "/metrics"));
    let text = scrape.await.unwrap().text();
    assert_eq!(
        Exposition::read(&text).get("avepoint_tenants", &[("state", "active")]),
        Some(3.0)
    );
    assert!(!text.contains("avepoint_collector_up"), "{text}");
    assert_eq!(get(&server.address, "/-/ready").await.status, 503);
    server.is_well().await;
}
