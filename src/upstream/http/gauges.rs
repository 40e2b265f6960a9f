//! What gauges show now.

use prometheus::core::Collector;
use prometheus::proto::{Metric, MetricFamily};

/// The values of gauges that have this label alone, by its value. To ask a gauge by a label would create its series.
pub(super) fn values(gauges: &impl Collector, name: &str) -> Vec<(String, f64)> {
    let metrics = metrics(gauges);
    metrics
        .map(|metric| (label(&metric, name), metric.get_gauge().get_value()))
        .collect()
}

/// Gauges with all their labels.
pub(super) fn metrics<C: Collector>(gauges: &C) -> impl Iterator<Item = Metric> + use<C> {
    let families = gauges.collect().into_iter();
    families.flat_map(|mut family: MetricFamily| family.take_metric())
}

/// The value of a label; empty if there is no such label.
pub(super) fn label(metric: &Metric, name: &str) -> String {
    let found = metric.get_label().iter().find(|label| label.name() == name);
    found.map_or_else(String::new, |label| label.value().to_owned())
}
