//! The reference parsers of both formats find in an exposition what it was made of, however hostile the names are.

use std::io::Write as _;
use std::process::{Command, Stdio};

use avepoint_exporter::domain::Timestamp;
use avepoint_exporter::exposition::{Body, Format, render_registry};
use avepoint_exporter::snapshot::Snapshot;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::snapshots::{any_snapshot, any_text};

const CASES: u32 = 500;

#[test]
fn the_reference_parsers_find_what_was_written() {
    let mut runner = TestRunner::new(Config {
        rng_seed: proptest::test_runner::RngSeed::Fixed(13),
        ..Config::default()
    });
    let cases = (any_snapshot(), (any_text(), any_text()), any::<f64>());
    let mut parser = Command::new("python3")
        .args(["-B", "tests/it/exposition/reference.py"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = parser.stdin.take().unwrap();
    for _ in 0..CASES {
        let (snapshot, own, value) = cases.new_tree(&mut runner).unwrap().current();
        let line = case(&snapshot, &own, value).to_string() + "\n";
        // Where it has ended, its status tells.
        if stdin.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    drop(stdin);
    let output = parser.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "see above; the stage test of tests/run installs PyPI's prometheus_client"
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        CASES.to_string()
    );
}

/// An exposition of this fleet, and of own series with these names, in both formats; and some samples that are in it.
fn case(snapshot: &Snapshot, (help, label): &(String, String), value: f64) -> Value {
    let registry = own(help, label, value);
    let body = Body::new(snapshot, Timestamp::default());
    let [text, open_metrics] = Format::ALL.map(|format| {
        let tenants = String::from_utf8(body.form(format).text().into()).unwrap();
        tenants + &render_registry(&registry, format)
    });
    let mut wanted = vec![
        json!({ "name": "avepoint_own_total", "labels": { "hostile": label }, "value": 7.0 }),
        json!({ "name": "avepoint_own_bytes", "labels": { "hostile": label }, "value": value }),
        json!({ "name": "avepoint_own_seconds_count", "labels": { "hostile": label }, "value": 2.0 }),
    ];
    for target in snapshot.shown() {
        let Some(tenant) = target.target.tenant() else {
            continue;
        };
        let mut labels = json!({
            "m365_tenant_id": tenant.tenant_id.to_string(),
            "m365_tenant_name": tenant.tenant_name(),
        });
        for one in &target.collectors {
            labels["collector"] = one.collector().as_str().into();
            let name = "avepoint_collector_polls_total";
            wanted.push(json!({ "name": name, "labels": labels, "value": one.polls as f64 }));
        }
        labels.as_object_mut().unwrap().remove("collector");
        labels["customer_id"] = tenant.customer_id.to_string().into();
        labels["customer_name"] = tenant.customer_name().into();
        labels["source"] = tenant.source.as_str().into();
        for (name, value) in &tenant.labels {
            labels[name] = value.as_str().into();
        }
        wanted.push(json!({ "name": "avepoint_tenant_info", "labels": labels, "value": 1.0 }));
    }
    json!({ "text": text, "open_metrics": open_metrics, "wanted": wanted })
}

/// A registry with one metric of each type.
fn own(help: &str, label: &str, value: f64) -> Registry {
    let registry = Registry::new();
    let help = format!("Help: {help}.");
    let labels = ["hostile"];
    let counter = IntCounterVec::new(Opts::new("avepoint_own_total", &help), &labels).unwrap();
    let gauge = GaugeVec::new(Opts::new("avepoint_own_bytes", &help), &labels).unwrap();
    let opts = HistogramOpts::new("avepoint_own_seconds", &help).buckets(vec![0.025, 1.0, 30.0]);
    let histogram = HistogramVec::new(opts, &labels).unwrap();
    counter.with_label_values(&[label]).inc_by(7);
    gauge.with_label_values(&[label]).set(value);
    for seconds in [0.5, 3600.0] {
        histogram.with_label_values(&[label]).observe(seconds);
    }
    for metric in [
        Box::new(counter) as Box<dyn prometheus::core::Collector>,
        Box::new(gauge),
        Box::new(histogram),
    ] {
        registry.register(metric).unwrap();
    }
    registry
}

proptest! {
    #![proptest_config(crate::support::cases(100))]

    #[test]
    fn own_series_in_the_text_format_are_what_the_prometheus_crate_would_write(
        help in any_text(),
        label in any_text(),
        value in prop_oneof![any::<f64>(), (0..1_u64 << 54).prop_map(|whole| whole as f64)],
    ) {
        let registry = own(&help, &label, value);
        let encoder = prometheus::TextEncoder::new();
        let encoded = encoder.encode_to_string(&registry.gather()).unwrap();
        prop_assert_eq!(render_registry(&registry, Format::Text), encoded);
    }
}
