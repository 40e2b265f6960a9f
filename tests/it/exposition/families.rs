//! A reader of the text format for this purpose only: strict, in order, and without any code of the exporter.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// Reads gauges and counters; fails the test on anything that is not as it should be.
pub(super) fn read(text: &str) -> Vec<MetricFamily> {
    let mut families: Vec<MetricFamily> = Vec::new();
    let body = text.strip_suffix('\n').unwrap_or_else(|| {
        assert_eq!(text, "", "the last line has no end");
        ""
    });
    let mut lines = body.split('\n').filter(|_| !body.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let help = line
            .strip_prefix("# HELP ")
            .unwrap_or_else(|| panic!("no head of a family: {line}"));
        let (name, help) = help.split_once(' ').unwrap();
        let kind = lines
            .next()
            .and_then(|line| line.strip_prefix("# TYPE "))
            .and_then(|line| line.strip_prefix(name))
            .unwrap_or_else(|| panic!("no type of {name}"));
        let kind = match kind {
            " gauge" => MetricType::GAUGE,
            " counter" => MetricType::COUNTER,
            other => panic!("{name} is of the type{other}"),
        };
        let mut samples = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let series = line
                .strip_prefix(name)
                .unwrap_or_else(|| panic!("{line} among the samples of {name}"));
            samples.push(sample(series, kind));
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(samples);
        families.push(family);
    }
    families
}

/// Reads `{labels} value`.
fn sample(text: &str, kind: MetricType) -> Metric {
    let mut labels = Vec::new();
    let mut rest = text;
    if let Some(first) = text.strip_prefix('{') {
        rest = first;
        loop {
            let (name, value) = rest.split_once("=\"").unwrap();
            let (value, after) = label_value(value);
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value);
            labels.push(pair);
            if let Some(next) = after.strip_prefix(',') {
                rest = next;
            } else {
                rest = after.strip_prefix('}').unwrap();
                break;
            }
        }
    }
    let value: f64 = rest.strip_prefix(' ').unwrap().parse().unwrap();
    let mut metric = Metric::from_label(labels);
    if kind == MetricType::GAUGE {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    } else {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    }
    metric
}

/// Reads a label's value up to its closing quote; returns what follows that too.
fn label_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next().unwrap() {
            '"' => return (value, chars.as_str()),
            '\\' => value.push(match chars.next().unwrap() {
                'n' => '\n',
                same @ ('"' | '\\') => same,
                other => panic!("\\{other} is no escape"),
            }),
            other => value.push(other),
        }
    }
}
