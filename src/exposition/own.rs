//! The exporter's own series, from the registry of the `prometheus` crate.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::Registry;
use prometheus::proto::{MetricFamily, MetricType};
use tokio::time::Instant;

use crate::metric::{Samples, labels};

use super::format::{ByFormat, Format};
use super::packed::Packed;

/// For this long they are shown as they were: gathering them for each scrape would cost more than all else in it.
const KEPT: Duration = Duration::from_secs(1);

/// The exporter's own series, rendered at most once a second in each format.
#[derive(Debug)]
pub struct Own {
    registry: Registry,
    /// Locked while they are rendered, so that a second scrape waits instead of doing the same.
    kept: ByFormat<Mutex<Option<Kept>>>,
}

/// The series at one moment.
#[derive(Debug)]
struct Kept {
    at: Instant,
    packed: Arc<Packed>,
}

impl Own {
    /// Those of this registry.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            kept: ByFormat::default(),
        }
    }

    /// The last part of an exposition, at most a second old.
    pub fn packed(&self, format: Format) -> Arc<Packed> {
        let mut kept = self
            .kept
            .get(format)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let at = Instant::now();
        if let Some(kept) = &*kept
            && at.duration_since(kept.at) < KEPT
        {
            return Arc::clone(&kept.packed);
        }
        let text = render_registry(&self.registry, format);
        let packed = Arc::new(Packed::new(text.as_bytes()));
        *kept = Some(Kept {
            at,
            packed: Arc::clone(&packed),
        });
        packed
    }
}

/// The series of a registry, and the end of the exposition.
pub fn render_registry(registry: &Registry, format: Format) -> String {
    let mut out = String::new();
    for family in registry.gather() {
        write_family(&family, format, &mut out);
    }
    out.push_str(format.end());
    out
}

fn write_family(family: &MetricFamily, format: Format, out: &mut String) {
    let name = family.name();
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        // This program has none.
        MetricType::SUMMARY | MetricType::UNTYPED => return,
    };
    format.head(name, kind, family.help(), out);
    for metric in family.get_metric() {
        let pairs = metric.get_label().iter();
        let pairs: Vec<_> = pairs
            .map(|pair| (pair.name(), pair.value().to_owned()))
            .collect();
        let labels = labels(&pairs);
        let mut put = |suffix: &str, le: Option<&str>, value: f64| {
            let name = format!("{name}{suffix}");
            let mut samples = Samples::new(out, &name, &[]);
            samples.scope(&labels);
            samples.put_with(&[], le.map(|le| ("le", le)), value);
        };
        match family.get_field_type() {
            MetricType::COUNTER => put("", None, metric.get_counter().get_value()),
            MetricType::GAUGE => put("", None, metric.get_gauge().get_value()),
            _ => {
                let histogram = metric.get_histogram();
                for bucket in histogram.get_bucket() {
                    let le = bound(bucket.upper_bound(), format);
                    put("_bucket", Some(&le), bucket.cumulative_count() as f64);
                }
                let count = histogram.get_sample_count() as f64;
                put("_bucket", Some("+Inf"), count);
                put("_sum", None, histogram.get_sample_sum());
                put("_count", None, count);
            }
        }
    }
}

/// The upper bound of a bucket. OpenMetrics wants the same text from everybody, which has a point in it.
fn bound(bound: f64, format: Format) -> String {
    match format {
        Format::Text => format!("{bound}"),
        Format::OpenMetrics => format!("{bound:?}"),
    }
}
