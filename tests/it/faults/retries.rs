//! What passes is waited for: faults that strike a few times and then stop, and how long is waited.

use std::time::Duration;

use avepoint_exporter::simulator::{Fault, Listing, Rule, Tenant, When, World};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::figures::{self, shown};
use super::{error_of, failure, in_security, options, pages, requests};
use crate::support::{config, poll, simulator};

/// The second page of a listing meets the fault so often; the poll succeeds in spite of it, after at least so
/// long. `reason` is what its retries are counted as.
async fn check(fault: Fault, times: u64, reason: &'static str, at_least: Duration) {
    let world = World::seeded(1, 2, 400);
    let when = When::first(times).after(1);
    let rule = in_security(&world.tenants()[1], fault, when);
    let mut options = options(world, &[rule]);
    options.retry_after = Duration::from_secs(1);
    let simulator = simulator(options).await;
    let start = Instant::now();
    let deadlines = "  timeout: 2s\n  retry_deadline: 60s\n";
    let exposition = poll(&config(&simulator, deadlines, "")).await;
    assert!(
        start.elapsed() >= at_least,
        "{fault}: {:?}",
        start.elapsed()
    );
    for tenant in simulator.world().tenants() {
        let shown = shown(&exposition, tenant.tenant_id, Listing::Security);
        assert_eq!(shown, figures::of(tenant, Listing::Security), "{fault}");
        assert_eq!(
            failure(&exposition, tenant.tenant_id, Listing::Security),
            None,
            "{fault}"
        );
    }
    let tenant = &simulator.world().tenants()[1];
    let asked = requests(&simulator, tenant.tenant_id, Listing::Security);
    assert_eq!(asked, pages(tenant, Listing::Security) + times, "{fault}");
    let labels = [("api", "elements"), ("reason", reason)];
    let retries = exposition.get("avepoint_api_retries_total", &labels);
    assert_eq!(retries, Some(times as f64), "{fault}");
    let all: f64 = exposition
        .all("avepoint_api_retries_total", &[])
        .map(|(_, n)| n)
        .sum();
    assert_eq!(Some(all), retries, "{fault}");
}

#[tokio::test]
async fn what_passes_is_waited_for_and_its_retries_are_counted_by_reason() {
    let mut checks = JoinSet::new();
    for (fault, times, reason, at_least) in [
        (Fault::Throttle, 2, "throttled", 2000),
        (Fault::ThrottleDate, 1, "throttled", 1000),
        (Fault::ThrottleFraction, 1, "throttled", 1128),
        (Fault::ThrottleList, 1, "throttled", 1000),
        (Fault::ThrottleForbidden, 1, "throttled", 1000),
        (Fault::RequestTimeout, 2, "unavailable", 2000),
        (Fault::Overloaded, 1, "unavailable", 1000),
        (Fault::Unavailable, 2, "unavailable", 750),
        (Fault::InternalError, 1, "unavailable", 250),
        (Fault::BadGateway, 1, "unavailable", 250),
        (Fault::GatewayTimeout, 1, "unavailable", 250),
        (Fault::Cut, 2, "connection", 750),
        (Fault::Truncate, 2, "decode", 750),
        (Fault::Slow, 1, "timeout", 2250),
        (Fault::Hang, 1, "timeout", 2250),
    ] {
        checks.spawn(check(fault, times, reason, Duration::from_millis(at_least)));
    }
    checks.join_all().await;
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    for (fault, asked, text) in [
        (
            Fault::Throttle,
            3600,
            "429, retry after 1h; if this happens to one target alone, lengthen its intervals",
        ),
        (Fault::Throttle, u64::MAX, "429, retry after 1d; "),
        (Fault::ThrottleFraction, 3600, "429, retry after 1h128ms; "),
        (Fault::ThrottleList, 3600, "429, retry after 1h; "),
        (
            Fault::ThrottleForbidden,
            3600,
            "403, retry after 1h; if this happens to one target alone, lengthen its intervals",
        ),
        // A date tells the wait less the time that passed since.
        (Fault::ThrottleDate, 3600, "429, retry after "),
    ] {
        let world = World::seeded(1, 1, 120);
        let mut options = options(world, &[Rule::new(fault, When::always())]);
        options.retry_after = Duration::from_secs(asked);
        let simulator = simulator(options).await;
        let start = Instant::now();
        let config = config(&simulator, "  retry_deadline: 50m\n", "");
        let error = error_of(&config, Listing::Security).await;
        assert!(start.elapsed() < Duration::from_secs(30));
        assert_eq!(error.reason().as_str(), "throttled");
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.request_id.is_some(), "support asks for it");
        assert_eq!(simulator.stats().total_requests(), 1);
    }
}

#[tokio::test]
async fn a_server_that_asks_for_no_wait_at_all_is_still_not_stormed() {
    let world = World::seeded(1, 1, 120);
    let rule = Rule::new(Fault::Throttle, When::always());
    let mut options = options(world, &[rule]);
    options.retry_after = Duration::ZERO;
    let simulator = simulator(options).await;
    let deadlines = "  timeout: 2s\n  retry_deadline: 2s\n";
    let error = error_of(&config(&simulator, deadlines, ""), Listing::Security).await;
    assert_eq!(error.reason().as_str(), "throttled");
    let asked = simulator.stats().total_requests();
    assert!((2..=4).contains(&asked), "{asked} requests");
}

#[tokio::test]
async fn a_service_that_is_gone_fails_polls_as_a_connection_and_says_where_to_look() {
    let simulator = simulator(options(World::seeded(1, 1, 120), &[])).await;
    let config = config(&simulator, "  timeout: 1s\n  retry_deadline: 1s\n", "");
    let port = config.elements.api_url.port().unwrap().to_string();
    drop(simulator);
    let error = error_of(&config, Listing::Security).await;
    // Without the service there is no token either.
    assert_eq!(error.reason().as_str(), "credential");
    let error = error.to_string();
    assert!(
        error.contains(&format!(
            "connection to the token service 127.0.0.1:{port} failed: "
        )),
        "{error}"
    );
    assert!(
        error.contains("; check elements.token_url, the network and the proxy"),
        "{error}"
    );
}

#[tokio::test]
async fn what_another_try_cannot_mend_is_said_in_words_for_the_person_who_must_act() {
    for (fault, listing, text) in [
        (
            Fault::Forbidden,
            Listing::Security,
            "lacks the permission elements.um.user.read.all",
        ),
        (
            Fault::Forbidden,
            Listing::Protected,
            "lacks the permission elements.cbprotected.read.all",
        ),
        (
            Fault::NotFound,
            Listing::Security,
            "404: no such customer or tenant; check customer_id",
        ),
        (
            Fault::BadRequest,
            Listing::Protected,
            "400: the API rejected the request",
        ),
        (
            Fault::NotJson,
            Listing::Security,
            "unexpected response: invalid JSON at line 1 column 1",
        ),
        (
            Fault::Deep,
            Listing::Security,
            "limit exceeded: nested too deeply at line 1 column ",
        ),
        (
            Fault::EmptyRows,
            Listing::Protected,
            "limit exceeded: a list of more than 10000 items",
        ),
        (
            Fault::Oversized,
            Listing::Security,
            "see elements.limits.response_bytes",
        ),
        (
            Fault::GzipBomb,
            Listing::Security,
            "see elements.limits.response_bytes",
        ),
        (
            Fault::Redirect,
            Listing::Security,
            "302: redirect to another URL; not followed",
        ),
        (
            Fault::ForeignLink,
            Listing::Security,
            "next page is to another host; not followed",
        ),
        (
            Fault::Unauthorized,
            Listing::Security,
            "401 although the access token is fresh",
        ),
    ] {
        let rule = Rule::new(fault, When::always().on(listing));
        let simulator = simulator(options(World::seeded(1, 1, 400), &[rule])).await;
        let error = error_of(&config(&simulator, "", ""), listing)
            .await
            .to_string();
        assert!(error.contains(text), "{error}");
        assert!(error.starts_with('/'), "the endpoint is named: {error}");
        let ids = |tenant: &Tenant| [tenant.customer_id.to_string(), tenant.tenant_id.to_string()];
        for id in ids(&simulator.world().tenants()[0]) {
            assert!(!error.contains(&id), "ids are fields of the log: {error}");
        }
    }
}
