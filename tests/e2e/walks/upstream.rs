//! What the API refuses, and what it should not send.

use avepoint_exporter::simulator::{Fault, Listing, Options, Rule, When, World};

use super::scene::{EVERY_SECOND, Scene, Told, config, elements, simulator, upstream};
use crate::program::until;

const LISTINGS: [Listing; 2] = [Listing::Security, Listing::Protected];

async fn scene_with(
    tenants_count: usize,
    rules: Vec<Rule>,
) -> (avepoint_exporter::simulator::Simulator, Scene) {
    let upstream = upstream(tenants_count, rules).await;
    let config = config(&upstream, &[]);
    let scene = Scene::start(&config).await;
    (upstream, scene)
}

/// A fault at each request for the listings of tenants.
fn always(fault: Fault) -> Vec<Rule> {
    LISTINGS
        .map(|listing| Rule::new(fault, When::always().on(listing)))
        .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_missing_for_all_tenants() {
    let (_upstream, scene) = scene_with(4, always(Fault::Forbidden)).await;
    scene
        .tells(&Told {
            log: &[
                "poll failed",
                "reason=forbidden",
                "the app registration lacks the permission elements.um.user.read.all",
            ],
            metric: "count(avepoint_collector_failing{reason=\"forbidden\"} == 1) == 8",
            trouble: ("fleet_blind", &["4 of 4 tenants", "lacks the permission"]),
            next_step: "Check the permissions and the customer scope",
            alert: ("AvePointFleetBlind", "critical", "forbidden"),
            runbook: "`forbidden`: the app registration lost a permission, or its customer scope changed",
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_customer_out_of_scope_and_one_that_is_not_there() {
    let world = World::seeded(1, 5, 20);
    let [scope, gone] = [1, 3].map(|index| world.tenants()[index].tenant_id);
    let rules = LISTINGS.map(|listing| {
        let when = When::always().on(listing);
        [
            Rule::new(Fault::Forbidden, when.for_tenant(scope)),
            Rule::new(Fault::NotFound, when.for_tenant(gone)),
        ]
    });
    let (_upstream, scene) = scene_with(5, rules.concat()).await;
    scene
        .tells(&Told {
            log: &[
                "poll failed",
                "reason=forbidden",
                "this customer is not in its scope",
            ],
            metric: "count(avepoint_collector_failing{reason=\"forbidden\"}) == 2",
            trouble: ("collector", &["this customer is not in its scope"]),
            next_step: "Check the permissions and the customer scope",
            alert: ("AvePointCollectorFailing", "warning", "forbidden"),
            runbook: "or the customer is not in its scope",
        })
        .await;
    scene
        .tells(&Told {
            log: &[
                "poll failed",
                "reason=not_found",
                "check customer_id and tenant_id",
            ],
            metric: "count(avepoint_collector_failing{reason=\"not_found\"}) == 2",
            trouble: ("collector", &["no such customer or tenant"]),
            next_step: "Check customer_id and tenant_id",
            alert: ("AvePointCollectorFailing", "warning", "not_found"),
            runbook: "check the ids in the configuration",
        })
        .await;
    let firing = scene.prometheus.firing().await;
    assert!(
        firing
            .iter()
            .all(|alert| alert.labels["alertname"] != "AvePointFleetBlind"),
        "two of five tenants are not the fleet"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tenant_that_is_throttled() {
    let world = World::seeded(1, 5, 20);
    let tenant = world.tenants()[2].tenant_id;
    let rule = Rule::new(Fault::Throttle, When::always().for_tenant(tenant));
    let (_upstream, scene) = scene_with(5, vec![rule]).await;
    scene
        .tells(&Told {
            log: &[
                "poll failed",
                "reason=throttled",
                "if this happens to one target alone, lengthen its intervals",
            ],
            metric: "avepoint_collector_failing{reason=\"throttled\"}",
            trouble: ("collector", &["lengthen its intervals"]),
            next_step: "If one target alone is throttled, lengthen its intervals",
            alert: ("AvePointCollectorFailing", "warning", "throttled"),
            runbook: "If no other tenant is throttled, list it under `tenants` with longer",
        })
        .await;
    let rate = scene
        .prometheus
        .query("avepoint_api_rate_limit_requests_per_second{api=\"elements\"}")
        .await;
    assert_eq!(rate[0].value, 100.0, "the others are asked as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_is_throttled() {
    let rule = Rule::new(Fault::Throttle, When::every(2));
    let (_upstream, scene) = scene_with(6, vec![rule]).await;
    scene
        .tells(&Told {
            log: &["API is throttling requests", "api=elements"],
            metric: "avepoint_api_rate_limit_requests_per_second{api=\"elements\"} < 100",
            trouble: ("throttled", &["the request rate was lowered to"]),
            next_step: "Lower rate_limit.requests_per_second of this API",
            alert: ("AvePointApiThrottled", "warning", "are throttled (429)"),
            runbook: "Lower `rate_limit.requests_per_second` of this API",
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_hangs() {
    let (_upstream, scene) = scene_with(4, always(Fault::Hang)).await;
    scene
        .tells(&Told {
            log: &[
                "poll failed",
                "reason=timeout",
                "no complete response from 127.0.0.1:",
            ],
            metric: "count(avepoint_collector_failing{reason=\"timeout\"}) == 8",
            trouble: ("fleet_blind", &["no complete response from 127.0.0.1:"]),
            next_step: "Measure how long the API takes from this machine",
            alert: ("AvePointFleetBlind", "critical", "timeout"),
            runbook: "`connection`, `timeout`, `unavailable`: there is a problem with the network or with Elements",
        })
        .await;
    // A fleet whose requests hang is not one that does not fit.
    let log = scene.program.stderr();
    let firing = scene.prometheus.firing().await;
    let is_short =
        |alert: &crate::prometheus::Alert| alert.labels["alertname"] == "AvePointRateLimitTooLow";
    assert!(!firing.iter().any(is_short), "{firing:?}");
    let is_short = |line: &str| line.contains("too low") && !line.contains("this assumes");
    assert!(!log.lines().any(is_short), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_what_is_documented() {
    let world = World::seeded(1, 9, 20);
    let faults = [
        (
            Fault::Redirect,
            "refused",
            "not followed, because the token must not leave",
        ),
        (Fault::NotJson, "decode", "unexpected response"),
        (Fault::Oversized, "limit", "limit exceeded"),
        (
            Fault::Unauthorized,
            "unauthorized",
            "401 although the access token is fresh",
        ),
    ];
    let rules = faults.iter().enumerate().map(|(index, (fault, ..))| {
        let tenant = world.tenants()[2 * index].tenant_id;
        let when = When::always().on(Listing::Security).for_tenant(tenant);
        Rule::new(*fault, when)
    });
    let (_upstream, scene) = scene_with(9, rules.collect()).await;
    for (fault, reason, words) in faults {
        until(&format!("what is said of {fault}"), async || {
            let log = scene.program.stderr();
            let mut lines = log.lines();
            let is_said =
                |line: &str| line.contains(&format!("reason={reason} ")) && line.contains(words);
            let metric = format!("avepoint_collector_failing{{reason=\"{reason}\"}}");
            let is_shown = !scene.prometheus.query(&metric).await.is_empty();
            let status = scene.status().await;
            let mut troubles = status["troubles"].as_array()?.iter();
            let is_trouble = troubles.any(|one| {
                one["reason"] == reason && one["cause"].as_str().unwrap().contains(words)
            });
            let alerts = scene.prometheus.firing().await;
            let is_alert = alerts.iter().any(|alert| {
                alert.labels["alertname"] == "AvePointCollectorFailing"
                    && alert.annotations.values().any(|text| text.contains(reason))
            });
            (lines.any(is_said) && is_shown && is_trouble && is_alert).then_some(())
        })
        .await;
        let runbook = avepoint_exporter::bundle::RUNBOOKS
            .file("AvePointCollectorFailing.md")
            .unwrap();
        assert!(runbook.text.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_five_hours_off() {
    let rule = Rule::new(Fault::WrongDate, When::always());
    let (_upstream, scene) = scene_with(3, vec![rule]).await;
    scene
        .tells(&Told {
            log: &[
                "the clock of this machine is 1",
                "s behind that of elements; synchronise it",
            ],
            metric: "avepoint_api_clock_skew_seconds{api=\"elements\"} < -17000",
            trouble: ("clock", &["s behind that of elements"]),
            next_step: "Synchronise the clock of this machine",
            alert: (
                "AvePointClockSkewed",
                "warning",
                "the clock differs from that of elements",
            ),
            runbook: "the machine's clock is wrong. Start its time service",
        })
        .await;
    let firing = scene.prometheus.firing().await;
    assert!(
        firing
            .iter()
            .all(|alert| alert.labels["alertname"] != "AvePointDataStale"),
        "{firing:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_does_not_fit() {
    let upstream = upstream(4, Vec::new()).await;
    let limit = [("rate_limit", "{ requests_per_second: 1, burst: 1 }")];
    let config = config(&upstream, &limit);
    let scene = Scene::start(&config).await;
    scene
        .tells(&Told {
            log: &[
                "rate limit is too low for all intervals",
                "raise elements.rate_limit.requests_per_second",
            ],
            metric: "avepoint_api_required_requests_per_second > avepoint_api_capacity_requests_per_second",
            trouble: ("rate_limit_too_low", &["requests/s", "1.00 are available"]),
            next_step: "Raise the rate limit, or lengthen the intervals",
            alert: ("AvePointRateLimitTooLow", "warning", "requests per second"),
            runbook: "Lengthen the intervals of collectors by the factor in the log",
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_that_discovery_finds_no_longer_and_customers_neither() {
    let whole = World::seeded(1, 6, 20);
    let mut upstream = simulator(Options::new(World::seeded(1, 6, 20))).await;
    let discovery = "discovery: { enabled: true, interval: 1s }\n";
    // Their figures stay for long enough to be seen.
    let collectors = EVERY_SECOND.replace("stale_after: 5s", "stale_after: 10s");
    let config = format!("{}{discovery}{collectors}", elements(&upstream, &[]));
    let scene = Scene::start(&config).await;
    until("all tenants at Prometheus", async || {
        let found = "count(tenant_instance:avepoint_tenant_info:discovered) == 6";
        (!scene.prometheus.query(found).await.is_empty()).then_some(())
    })
    .await;
    let (left, gone) = whole.tenants().split_at(4);
    upstream.set_world(World::given(left.to_vec()));
    let name = gone[0].tenant_name.clone();
    scene
        .tells(&Told {
            log: &["polled tenants changed", "removed=2", "names_removed="],
            metric: "avepoint_tenants{state=\"active\"} == 4",
            trouble: ("tenants_vanished", &["no longer finds 2 of the tenants"]),
            next_step: "check the customer scope of the app registration",
            alert: (
                "AvePointTenantsVanished",
                "warning",
                "is gone from Elements",
            ),
            runbook: "check whether the customer is still in the scope of the app",
        })
        .await;
    assert!(scene.program.stderr().contains(&name), "{name}");

    upstream.set_world(World::given(Vec::new()));
    scene
        .tells(&Told {
            log: &["discovery failed", "reason=implausible", "check the customer scope"],
            metric: "avepoint_discovery_failing{reason=\"implausible\"} == 1 and on () avepoint_discovery_up == 0",
            trouble: ("discovery", &["no customers any more"]),
            next_step: "Check the customer scope of the app registration",
            alert: ("AvePointDiscoveryFailing", "warning", "implausible"),
            runbook: "`implausible`: Elements lists no customers or no tenants, although it listed some before",
        })
        .await;
    // What was known stays.
    let active = scene
        .prometheus
        .query("avepoint_tenants{state=\"active\"}")
        .await;
    assert_eq!(active[0].value, 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_down_for_the_listings_alone() {
    let upstream = upstream(4, Vec::new()).await;
    let url = format!("http://{}", super::scene::nobody());
    let config = config(&upstream, &[("api_url", &url), ("retry_deadline", "1s")]);
    let scene = Scene::start(&config).await;
    scene
        .tells(&Told {
            log: &[
                "poll failed",
                "reason=connection",
                "connection to 127.0.0.1:",
                "check elements.api_url, the network and the proxy",
            ],
            metric: "count(avepoint_collector_failing{reason=\"connection\"}) == 8",
            trouble: ("fleet_blind", &["connection to 127.0.0.1:", "failed"]),
            next_step: "Check name resolution, firewall, proxy",
            alert: ("AvePointFleetBlind", "critical", "connection"),
            runbook: "and check DNS, proxy and firewall",
        })
        .await;
    let up = scene
        .prometheus
        .query("avepoint_credential_up{credential=\"elements\"}")
        .await;
    assert_eq!(up[0].value, 1.0, "the credential has nothing to do with it");
}
