//! Prometheus' text format 0.0.4, as far as gauges and counters need it.

use std::fmt::Write as _;

use super::Metric;

/// Labels in the text format, without braces, each followed by a comma.
pub(crate) fn labels(labels: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        write_label(name, value, &mut text);
    }
    text
}

/// Takes the samples of one metric and writes them, after the metric's head when there is at least one.
#[derive(Debug)]
pub struct Samples<'a> {
    out: &'a mut String,
    name: &'a str,
    kind: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    scope: &'a str,
    head_written: bool,
}

impl<'a> Samples<'a> {
    /// Those of a metric, which is shown by this name.
    pub(crate) fn new<S>(out: &'a mut String, metric: &Metric<S>, name: &'a str) -> Self {
        Self {
            out,
            name,
            kind: metric.kind.as_str(),
            help: metric.help,
            labels: metric.labels,
            scope: "",
            head_written: false,
        }
    }

    /// The samples that follow have these [`labels`] before their own.
    pub(crate) fn scope(&mut self, scope: &'a str) {
        self.scope = scope;
    }

    /// Hands over what is written, once it is this long, in bytes.
    pub(crate) fn hand_over(&mut self, at_least: usize, piece: &mut dyn FnMut(&str)) {
        if self.out.len() >= at_least {
            piece(self.out);
            self.out.clear();
        }
    }

    /// Writes a sample. `values` are those of the metric's own labels, in their order.
    pub fn put(&mut self, values: &[&str], value: f64) {
        self.put_with(values, [], value);
    }

    /// Writes a sample if it has a value.
    pub fn put_some(&mut self, values: &[&str], value: Option<f64>) {
        if let Some(value) = value {
            self.put(values, value);
        }
    }

    /// Writes a number of users, or of something else that is counted.
    pub fn count(&mut self, values: &[&str], count: u64) {
        self.put(values, count as f64);
    }

    /// Writes a sample that has more labels than its metric knows of.
    pub fn put_with<'v>(
        &mut self,
        values: &[&'v str],
        more: impl IntoIterator<Item = (&'v str, &'v str)>,
        value: f64,
    ) {
        let Self {
            name, kind, help, ..
        } = *self;
        debug_assert_eq!(values.len(), self.labels.len(), "{name}");
        if !self.head_written {
            self.head_written = true;
            // The help is ours and holds nothing to escape; a test over the catalogue holds that.
            let _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        }
        self.out.push_str(name);
        let labels_at = self.out.len();
        self.out.push('{');
        self.out.push_str(self.scope);
        let own = self.labels.iter().copied().zip(values.iter().copied());
        own.chain(more)
            .for_each(|(name, value)| write_label(name, value, self.out));
        // The last comma becomes the closing brace; without labels there are no braces.
        if self.out.pop() == Some(',') {
            self.out.push('}');
        } else {
            self.out.truncate(labels_at);
        }
        let _ = writeln!(self.out, " {value}");
    }
}

fn write_label(name: &str, value: &str, out: &mut String) {
    out.push_str(name);
    out.push_str("=\"");
    if value.contains(['\\', '"', '\n']) {
        out.push_str(
            &value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n"),
        );
    } else {
        out.push_str(value);
    }
    out.push_str("\",");
}
