//! Every rule, evaluated by a real Prometheus that scrapes the demo.

use std::collections::BTreeSet;

use crate::Demo;
use crate::program::until;
use crate::promql;

/// Series that a demo which works rightly does not have, each with the reason; without labels all of that name.
const EMPTY: &[(&str, &str)] = &[
    (
        "tenant_collector:avepoint_collector_info:variants1d",
        "it is there only after a change of how figures are made",
    ),
    (
        "avepoint_api_requests_total{code=\"429\"}",
        "the simulated upstream throttles only when it is told to",
    ),
    (
        "avepoint_tenant_info{source=\"config\"}",
        "all tenants of the demo are discovered",
    ),
    (
        "avepoint_client_certificate_expiry_timestamp_seconds",
        "the demo signs in by secrets",
    ),
    (
        "avepoint_credential_failing",
        "the simulated token services fail only when they are told to",
    ),
    (
        "avepoint_exporter_state_dir_up",
        "the demo keeps nothing over a restart",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_is_evaluated_and_what_it_reads_and_records_is_there() {
    let demo = Demo::start(1).await;
    let prometheus = demo.scraped().await;
    let mut wanted = BTreeSet::new();
    let mut count = 0;
    for rule in promql::rules() {
        count += 1;
        wanted.extend(rule.record);
        let read = promql::read(&rule.expr).selectors;
        wanted.extend(read.iter().map(promql::Selector::text));
    }
    let rules = until("all rules to be evaluated", async || {
        let rules = prometheus.rules().await;
        let all = rules.iter().all(|rule| rule.health != "unknown");
        all.then_some(rules)
    })
    .await;
    assert_eq!(rules.len(), count);
    for rule in rules {
        assert_eq!(
            (&*rule.health, rule.last_error),
            ("ok", None),
            "{}",
            rule.name
        );
    }
    for (name, reason) in EMPTY {
        let before = wanted.len();
        wanted.retain(|wanted| !(wanted == name || wanted.starts_with(&format!("{name}{{"))));
        assert!(wanted.len() < before, "no rule names {name}");
        let found = prometheus.query(name).await;
        assert!(found.is_empty(), "{name} is there, though {reason}");
    }
    for name in wanted {
        until(&format!("series of {name}"), async || {
            (!prometheus.query(&name).await.is_empty()).then_some(())
        })
        .await;
    }
}
