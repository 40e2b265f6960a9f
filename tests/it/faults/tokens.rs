//! Access tokens: asked for once, renewed when they die, and what is shown when there is none.

use std::path::Path;
use std::time::Duration;

use avepoint_exporter::config::{Config, Source};
use avepoint_exporter::domain::Timestamp;
use avepoint_exporter::simulator::{CLIENT_SECRET, Fault, Listing, Rule, Simulator, When, World};

use super::figures::{Figures, shown};
use super::{error_of, failure, options, pages};
use crate::support::{Exposition, config, config_text, poll, simulator};

const USERS: &str = "elements.um.user.read.all";
const PROTECTED: &str = "elements.cbprotected.read.all";
const TOKEN_FAILURES: &str = "avepoint_token_request_failures_total";

/// Tenants whose polls all go on at once.
const MANY: usize = 12;

fn at_once() -> &'static str {
    "  rate_limit: { requests_per_second: 10000, burst: 1000, max_concurrent_requests: 100 }\n"
}

/// The reason of each poll; `None` when it succeeded.
fn failures(simulator: &Simulator, exposition: &Exposition) -> Vec<Option<String>> {
    let tenants = simulator.world().tenants().iter();
    let both = tenants.flat_map(|tenant| {
        [Listing::Security, Listing::Protected]
            .map(|listing| failure(exposition, tenant.tenant_id, listing))
    });
    both.collect()
}

#[track_caller]
fn assert_all(failures: &[Option<String>], expected: Option<&str>) {
    for failure in failures {
        assert_eq!(failure.as_deref(), expected);
    }
}

#[tokio::test]
async fn a_token_is_asked_for_once_however_many_polls_wait_for_it() {
    let mut options = options(World::seeded(1, MANY, 50), &[]);
    options.latency = Duration::from_millis(50);
    let simulator = simulator(options).await;
    let exposition = poll(&config(&simulator, at_once(), "")).await;
    assert_all(&failures(&simulator, &exposition), None);
    assert_eq!(simulator.stats().token_requests, 1);
    assert!(
        simulator.stats().peak_in_flight > 1,
        "the polls did not go on at once"
    );
    let credential = [("credential", "elements")];
    assert_eq!(
        exposition.get("avepoint_token_requests_total", &credential),
        Some(1.0)
    );
    assert_eq!(
        exposition.get("avepoint_credential_up", &credential),
        Some(1.0)
    );
    assert!(
        exposition
            .get(
                "avepoint_access_token_expiry_timestamp_seconds",
                &credential
            )
            .is_some()
    );
}

#[tokio::test]
async fn a_token_that_dies_is_renewed_once_however_many_polls_meet_its_end() {
    let rule = Rule::new(Fault::ExpireTokens, When::first(1).after(3));
    let mut options = options(World::seeded(1, MANY, 50), &[rule]);
    options.latency = Duration::from_millis(50);
    let simulator = simulator(options).await;
    let exposition = poll(&config(&simulator, at_once(), "")).await;
    assert_all(&failures(&simulator, &exposition), None);
    let stats = simulator.stats();
    assert_eq!(stats.token_requests, 2);
    assert!(stats.unauthorized > 1, "only {} met it", stats.unauthorized);
    let labels = [("api", "elements"), ("reason", "unauthorized")];
    let retries = exposition.get("avepoint_api_retries_total", &labels);
    assert_eq!(retries, Some(stats.unauthorized as f64));
}

#[tokio::test]
async fn a_token_that_is_refused_although_it_is_fresh_is_not_asked_for_again_and_again() {
    let one_by_one =
        "  rate_limit: { requests_per_second: 10000, burst: 1000, max_concurrent_requests: 1 }\n";
    for concurrency in [at_once(), one_by_one] {
        let rule = Rule::new(Fault::Unauthorized, When::always());
        let mut options = options(World::seeded(1, MANY, 50), &[rule]);
        options.latency = Duration::from_millis(10);
        let simulator = simulator(options).await;
        let exposition = poll(&config(&simulator, concurrency, "")).await;
        assert_all(&failures(&simulator, &exposition), Some("unauthorized"));
        // Each poll tries twice, and all of them with the same two tokens.
        assert_eq!(simulator.stats().total_requests(), 4 * MANY as u64);
        assert_eq!(simulator.stats().token_requests, 2);
    }
}

#[tokio::test]
async fn a_tenant_that_refuses_every_token_costs_one_renewal_a_poll() {
    let world = World::seeded(1, MANY, 50);
    let when = When::always().for_tenant(world.tenants()[0].tenant_id);
    let rule = Rule::new(Fault::Unauthorized, when);
    let mut options = options(world, &[rule]);
    options.latency = Duration::from_millis(10);
    let simulator = simulator(options).await;
    let exposition = poll(&config(&simulator, at_once(), "")).await;
    let failures = failures(&simulator, &exposition);
    assert_all(&failures[..2], Some("unauthorized"));
    assert_all(&failures[2..], None);
    // One for the start, and one for each of the two polls that are refused.
    assert!(
        simulator.stats().token_requests <= 3,
        "{:?}",
        simulator.stats()
    );
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end() {
    // A hundred pages, one after another, that take 40 ms each outlast a token of 4 s, which is renewed after 3.6 s.
    let mut options = options(World::seeded(1, 1, 120), &[]);
    options.token_lifetime = Duration::from_secs(4);
    options.latency = Duration::from_millis(40);
    options.page_limit = 1;
    let simulator = simulator(options).await;
    let slowly =
        "  rate_limit: { requests_per_second: 10000, burst: 1000, max_concurrent_requests: 1 }\n";
    let only = "collectors: { security_users: { enabled: false } }\n";
    let exposition = poll(&config(&simulator, slowly, only)).await;
    let tenant = &simulator.world().tenants()[0];
    assert_eq!(
        failure(&exposition, tenant.tenant_id, Listing::Protected),
        None
    );
    assert!(simulator.stats().token_requests >= 2);
    assert_eq!(simulator.stats().unauthorized, 0, "it was used to its end");
}

#[tokio::test]
async fn a_wrong_secret_is_tried_once_for_all_polls() {
    let simulator = simulator(options(World::seeded(1, MANY, 50), &[])).await;
    let text = config_text(&simulator, "", "").replace(CLIENT_SECRET, "not-the-secret");
    let source = Source {
        name: "test.yaml",
        base_dir: Path::new("."),
        env: &|_| None,
        now: Timestamp::default(),
    };
    let exposition = poll(&Config::parse(&text, &source).unwrap()).await;
    assert_all(&failures(&simulator, &exposition), Some("credential"));
    assert_eq!(simulator.stats().token_requests, 1);
    assert_eq!(simulator.stats().total_requests(), 0);
    let credential = [("credential", "elements")];
    assert_eq!(
        exposition.get("avepoint_credential_up", &credential),
        Some(0.0)
    );
    let labels = [("credential", "elements"), ("reason", "invalid_client")];
    assert_eq!(exposition.get(TOKEN_FAILURES, &labels), Some(1.0));
    for collector in ["security_users", "protected_users"] {
        let labels = [("collector", collector), ("reason", "credential")];
        let failures = exposition.get("avepoint_poll_failures_total", &labels);
        assert_eq!(failures, Some(MANY as f64));
    }
    for tenant in simulator.world().tenants() {
        assert_eq!(
            shown(&exposition, tenant.tenant_id, Listing::Security),
            Figures::new()
        );
    }
}

#[tokio::test]
async fn a_permission_that_the_app_lacks_fails_only_its_own_collector_and_the_error_names_it() {
    for (granted, refused) in [
        (Listing::Security, Listing::Protected),
        (Listing::Protected, Listing::Security),
    ] {
        let permission = |listing| match listing {
            Listing::Security => USERS,
            _ => PROTECTED,
        };
        let mut options = options(World::seeded(1, MANY, 50), &[]);
        options.permissions = vec![permission(granted).to_owned()];
        let simulator = simulator(options).await;
        let config = config(&simulator, at_once(), "");
        let error = error_of(&config, refused).await.to_string();
        let expected = format!(
            "(invalid_scope): {}; the app registration lacks this permission",
            permission(refused)
        );
        assert!(error.contains(&expected), "{error}");
        let before = simulator.stats().token_requests;
        let exposition = poll(&config).await;
        for tenant in simulator.world().tenants() {
            assert_eq!(failure(&exposition, tenant.tenant_id, granted), None);
            let failure = failure(&exposition, tenant.tenant_id, refused);
            assert_eq!(failure.as_deref(), Some("credential"));
        }
        // For both together, and for each by itself.
        assert_eq!(simulator.stats().token_requests - before, 3);
        let labels = [("credential", "elements"), ("reason", "invalid_scope")];
        assert_eq!(exposition.get(TOKEN_FAILURES, &labels), Some(2.0));
        let up = exposition.get("avepoint_credential_up", &labels[..1]);
        assert_eq!(up, Some(0.0));
    }
}

#[tokio::test]
async fn an_app_without_any_permission_is_asked_for_each_of_them_once() {
    let mut options = options(World::seeded(1, MANY, 50), &[]);
    options.permissions = vec![];
    let simulator = simulator(options).await;
    let exposition = poll(&config(&simulator, at_once(), "")).await;
    assert_all(&failures(&simulator, &exposition), Some("credential"));
    assert_eq!(simulator.stats().token_requests, 3);
}

#[tokio::test]
async fn only_the_permissions_of_collectors_that_are_on_are_asked_for() {
    for (permission, off, listing) in [
        (USERS, "protected_users", Listing::Security),
        (PROTECTED, "security_users", Listing::Protected),
    ] {
        let mut options = options(World::seeded(1, 1, 50), &[]);
        options.permissions = vec![permission.to_owned()];
        let simulator = simulator(options).await;
        let sections = format!("collectors: {{ {off}: {{ enabled: false }} }}\n");
        let exposition = poll(&config(&simulator, "", &sections)).await;
        let tenant = &simulator.world().tenants()[0];
        assert_eq!(failure(&exposition, tenant.tenant_id, listing), None);
        assert_eq!(simulator.stats().total_requests(), pages(tenant, listing));
    }
}

/// What a fault of the token service is counted as, and after how many tries.
async fn check(fault: Fault, reason: &'static str, tries: std::ops::RangeInclusive<u64>) {
    let rule = Rule::new(fault, When::always().on(Listing::Token));
    let simulator = simulator(options(World::seeded(1, 3, 50), &[rule])).await;
    // Short only where time itself is the point: a busy machine must not be taken for a slow service.
    let deadlines = match fault {
        Fault::Hang | Fault::Slow => "  timeout: 1s\n  retry_deadline: 3s\n",
        Fault::Throttle
        | Fault::RequestTimeout
        | Fault::Overloaded
        | Fault::TokenBusy
        | Fault::TokenSlowDown
        | Fault::Unavailable
        | Fault::Cut => "  timeout: 3s\n  retry_deadline: 3s\n",
        _ => "  timeout: 30s\n  retry_deadline: 60s\n",
    };
    let exposition = poll(&config(&simulator, deadlines, "")).await;
    assert_all(&failures(&simulator, &exposition), Some("credential"));
    let asked = simulator.stats().token_requests;
    assert!(tries.contains(&asked), "{fault}: {asked} token requests");
    assert_eq!(simulator.stats().total_requests(), 0, "{fault}");
    let labels = [("credential", "elements"), ("reason", reason)];
    assert_eq!(
        exposition.get(TOKEN_FAILURES, &labels),
        Some(1.0),
        "{fault}"
    );
    let labels = [("api", "elements_identity"), ("reason", reason)];
    let retries = exposition.get("avepoint_api_retries_total", &labels);
    assert_eq!(retries.or(Some(0.0)), Some((asked - 1) as f64), "{fault}");
}

#[tokio::test]
async fn whatever_the_token_service_does_wrong_is_told_apart_and_tried_as_often_as_it_may_help() {
    let mut checks = tokio::task::JoinSet::new();
    for (fault, reason, tries) in [
        (Fault::Throttle, "throttled", 1..=3),
        (Fault::Unavailable, "unavailable", 2..=4),
        (Fault::RequestTimeout, "unavailable", 1..=3),
        (Fault::Overloaded, "unavailable", 1..=3),
        (Fault::TokenBusy, "unavailable", 2..=4),
        (Fault::TokenSlowDown, "unavailable", 2..=4),
        (Fault::Cut, "connection", 2..=4),
        (Fault::Truncate, "decode", 2..=3),
        (Fault::Hang, "timeout", 2..=3),
        (Fault::Slow, "timeout", 2..=3),
        (Fault::Unauthorized, "unauthorized", 1..=1),
        (Fault::Forbidden, "forbidden", 1..=1),
        (Fault::NotFound, "not_found", 1..=1),
        (Fault::BadRequest, "bad_request", 1..=1),
        (Fault::SecretEcho, "bad_request", 1..=1),
        (Fault::Redirect, "refused", 1..=1),
        (Fault::NotJson, "decode", 1..=1),
        (Fault::Oversized, "limit", 1..=1),
        (Fault::GzipBomb, "limit", 1..=1),
    ] {
        checks.spawn(check(fault, reason, tries));
    }
    checks.join_all().await;
}

#[tokio::test]
async fn a_token_service_that_recovers_costs_nothing_but_time() {
    let rules = [
        Rule::new(Fault::Unavailable, When::first(1).on(Listing::Token)),
        Rule::new(Fault::Truncate, When::first(1).after(1).on(Listing::Token)),
        Rule::new(Fault::TokenBusy, When::first(1).after(2)),
        Rule::new(Fault::TokenSlowDown, When::first(1).after(3)),
        Rule::new(Fault::Bom, When::always().on(Listing::Token)),
    ];
    let simulator = simulator(options(World::seeded(1, 3, 50), &rules)).await;
    let exposition = poll(&config(&simulator, "", "")).await;
    assert_all(&failures(&simulator, &exposition), None);
    assert_eq!(simulator.stats().token_requests, 5);
}
