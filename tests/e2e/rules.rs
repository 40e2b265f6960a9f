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
    (
        "avepoint:backup_coverage:threshold{m365_tenant_id!=\"\"}",
        "only operators record thresholds of one tenant",
    ),
    (
        "avepoint:high_risk_exposed:threshold{m365_tenant_id!=\"\"}",
        "only operators record thresholds of one tenant",
    ),
    (
        "avepoint:high_risk_present:threshold{m365_tenant_id!=\"\"}",
        "only operators record thresholds of one tenant",
    ),
    (
        "avepoint:high_risk_rise:threshold{m365_tenant_id!=\"\"}",
        "only operators record thresholds of one tenant",
    ),
    (
        "avepoint:mfa_disabled_rise:threshold{m365_tenant_id!=\"\"}",
        "only operators record thresholds of one tenant",
    ),
    (
        "avepoint:mfa_disabled_rise_share:threshold{m365_tenant_id!=\"\"}",
        "only operators record thresholds of one tenant",
    ),
    (
        "avepoint:missing_from_backup:threshold{m365_tenant_id!=\"\"}",
        "only operators record thresholds of one tenant",
    ),
    (
        "avepoint:missing_from_backup_share:threshold{m365_tenant_id!=\"\"}",
        "only operators record thresholds of one tenant",
    ),
    (
        "avepoint:unprotected_mailboxes_rise:threshold{m365_tenant_id!=\"\"}",
        "only operators record thresholds of one tenant",
    ),
    (
        "avepoint:unprotected_mailboxes_rise_share:threshold{m365_tenant_id!=\"\"}",
        "only operators record thresholds of one tenant",
    ),
    (
        "collector:avepoint_collector_up:blind",
        "no poll of the demo fails",
    ),
    (
        "customer:avepoint_customer_backup_status:last14d",
        "it is there only while nobody discovers customers",
    ),
    (
        "tenant_collector:avepoint_collector_next_poll:gone",
        "the demo polls all that it ever polled",
    ),
    (
        "tenant_collector_mode:avepoint_collector_info:day_ago",
        "the demo is not a day old",
    ),
    (
        "tenant_collector_mode:avepoint_collector_info:max{collector=\"security_users\",mode=\"counts\"}",
        "the demo reads all listings",
    ),
    (
        "tenant_figure:avepoint_figures:day_ago",
        "the demo is not a day old",
    ),
    (
        "tenant_figure:avepoint_figures:three_days_ago",
        "the demo is not three days old",
    ),
    (
        "tenant_figure:avepoint_figures_rise1d:last14d",
        "it is there only while there is no figure",
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
