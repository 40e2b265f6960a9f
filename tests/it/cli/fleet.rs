//! What the log says of the fleet as a whole, and of a listing that is refused for good: once, and once when it ends.

use std::fs;

use avepoint_exporter::simulator::{Fault, Listing, Options, Rule, When, World};

use crate::cli::{Folder, serve};
use crate::http::get;
use crate::program::{Program, until};
use crate::support::{Exposition, config_text, simulator};

/// Each listing has one page, so that two requests per second are needed.
const EVERY_SECOND: &str =
    "collectors:\n  security_users: { interval: 1s }\n  protected_users: { interval: 1s }\n";

async fn until_said(program: &Program, words: &str) -> String {
    until(words, async || {
        let log = program.stderr();
        let line = log.lines().find(|line| line.contains(words))?;
        Some(line.to_owned())
    })
    .await
}

#[tokio::test]
async fn a_fleet_that_does_not_fit_is_said_once_with_what_to_change_and_so_is_one_that_fits_again()
{
    let upstream = simulator(Options::new(World::seeded(1, 1, 20))).await;
    let limit = "  rate_limit: { requests_per_second: 1.5, burst: 1000 }\n";
    let config = config_text(&upstream, limit, EVERY_SECOND);
    let folder = Folder::with(&config);
    let (program, address) = serve(&folder, &[]).await;
    let line = until_said(&program, "elements needs 2.00 requests").await;
    for words in [
        "level=warn",
        "api=elements",
        "elements needs 2.00 requests/s, 1.50 are available, limited by the configured rate",
        "raise elements.rate_limit.requests_per_second",
        "by a factor of 1.4",
    ] {
        assert!(line.contains(words), "{words}: {line}");
    }
    let shown = Exposition::read(&get(&address, "/metrics").await.text());
    let api = [("api", "elements")];
    let required = shown.get("avepoint_api_required_requests_per_second", &api);
    assert_eq!(required, Some(2.0));
    let capacity = shown.get("avepoint_api_capacity_requests_per_second", &api);
    assert_eq!(capacity, Some(1.5));

    fs::write(folder.config(), config.replace("1.5,", "10,")).unwrap();
    program.signal("HUP");
    let line = until_said(&program, "high enough for all intervals again").await;
    assert!(line.contains("level=info"), "{line}");
    program.signal("TERM");
    let log = program.end().await.stderr;
    let said: Vec<_> = log
        .lines()
        .filter(|line| line.contains("too low for all intervals"))
        .collect();
    assert_eq!(said.len(), 2, "{log}");
    let assumed = "this assumes 1000 users in each of 2 listings that were never read";
    assert!(said[0].contains(assumed), "before the first answer: {log}");
}

#[tokio::test]
async fn a_listing_in_quarantine_is_said_once_with_its_reason_and_its_next_poll_and_so_is_its_end()
{
    let mut options = Options::new(World::seeded(1, 1, 20));
    options.rules = vec![Rule::new(
        Fault::NotFound,
        When::first(3).on(Listing::Security),
    )];
    let upstream = simulator(options).await;
    let folder = Folder::with(&config_text(&upstream, "", EVERY_SECOND));
    let (program, _) = serve(&folder, &[]).await;
    let line = until_said(&program, "listing quarantined").await;
    for words in [
        "level=warn",
        "reason=not_found",
        "next_poll=",
        "collector=security_users",
        "tenant_id=",
    ] {
        assert!(line.contains(words), "{words}: {line}");
    }
    let line = until_said(&program, "polled on schedule again").await;
    assert!(
        line.contains("level=info") && line.contains("collector=security_users"),
        "{line}"
    );
    program.signal("TERM");
    let log = program.end().await.stderr;
    assert_eq!(log.matches("listing quarantined").count(), 1, "{log}");
    assert_eq!(log.matches("polled on schedule again").count(), 1, "{log}");
}

#[tokio::test]
async fn each_discovery_that_finds_only_excluded_tenants_is_said_and_counts_its_customers() {
    let upstream = simulator(Options::new(World::seeded(1, 2, 20))).await;
    let config = |limit| {
        let sections = "discovery: { enabled: true, exclude: { tenant_name: '.*' } }\n";
        let limit = format!("  rate_limit: {{ requests_per_second: {limit} }}\n");
        let text = config_text(&upstream, &limit, sections);
        let (without_tenants, _) = text.split_once("tenants:\n").unwrap();
        without_tenants.to_owned()
    };
    let folder = Folder::with(&config(40));
    let (program, _) = serve(&folder, &["--log.level=debug"]).await;
    let line = until_said(&program, "no tenants to poll").await;
    assert!(line.contains("excluded=2"), "{line}");
    let line = until_said(&program, "discovery succeeded").await;
    assert!(line.contains("customers=2"), "{line}");
    // Another client discovers at once.
    fs::write(folder.config(), config(41)).unwrap();
    program.signal("HUP");
    until("the second time", async || {
        let log = program.stderr();
        (log.matches("no tenants to poll").count() == 2).then_some(())
    })
    .await;
    program.signal("TERM");
    program.end().await;
}
