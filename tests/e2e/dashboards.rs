//! Every query of the dashboards, asked of a real Prometheus.

use std::collections::BTreeMap;

use avepoint_exporter::bundle::DASHBOARDS;
use serde_json::Value;

use crate::Demo;
use crate::program::{Program, exporter, until};
use crate::prometheus::Prometheus;
use crate::promql;

/// What a demo that works rightly does not have, each with the reason. Queries that name it show nothing.
const EMPTY: &[(&str, &str)] = &[
    (
        "avepoint_client_certificate_expiry_timestamp_seconds",
        "the demo signs in by secrets",
    ),
    ("offset 7d", "the demo has run for less than a week"),
];

/// The queries of all panels, variables and annotations below a value, with the panel's title or the variable's name.
fn queries(value: &Value, title: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let title = text("title").or(text("name")).unwrap_or(title);
            for name in ["expr", "query"] {
                // The query of the data source's variable is the data source's type.
                if let Some(query) = text(name).filter(|query| *query != "prometheus") {
                    found.push((title.to_owned(), query.to_owned()));
                }
            }
            for inner in fields.values() {
                queries(inner, title, found);
            }
        }
        Value::Array(values) => {
            for inner in values {
                queries(inner, title, found);
            }
        }
        _ => {}
    }
}

/// A query as Grafana sends it, with all chosen.
fn substituted(query: &str) -> String {
    let mut query = promql::of_variable(query).replace("$own_label", "none");
    for variable in [
        "$job",
        "$instance",
        "$customer",
        "$tenant",
        "$own_value",
        "${chosen:pipe}",
    ] {
        query = query.replace(variable, ".*");
    }
    let query = query.replace("$__rate_interval", "1m");
    assert!(!query.contains('$'), "an unknown variable: {query}");
    query
}

fn dashboards() -> impl Iterator<Item = Value> {
    let files = DASHBOARDS.files.iter();
    files.map(|file| serde_json::from_str(file.text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboards_is_answered_with_data() {
    let demo = Demo::start(1).await;
    let prometheus = demo.scraped().await;
    let mut all = Vec::new();
    for dashboard in dashboards() {
        queries(&dashboard, "", &mut all);
    }
    assert!(all.len() >= 40, "only {} queries found", all.len());
    for (metric, _) in EMPTY {
        let named = all.iter().any(|(_, query)| query.contains(metric));
        assert!(named, "no dashboard shows {metric}");
    }
    for (title, query) in &all {
        let query = substituted(query);
        if let Some((_, reason)) = EMPTY.iter().find(|(metric, _)| query.contains(metric)) {
            let found = prometheus.query(&query).await;
            assert!(found.is_empty(), "{title} shows something, though {reason}");
            continue;
        }
        // Rates need a poll between two scrapes.
        until(&format!("data for {title}: {query}"), async || {
            let found = prometheus.query(&query).await;
            (!found.is_empty() && found.iter().any(|series| !series.value.is_nan())).then_some(())
        })
        .await;
    }
}

/// The queries of each panel that is to be seen when its dashboard is opened, by the panel's title.
fn open_panels(dashboard: &Value) -> Vec<(String, Vec<String>)> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let with_queries = panels.filter_map(|panel| Some((panel, panel["targets"].as_array()?)));
    with_queries
        .map(|(panel, targets)| {
            let queries = targets.iter().map(|target| target["expr"].as_str());
            let queries = queries.map(|query| substituted(query.unwrap())).collect();
            (panel["title"].as_str().unwrap().to_owned(), queries)
        })
        .collect()
}

/// What one exporter itself says, for panels that show the sum over all tenants.
const TOTALS: [(&str, &str); 4] = [
    ("Polled tenants", "count(avepoint_tenant_info{INSTANCE})"),
    (
        "Users without per-user MFA",
        "sum(avepoint_security_users_by_status{status=\"mfa_disabled\", INSTANCE})",
    ),
    (
        "Users without mailbox backup",
        "sum(avepoint_backup_users_by_module{module=\"mailbox\", protected=\"false\", INSTANCE})",
    ),
    (
        "Users in the listing of users at risk",
        "sum(avepoint_security_users{INSTANCE})",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn with_the_defaults_no_panel_is_empty_and_a_tenant_that_two_exporters_see_counts_once() {
    let upstream = ["simulate", "--listen=127.0.0.1:0", "--tenants=3"];
    let upstream = Program::start(&mut exporter(upstream));
    let config = until("the configuration for the simulator", async || {
        let text = upstream.stdout();
        (text.matches("tenant_id: ").count() == 3 && text.ends_with("}\n")).then_some(text)
    })
    .await;
    // The collectors that are on by default, more often than by default.
    let config = config
        + "collectors: { security_users: { interval: 5s }, protected_users: { interval: 5s } }\n";
    let folder = tempfile::tempdir().unwrap();
    let mut exporters = Vec::new();
    let mut addresses = Vec::new();
    for (name, domain) in [
        ("one.yaml", "onmicrosoft.com"),
        ("other.yaml", "another.example"),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, config.replace("onmicrosoft.com", domain)).unwrap();
        let mut command = exporter(["serve", "--web.listen-address=127.0.0.1:0"]);
        let program = Program::start(command.arg("--config.file").arg(&file));
        addresses.push(
            until("the exporter's address", async || {
                let log = program.stderr();
                let (_, rest) = log.split_once("metrics=")?;
                let (_, rest) = rest.split_once("http://")?;
                Some(rest.split_once("/metrics")?.0.to_owned())
            })
            .await,
        );
        exporters.push(program);
    }
    let prometheus = Prometheus::start(&addresses, None).await;

    let mut shown = BTreeMap::new();
    for (title, queries) in dashboards().flat_map(|dashboard| open_panels(&dashboard)) {
        let what = format!("data for any query of {title}");
        until(&what, async || {
            for query in &queries {
                let found = prometheus.query(query).await;
                if found.iter().any(|series| !series.value.is_nan()) {
                    return Some(());
                }
            }
            None
        })
        .await;
        shown.insert(title, queries);
    }
    for (title, truth) in TOTALS {
        let truth = truth.replace("INSTANCE", &format!("instance={:?}", addresses[0]));
        until(&format!("{title} as one exporter has it"), async || {
            let expected = prometheus.query(&truth).await.first()?.value;
            let [one] = &*prometheus.query(&shown[title][0]).await else {
                return None;
            };
            (expected > 0.0 && one.value.to_bits() == expected.to_bits()).then_some(())
        })
        .await;
    }
    for rule in prometheus.rules().await {
        assert_eq!(rule.health, "ok", "{}: {:?}", rule.name, rule.last_error);
    }
}
