//! Every query of the dashboards, asked of a real Prometheus.

use serde_json::Value;

use crate::Demo;
use crate::program::until;
use crate::promql;

/// Metrics that a demo which works rightly does not have, each with the reason. Queries of them show nothing.
const EMPTY: &[(&str, &str)] = &[(
    "avepoint_client_certificate_expiry_timestamp_seconds",
    "the demo signs in by secrets",
)];

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
    let mut query = promql::of_variable(query);
    for variable in ["$job", "$instance", "$customer", "$tenant"] {
        query = query.replace(variable, ".*");
    }
    let query = query.replace("$__rate_interval", "1m");
    assert!(!query.contains('$'), "an unknown variable: {query}");
    query
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboards_is_answered_with_data() {
    let demo = Demo::start(1).await;
    let prometheus = demo.scraped().await;
    let mut all = Vec::new();
    for file in std::fs::read_dir("dashboards").unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = std::fs::read_to_string(path).unwrap();
            queries(&serde_json::from_str(&text).unwrap(), "", &mut all);
        }
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
